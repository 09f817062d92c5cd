from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from keyferry.secrets import Secret


_CONTEXT = 512  # bytes of a line that are looked at before a secret
_NAME_FIELD = re.compile(rb"""(?i)(?:^|[^a-z])(?:label|id|(?:user|key)?[ _-]?name)"?[ \t]*[:=][ \t]*"?[^\t"\r\n]*\Z""")


class Redactor:
    """The second line of defence: takes secrets out of a stream, also when they arrive in pieces.

    The first line is that a secret is never said to the record: its write is marked. This filter catches
    an echo, and a tool that shows what it was given. It keeps back the end of a chunk as long as that may
    be the beginning of a secret, and changes the record only, never what the parsers read.

    A name that happens to contain a secret stays as it is: taken out, it would show what the secret is to whoever
    knows the name. Names are what stands in a field for a label, an id or a user, and what `spare` is told.
    """

    def __init__(self, secrets: Iterable[Secret]) -> None:
        self._held = self._before = b""
        self._secrets = tuple(secrets)
        self._seek_secrets()

    @classmethod
    def of(cls, words: bytes, instead: bytes) -> Redactor:
        """Put other words in the place of these."""
        redactor = cls(())
        redactor._seek({words: instead})
        return redactor

    def spare(self, *texts: str) -> None:
        """Seek no longer a secret that occurs in one of these texts, which the record shows anyway."""
        raw = [text.encode("utf-8", "surrogateescape") for text in texts]
        kept = [secret for secret in self._secrets if not occurs(secret, raw)]
        if len(kept) != len(self._secrets):
            self._secrets = tuple(kept)
            self._seek_secrets()

    def _seek_secrets(self) -> None:
        names = {form: secret.name for secret in self._secrets for form in forms(secret.reveal())}
        self._seek({form: b"[" + name.encode() + b"]" for form, name in names.items()})

    def _seek(self, instead: dict[bytes, bytes]) -> None:
        self._names = instead
        longest_first = sorted(self._names, key=len, reverse=True)
        self._pattern = re.compile(b"|".join(map(re.escape, longest_first))) if longest_first else None
        # One look at the end of a chunk decides, in nearly every case, that no secret begins there.
        beginnings = {form[:size] for form in self._names for size in range(1, len(form))}
        self._beginnings = tuple(sorted(beginnings, key=len, reverse=True))

    def feed(self, chunk: bytes) -> bytes:
        """What may be recorded now."""
        if self._pattern is None:
            held, self._held = self._held, b""
            return held + chunk
        if not self._held and not chunk.endswith(self._beginnings) and not self._pattern.search(chunk):
            self._before = (self._before + chunk)[-_CONTEXT:]
            return chunk  # as nearly always
        text, place, out = self._held + chunk, 0, bytearray()
        keep = self._undecided(text)
        undecided = len(text) - keep
        for match in self._pattern.finditer(text):
            if match.start() >= undecided:
                break  # it may yet become a longer secret, whose rest would be left over
            out += text[place : match.start()] + self._instead(match, self._before)
            place = match.end()
        keep = self._undecided(text[place:]) if place else keep
        self._held = text[len(text) - keep :]
        self._before = (self._before + text[: len(text) - keep])[-_CONTEXT:]
        return bytes(out + text[place : len(text) - keep])

    def flush(self) -> bytes:
        """What was kept back: nothing more came of it."""
        held, self._held = self._held, b""
        clean = self._cleaned(held, self._before)
        self._before = (self._before + held)[-_CONTEXT:]
        return clean

    def text(self, text: str) -> str:
        """A whole text without the secrets, for an error or a report."""
        raw = text.encode("utf-8", "surrogateescape")
        return self._cleaned(raw, b"").decode("utf-8", "surrogateescape")

    def _cleaned(self, text: bytes, before: bytes) -> bytes:
        return self._pattern.sub(lambda match: self._instead(match, before), text) if self._pattern else text

    def _instead(self, match: re.Match[bytes], before: bytes) -> bytes:
        """What to write for an occurrence; before: what came before the text that was searched."""
        line = (before + match.string[max(0, match.start() - _CONTEXT) : match.start()]).rpartition(b"\n")[2]
        return match.group() if _NAME_FIELD.search(line) else self._names[match.group()]

    def _undecided(self, text: bytes) -> int:
        """How many bytes at the end may be the beginning of a secret."""
        if not text.endswith(self._beginnings):
            return 0
        return next(len(one) for one in self._beginnings if text.endswith(one))


def occurs(secret: Secret, texts: Iterable[bytes]) -> bool:
    """Whether a secret, in any of its forms, is part of one of the texts."""
    return any(form in text for text in texts for form in forms(secret.reveal()))


def forms(value: bytes) -> set[bytes]:
    """The ways a secret may show itself: as it is, in hex, in base64."""
    plain_hex = value.hex().encode()
    return {value, plain_hex, plain_hex.upper(), base64.b64encode(value)}
