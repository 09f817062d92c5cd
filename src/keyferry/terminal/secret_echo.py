from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_LONGEST = 1024
"""Bytes, besides the secret shown twice, that are kept back until it is decided whether they are an echo."""
_RETURNS = re.compile(rb"\r*")
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
        self._longest = _LONGEST + 2 * len(secret)
        self._held: bytes | None = b""

    def feed(self, chunk: bytes) -> bytes:
        """What is left; `noticed` hears once whether the secret itself was shown (False: stars)."""
        if self._held is None:
            return chunk
        self._held += chunk
        if len(self._held) <= self._longest and self._pending(self._held):
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


class LineEnd:
    """Search a growing text for words that end a line. Carriage returns may stand before the newline.

    Each call continues where the last one stopped, so the cost does not depend on how the text arrives.
    """

    def __init__(self, words: bytes) -> None:
        self._words = words
        self._place = 0

    def search(self, text: bytearray) -> tuple[int, int] | None:
        """Return where the words start and where the newline is."""
        while (start := text.find(self._words, self._place)) >= 0:
            returns = _RETURNS.match(text, start + len(self._words))
            end = returns.end() if returns else 0
            self._place = start
            if end == len(text):
                return None
            if text.startswith(b"\n", end):
                return start, end
            self._place = start + 1
        self._place = max(self._place, len(text) - len(self._words) + 1)
        return None
