from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_PATTERN = rb"(?P<echo>%s|\*+)?(?P<end>\r*\n)(?:\*+\r*\n)?"


class EchoMask:
    """Takes the echo of a typed secret out of a stream: the secret itself, or stars that tell its length.

    The tool may show nothing (echo off), one star a character, or the secret as it is; then comes the end
    of the line, and where the terminal showed the secret although the tool masks, a line of stars follows.
    Bytes are kept back until that is decided; what is none of these passes.
    """

    def __init__(self, secret: bytes, noticed: Callable[[bool], None]) -> None:
        self._secret = secret
        self._noticed = noticed
        self._pattern = re.compile(_PATTERN % re.escape(secret))
        self._held: bytes | None = b""

    def feed(self, chunk: bytes) -> bytes:
        """What is left; `noticed` hears once whether the secret itself was shown (False: stars)."""
        if self._held is None:
            return chunk
        self._held += chunk
        if self._pending(self._held):
            return b""
        return self.flush()

    def flush(self) -> bytes:
        held, self._held = self._held or b"", None
        match = self._pattern.match(held)
        if match is None:
            return held
        if match["echo"]:
            self._noticed(match["echo"] == self._secret)
        return match["end"] + held[match.end() :]

    def _pending(self, held: bytes) -> bool:
        match = self._pattern.match(held)
        if match is None:
            shown = held.rstrip(b"\r")
            return self._secret.startswith(shown) or not shown.strip(b"*")
        rest = held[match.end("end") :]
        return not rest or (not rest.rstrip(b"\r").strip(b"*") and match.end() == match.end("end"))


def line_end(text: bytearray, words: bytes) -> tuple[int, int] | None:
    """Where words stand that a line ends with, carriage returns among them."""
    start = text.find(words)
    while start >= 0:
        end = start + len(words)
        while text.startswith(b"\r", end):
            end += 1
        if text.startswith(b"\n", end):
            return start, end
        start = text.find(words, start + 1)
    return None
