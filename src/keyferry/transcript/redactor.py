from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from keyferry.secrets import Secret


class Redactor:
    """The second line of defence: takes secrets out of a stream, also when they arrive in pieces.

    The first line is that a secret is never said to the record: its write is marked. This filter catches
    an echo, and a tool that shows what it was given. It keeps back the end of a chunk as long as that may
    be the beginning of a secret, and changes the record only, never what the parsers read.
    """

    def __init__(self, secrets: Iterable[Secret]) -> None:
        self._names = {form: secret.name for secret in secrets for form in forms(secret.reveal())}
        longest_first = sorted(self._names, key=len, reverse=True)
        self._pattern = re.compile(b"|".join(map(re.escape, longest_first))) if longest_first else None
        # One look at the end of a chunk decides, in nearly every case, that no secret begins there.
        beginnings = {form[:size] for form in self._names for size in range(1, len(form))}
        self._beginnings = tuple(sorted(beginnings, key=len, reverse=True))
        self._held = b""

    def feed(self, chunk: bytes) -> bytes:
        """What may be recorded now."""
        if self._pattern is None:
            return chunk
        if not self._held and not chunk.endswith(self._beginnings) and not self._pattern.search(chunk):
            return chunk  # as nearly always
        text, place, out = self._held + chunk, 0, bytearray()
        keep = self._undecided(text)
        undecided = len(text) - keep
        for match in self._pattern.finditer(text):
            if match.start() >= undecided:
                break  # it may yet become a longer secret, whose rest would be left over
            out += text[place : match.start()] + self._name(match)
            place = match.end()
        keep = self._undecided(text[place:]) if place else keep
        self._held = text[len(text) - keep :]
        return bytes(out + text[place : len(text) - keep])

    def flush(self) -> bytes:
        """What was kept back: nothing more came of it."""
        held, self._held = self._held, b""
        return self._pattern.sub(self._name, held) if held and self._pattern else held

    def text(self, text: str) -> str:
        """A whole text without the secrets, for an error or a report."""
        raw = text.encode("utf-8", "surrogateescape")
        clean = self._pattern.sub(self._name, raw) if self._pattern else raw
        return clean.decode("utf-8", "surrogateescape")

    def _name(self, match: re.Match[bytes]) -> bytes:
        return b"[" + self._names[match.group()].encode() + b"]"

    def _undecided(self, text: bytes) -> int:
        """How many bytes at the end may be the beginning of a secret."""
        if not text.endswith(self._beginnings):
            return 0
        return next(len(one) for one in self._beginnings if text.endswith(one))


def forms(value: bytes) -> set[bytes]:
    """The ways a secret may show itself: as it is, in hex, in base64."""
    plain_hex = value.hex().encode()
    return {value, plain_hex, plain_hex.upper(), base64.b64encode(value)}
