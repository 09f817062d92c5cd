"""A recording as it went, for the eye: in its own time, and as harmless as `show`."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import termios
import threading
import time
import tty
from typing import TYPE_CHECKING

from keyferry.recording.show import pieces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from keyferry.recording.reader import Recording

    Wait = Callable[[float], bool]
    """Waits so many seconds; True, and at once, where the person wants no more."""

_LONGEST = 86_400.0  # seconds: more than that is no time that a session took


def play(
    recording: Recording, write: Callable[[str], object], wait: Wait, *, speed: float, idle_limit: float | None
) -> bool:
    """Write a recording in its own time, `speed` times as fast, no pause longer than `idle_limit` seconds of it.

    Gives whether it was played to its end.
    """
    before = 0.0
    for at, text in pieces(recording):
        pause = min(max(0.0, at - before), _LONGEST if idle_limit is None else idle_limit)
        if wait(pause / speed):
            return False
        write(text)
        before = at
    return True


@contextlib.contextmanager
def stopped_by_key() -> Iterator[Wait]:
    """A wait that `q` on the terminal ends; without a terminal it only waits."""
    if not sys.stdin.isatty():
        yield threading.Event().wait
        return
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    tty.setcbreak(terminal)
    try:
        yield lambda seconds: _q_typed(terminal, seconds)
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def _q_typed(terminal: int, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while select.select([terminal], [], [], max(0.0, end - time.monotonic()))[0]:
        if os.read(terminal, 1) in (b"q", b"Q", b""):
            return True
    return False
