"""The seven steps across the two hosts: where each shape of the picture stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keyferry.report.model import BOTH, DESTINATION

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from keyferry.report.model import Step

WIDTH = 390
"""As wide as a phone, so that its letters are read there as they are."""
_LANE, _ROW, _TOP = 184, 66, 40
_SHORT = {
    "1": ("Make the key pair", DESTINATION),
    "2": ("Export the public key", DESTINATION),
    "3": ("Move the public key", BOTH),
    "4": ("Import it, let wrap", "source"),
    "5": ("Check and wrap", "source"),
    "6": ("Move the wrapped keys", BOTH),
    "7": ("Unwrap and prove", DESTINATION),
}
"""The document's seven steps in few words, and whose host they are on."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One step: a box in its host's lane, or an arrow from one lane to the other. x, y: of its upper left corner."""

    number: str
    title: str
    lane: str
    x: int
    y: int
    width: int
    height: int
    when: str
    busy: str
    done: bool


def shapes(steps: Sequence[Step]) -> Iterator[Shape]:
    dated = len({moment[:10] for step in steps for moment in (step.first, step.last) if moment}) > 1
    for row, (number, (title, side)) in enumerate(_SHORT.items()):
        parts = [step for step in steps if step.number.split(".")[0] == number and step.first]
        arrow = side == BOTH
        yield Shape(
            number=number,
            title=title,
            lane=("to-source" if number == "3" else "to-destination") if arrow else side,
            x=WIDTH // 2 - 60 if arrow else 3 if side == DESTINATION else WIDTH - 3 - _LANE,
            y=_TOP + row * _ROW,
            width=120 if arrow else _LANE,
            height=_ROW - 12,
            when=_when(parts, dated=dated),
            busy=_busy(parts),
            done=bool(parts),
        )


def height() -> int:
    return _TOP + len(_SHORT) * _ROW


def _when(parts: Sequence[Step], *, dated: bool) -> str:
    if not parts:
        return "not reached"
    first, last = min(step.first or "" for step in parts), max(step.last or "" for step in parts)
    start = 5 if dated else 11
    times = [moment[start:19].replace("T", " ") for moment in (first, last)]
    return " – ".join(dict.fromkeys(times))  # noqa: RUF001 - a range has an en dash


def _busy(parts: Sequence[Step]) -> str:
    keys = max((step.keys for step in parts), default=0)
    seconds = sum(step.busy for step in parts)
    told = [f"{keys:,} {'key' if keys == 1 else 'keys'}"] if keys else []
    return ", ".join([*told, f"{seconds:.3f} s at the tools"] if seconds else told)
