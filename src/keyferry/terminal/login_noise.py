from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_LOADER: Final = b"ERROR: ld.so: object "
_SAID: Final = re.compile(re.escape(_LOADER) + rb"'[^'\n]*' from [^\n]* cannot be preloaded[^\n]*: ignored\.\r*\n")
"""The dynamic loader's words, once for each program that starts: `LD_PRELOAD` names a library that is not there."""
_LONGEST: Final = 4096
"""Bytes of one such line; a longer one is some program's."""


class LoginNoise:
    """Takes out of a stream what a login shell printed before the program started: all up to the marker's line.

    So is what the dynamic loader says behind it, before the program itself says anything.
    `noticed` hears of how many bytes, if there were any. said: the rest of the marker's line, once it came.
    """

    def __init__(self, marker: bytes, noticed: Callable[[int], None]) -> None:
        self._marker = marker
        self._noticed = noticed
        self._held = bytearray()
        self._seen = 0  # bytes in which the marker does not begin
        self._over = not marker
        self._begun = not marker
        self.said = ""

    def feed(self, chunk: bytes) -> bytes:
        if self._begun:
            return chunk
        self._held += chunk
        if not self._over and not self._found_marker():
            return b""
        return self._without_loader()

    def flush(self) -> bytes:
        """What is still held: the program never started, so this is what there was instead."""
        held, self._over, self._begun = bytes(self._held), True, True
        self._held.clear()
        return held

    def _found_marker(self) -> bool:
        start = self._held.find(self._marker, self._seen)
        self._seen = start if start >= 0 else max(0, len(self._held) - len(self._marker) + 1)
        end = self._held.find(b"\n", start + len(self._marker)) if start >= 0 else -1
        if end < 0:
            return False
        self._over = True
        if start:
            self._noticed(start)
        self.said = self._held[start + len(self._marker) : end].decode("utf-8", "replace").strip()
        del self._held[: end + 1]
        return True

    def _without_loader(self) -> bytes:
        while found := _SAID.match(self._held):
            self._noticed(found.end())
            del self._held[: found.end()]
        may_go_on = len(self._held) < _LONGEST and b"\n" not in self._held
        if _LOADER.startswith(self._held) or (may_go_on and self._held.startswith(_LOADER)):
            return b""
        self._begun = True
        held = bytes(self._held)
        self._held.clear()
        return held
