"""How a thread waits for what comes, so that another thread can end the wait."""

from __future__ import annotations

import contextlib
import os
import select
import threading
from typing import TYPE_CHECKING, Self

from keyferry.errors import InterruptedRunError

if TYPE_CHECKING:
    from collections.abc import Iterator

_OWN = threading.local()


class CancelToken:
    """Ends every wait of the threads that heed it, now and from now on. A context manager."""

    def __init__(self) -> None:
        self._heard, self._given = os.pipe()
        self.signal = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        os.close(self._heard)
        os.close(self._given)

    def give(self, signal: int) -> None:
        """signal: the number that the InterruptedRunError of those threads is to carry."""
        self.signal = signal
        os.write(self._given, b"x")

    def fileno(self) -> int:
        return self._heard


@contextlib.contextmanager
def cancellable(stop: CancelToken) -> Iterator[None]:
    """Within this, what this thread waits for ends as `stop` says: a signal reaches the main thread only."""
    _OWN.stop = stop
    try:
        yield
    finally:
        del _OWN.stop


def ready(descriptor: int, seconds: float) -> bool:
    """Wait until a descriptor has bytes or its end to be read; False if not within so many seconds."""
    stop: CancelToken | None = getattr(_OWN, "stop", None)
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    if stop:
        poll.register(stop, select.POLLIN)
    found = [which for which, _event in poll.poll(max(0.0, seconds) * 1000)]
    if stop and stop.fileno() in found:
        raise InterruptedRunError(stop.signal)
    return bool(found)
