from __future__ import annotations

import errno
import os
from typing import Generic, TypeVar

T = TypeVar("T")
"""What is known of a file after its last whole line."""


class AppendOnlyFile(Generic[T]):
    """A file that only grows, by whole lines, also where a signal's handler raises in the middle of one.

    The line that was being written is then completed before anything else is written, and `state` always tells of
    whole lines: all that may change is one attribute, and that is set at once. (Holding signals back at each line
    would cost more than the line.)
    """

    def __init__(self, handle: int, state: T, size: int | None = None) -> None:
        """handle: opened to append. state: what is known now. size: bytes of whole lines, else all that is there."""
        self.handle = handle
        self._now: tuple[int, T, tuple[bytes, T] | None]
        self._now = (os.fstat(handle).st_size if size is None else size), state, None

    @property
    def state(self) -> T:
        """After the last whole line."""
        return self._now[1]

    @property
    def size(self) -> int:
        """Bytes of whole lines."""
        return self._now[0]

    def add(self, line: bytes, after: T) -> None:
        """Write a line with its newline. after: the state from then on. OSError where it cannot be written."""
        size, state, _ = self._now
        self._now = size, state, (line, after)
        if os.write(self.handle, line) == len(line):
            self._now = size + len(line), after, None
        else:
            self.complete()

    def to_disk(self) -> None:
        """Wait until all lines are on the disk. OSError where they cannot be.

        The file's time may come later: not waiting for that takes a third of the time that fsync does.
        """
        os.fdatasync(self.handle)

    def complete(self) -> None:
        """Write what is missing of a line that was begun."""
        size, _, begun = self._now
        if begun is None:
            return
        line, after = begun
        while rest := line[self._grown(size) :]:
            os.write(self.handle, rest)
        self._now = size + len(line), after, None

    def _grown(self, size: int) -> int:
        grown = os.fstat(self.handle).st_size - size
        if grown < 0:
            raise OSError(errno.EIO, "it has become shorter")
        return grown
