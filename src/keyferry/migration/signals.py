from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING, Self

from keyferry import steps
from keyferry.errors import InterruptedRunError
from keyferry.events import Bus, Event, StepStarted
from keyferry.terminal import signals
from keyferry.terminal.signals import SIGNALS, Counter
from keyferry.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType, TracebackType

_MOST_NAMED = 4


class Interrupts:
    """The first signal lets the command in flight finish and stops the run before the next; a second stops it now.

    The first is acknowledged at once on stderr.
    """

    def __init__(self, bus: Bus | None = None, counter: Counter | None = None) -> None:
        """bus: tells which steps are under way."""
        self.signal = 0
        """The number of the last that counted."""
        self._counter = counter or signals.SIGNALLED
        self._under_way: dict[tuple[int, str | None], StepStarted] = {}
        self._before: dict[int, object] = {}
        self._asking = False
        if bus:
            bus.join(self._follow)

    def __enter__(self) -> Self:
        for number in SIGNALS:
            if number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:  # nohup
                continue
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type] # what signal.signal gave is what it takes

    def check(self) -> None:
        """InterruptedRunError if a signal came: called between two commands that change something."""
        if self.signal:
            raise InterruptedRunError(self.signal)

    @contextlib.contextmanager
    def asking(self) -> Iterator[None]:
        """While a question waits for its answer no command is in flight: a signal stops the run at once."""
        self.check()
        self._asking = True
        try:
            yield
        finally:
            self._asking = False

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if not self._counter.counts(number):
            return
        again, self.signal = bool(self.signal), number
        if again or self._asking:
            raise InterruptedRunError(number)
        _write(
            f"{signal.Signals(number).name} received: finishing {self._finishing()}, then stopping. "
            "A second signal stops immediately and leaves the outcome unknown until `keyferry resume`."
        )

    def _follow(self, event: Event) -> None:
        if isinstance(event, StepStarted):
            if event.number not in steps.SIDES:  # both sides are at it
                self._under_way.clear()
            self._under_way[event.worker, steps.SIDES.get(event.number)] = event

    def _finishing(self) -> str:
        told = [
            f"step {one.number}" + (f" for {printable(one.key)}" if one.key else "")
            for one in list(self._under_way.values())
        ]
        more = [f"{len(told) - _MOST_NAMED} more"] if len(told) > _MOST_NAMED else []
        return " and ".join(told[:_MOST_NAMED] + more) or "the command in flight"


def _write(line: str) -> None:
    """Write a line to stderr from a signal handler: at once, past every buffer and lock that may be in use."""
    with contextlib.suppress(OSError, ValueError):  # the terminal may be gone
        stderr = sys.stderr.fileno()
        over_the_bar = "\r\x1b[K" if os.isatty(stderr) else ""
        os.write(stderr, f"{over_the_bar}{line}\n".encode("utf-8", "backslashreplace"))
