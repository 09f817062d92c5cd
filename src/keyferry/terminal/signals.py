"""Signals that arrive as one, as when a terminal closes, count once."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What may end a run; each is heard, but for a SIGHUP under nohup."""

WINDOWS = {signal.SIGINT: 0.2, signal.SIGTERM: 1.0, signal.SIGHUP: 1.0}
"""Seconds after a signal in which another one counts as the same: the kernel and the shell each send a SIGHUP when a
terminal closes, and service managers send SIGTERM and SIGHUP together."""


class Counter:
    """Counts the signals of this process; several that arrive as one count once."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counted: float | None = None

    def counts(self, number: int) -> bool:
        """Whether a signal that arrives now counts."""
        now = self._clock()
        if self._counted is not None and now - self._counted < WINDOWS[signal.Signals(number)]:
            return False
        self._counted = now
        return True


SIGNALLED = Counter()
"""One for the whole process: the second SIGHUP of a terminal that closes may arrive after the run has ended."""
