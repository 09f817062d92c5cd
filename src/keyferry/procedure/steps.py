from __future__ import annotations

from typing import TYPE_CHECKING

from keyferry.events import StepStarted
from keyferry.steps import TITLES

if TYPE_CHECKING:
    from keyferry.events import Bus

__all__ = ["SIDES", "TITLES", "start"]

SIDES = {"5.2": "classic", "6": "cloudhsm", "7.2": "cloudhsm"}
"""Steps that one side goes through while the other is at another."""


def start(bus: Bus, number: str, key: str | None = None, lane: int = 1) -> None:
    """Tell that a step begins in a lane's sessions; `key` is the key's name where the step is for one key."""
    bus.tell(StepStarted(number, TITLES[number], key, lane))
