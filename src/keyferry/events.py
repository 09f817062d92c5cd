"""What the steps tell. Transcript markers, the progress bar and the plain lines listen."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StepStarted:
    """A documented step begins; `number` is the document's ("5.2"), or "0" for what goes before.

    lane: whose sessions it is for, where several are at work (the last step, `end`, is for all).
    """

    number: str
    title: str
    key: str | None = None
    worker: int = 1


@dataclass(frozen=True, slots=True)
class KeysPlanned:
    total: int
    crossing: int


@dataclass(frozen=True, slots=True)
class KeyFinished:
    """One key has its final state."""

    name: str
    state: str
    rule: str | None
    detail: str | None


@dataclass(frozen=True, slots=True)
class Noticed:
    """Something an operator should know that stops nothing."""

    text: str


Event = StepStarted | KeysPlanned | KeyFinished | Noticed
Listener = Callable[[Event], None]


class Bus:
    """Passes each event to every listener in the order they joined; one event at a time, from whatever thread."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []
        self._lock = threading.RLock()

    def join(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def tell(self, event: Event) -> None:
        with self._lock:
            for listener in self._listeners:
                listener(event)
