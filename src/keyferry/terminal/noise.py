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
        self._held = bytearray()
        self._seen = 0  # bytes in which the marker does not begin
        self._over = not marker
        self.said = ""

    def feed(self, chunk: bytes) -> bytes:
        if self._over:
            return chunk
        self._held += chunk
        start = self._held.find(self._marker, self._seen)
        self._seen = start if start >= 0 else max(0, len(self._held) - len(self._marker) + 1)
        end = self._held.find(b"\n", start + len(self._marker)) if start >= 0 else -1
        if end < 0:
            return b""
        self._over = True
        if start:
            self._noticed(start)
        self.said = self._held[start + len(self._marker) : end].decode("utf-8", "replace").strip()
        after = bytes(self._held[end + 1 :])
        self._held.clear()
        return after

    def flush(self) -> bytes:
        """What is still held: the program never started, so this is what there was instead."""
        held, self._over = bytes(self._held), True
        self._held.clear()
        return held
