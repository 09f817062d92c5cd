from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Self

from keyferry.errors import InterruptedRunError

if TYPE_CHECKING:
    from types import FrameType, TracebackType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What may end a run; each is heard, but for a SIGHUP under nohup."""


class Interrupts:
    """The first signal lets the command in flight finish and stops the run before the next; a second stops it now."""

    def __init__(self) -> None:
        self.signal = 0
        """The number of the last that came."""
        self._before: dict[int, object] = {}

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

    def _note(self, number: int, _frame: FrameType | None) -> None:
        again, self.signal = bool(self.signal), number
        if again:
            raise InterruptedRunError(number)
