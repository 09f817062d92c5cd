"""A command of ours on an emulated terminal screen: what a person sees, not what bytes came."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any, Self

import pexpect
import pyte

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS, COLUMNS = 24, 120
LIMIT = 60  # seconds
STILL = 0.4
"""Seconds in which a live display would have redrawn the screen several times."""


class Watched:
    """`keyferry` on a terminal of its own. A context manager: the command is killed if it is still there."""

    def __init__(self, *words: object, **environment: str) -> None:
        self._screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self._screen)
        self.child: Any = pexpect.spawn(
            sys.executable,
            ["-m", "keyferry.cli", *map(str, words)],
            env=os.environ | {"TERM": "xterm"} | environment,
            dimensions=(ROWS, COLUMNS),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.child.close(force=True)

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self._screen.display).rstrip()

    def asked(self) -> str:
        """The question that a person sees: the text before a visible cursor, on a screen that stays as it is."""
        line = self._screen.display[self._screen.cursor.y]
        return "" if self._screen.cursor.hidden else line[: self._screen.cursor.x].strip()

    def until(self, seen: Callable[[], bool]) -> None:
        """Read until something is seen; it must be there still when nothing has come for a while."""
        end = time.monotonic() + LIMIT
        while not seen():
            assert time.monotonic() < end, self.text
            assert self._read(1) is not None, self.text
        while self._read(STILL):
            assert time.monotonic() < end, self.text
        assert seen(), self.text

    def type(self, line: str) -> None:
        self.child.sendline(line)

    def end(self) -> int:
        """Read to the command's end; gives its exit status, which is negative for a signal."""
        end = time.monotonic() + LIMIT
        while self._read(1) is not None:
            assert time.monotonic() < end, self.text
        self.child.close()
        return int(self.child.exitstatus if self.child.exitstatus is not None else -self.child.signalstatus)

    def _read(self, seconds: float) -> bytes | None:
        """What comes within so many seconds; None at the end."""
        try:
            data: bytes = self.child.read_nonblocking(1 << 16, seconds)
        except pexpect.TIMEOUT:
            return b""
        except pexpect.EOF:
            return None
        self._stream.feed(data)
        return data
