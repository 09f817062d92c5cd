"""Files that a tool wrote, kept beside a recording for a replay (see `replay`), made fit to be shown."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from keyferry.errors import UsageError
from keyferry.recording.damage import damaged
from keyferry.sanitize import identifiers
from keyferry.sanitize.replace import Marked
from keyferry.text import from_json

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_PEM = re.compile(r"(-----BEGIN PUBLIC KEY-----\s+)([A-Za-z0-9+/=\s]+?)(\s+-----END PUBLIC KEY-----\s*)")
_INTEGER = re.compile(rb"\x02\x82(..)", re.DOTALL)  # DER: an INTEGER with a length of two bytes


class Effect(TypedDict):
    """One entry of `NNN-TOOL.files.json`."""

    after_input: int
    name: str
    base64: str


@dataclass(frozen=True, slots=True)
class SideFile:
    """A file: what in it may hold names, and how the file is made again from that with aliases."""

    effect: Effect
    marked: Marked
    rebuild: Callable[[str], bytes]

    def renamed(self, text: str) -> Effect:
        return {**self.effect, "base64": base64.b64encode(self.rebuild(text)).decode()}


def side_files(path: Path) -> list[SideFile]:
    """Read the files of a recording; none where there is no such list.

    Raises:
        UsageError: the list cannot be read.
        MismatchError: the list is damaged.
    """
    if not path.exists():
        return []
    try:
        effects: list[Effect] = from_json(path.read_bytes())
        return [_side_file(effect, base64.b64decode(effect["base64"])) for effect in effects]
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise damaged(path, None, "not a list of the files that belong to a recording") from error


def _side_file(effect: Effect, data: bytes) -> SideFile:
    text = data.decode("utf-8", "surrogateescape")
    if "OBJ_ATTR_" in text:
        return SideFile(
            effect, Marked(text, identifiers.in_output(text)), lambda new: new.encode("utf-8", "surrogateescape")
        )
    if pem := _PEM.fullmatch(text):
        return _public_key(effect, pem)
    # A wrapped key, an encrypted block, or what nobody here knows: only its length matters.
    return SideFile(effect, Marked("", ()), lambda _new: bytes(len(data)))


def _public_key(effect: Effect, pem: re.Match[str]) -> SideFile:
    """An RSA public key, whose modulus is the name in it, in the hex in which attributes have it."""
    der = base64.b64decode(pem[2])
    found = _INTEGER.search(der)
    if found is None:
        return SideFile(effect, Marked("", ()), lambda _new: bytes(len(pem.string)))
    start, end = found.end(), found.end() + int.from_bytes(found[1])
    start += der[start] == 0  # the sign's byte
    modulus = der[start:end].hex()

    def rebuild(new: str) -> bytes:
        body = base64.b64encode(der[:start] + bytes.fromhex(new) + der[end:]).decode()
        lines = [body[place : place + 64] for place in range(0, len(body), 64)]
        return (pem[1] + "\n".join(lines) + pem[3]).encode()

    return SideFile(effect, Marked(modulus, [(0, len(modulus))]), rebuild)
