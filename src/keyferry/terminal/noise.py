from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class LoginNoise:
    """Takes out of a stream what a login shell printed before the program started: all up to the marker's line.

    `noticed` hears of how many bytes, if there were any. said: the rest of the marker's line, once it came.
    """

    def __init__(self, marker: bytes, noticed: Callable[[int], None]) -> None:
        self._marker = marker
        self._noticed = noticed
        self._held = b""
        self._over = not marker
        self.said = ""

    def feed(self, chunk: bytes) -> bytes:
        if self._over:
            return chunk
        self._held += chunk
        before, marker, after = self._held.partition(self._marker)
        end = after.find(b"\n")
        if not marker or end < 0:
            return b""
        self._held, self._over = b"", True
        if before:
            self._noticed(len(before))
        self.said = after[:end].decode("utf-8", "replace").strip()
        return after[end + 1 :]

    def flush(self) -> bytes:
        """What is still held: the program never started, so this is what there was instead."""
        held, self._held, self._over = self._held, b"", True
        return held
