"""What commands of another host print, each read strictly: what is not exactly as expected is not understood."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from keyferry.errors import UnknownScreenError
from keyferry.pkcs11 import Sha256
from keyferry.text import counted, last_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

NOT_UNDERSTOOD: Final = 88
"""Exit status of our own shell lines where a command before it printed something else than expected."""

EMPTY: Final = "empty"
"""What our own shell lines print in place of the bytes of an empty file."""

_NUMBER: Final = re.compile(r"\s*([0-9]{1,15})\s*")
_HEX: Final = re.compile(r"\s*(?:[0-9a-f]{2}(?:\s+|\Z))+")
_HASH: Final = re.compile(r"(?:[A-Z0-9-]*\(stdin\)= ?)?([0-9a-f]{64})(?: [ *]-)?")
_HEX_DIGITS: Final = re.compile(r"[0-9A-Fa-f]+")
_CODED: Final = re.compile(
    r"(?<![0-9A-Za-z])[0-9A-Fa-f]{2,8}(?:\s+[0-9A-Fa-f]{2,8}(?![0-9A-Za-z])){7,}"
    r"|(?<![0-9A-Za-z])[0-9A-Fa-f]{16,}(?![0-9A-Za-z])|[0-9A-Za-z+/=_-]{48,}"
)
"""Bytes as `od`, `hexdump` and the like group them, as a hash has them, or in base64."""

_MOST_LINES: Final = 8
_LONGEST_LINE: Final = 200
"""What a message shows of an answer."""

_SPACE: Final = re.compile(r"\S.*?\s+[0-9]+\s+[0-9]+\s+(-?[0-9]+)\s+(?:[0-9]+%|-)\s+/.*")


def number(program: str, told: str) -> int:
    """Return the one number of `wc -c`."""
    if not (found := _NUMBER.fullmatch(told)):
        raise unknown(program, told)
    return int(found[1])


def content(told: str, most: int | None = None) -> bytes:
    """Return the bytes that `od -An -v -tx1` prints, at most so many."""
    if told.strip() == EMPTY:
        return b""
    if not _HEX.fullmatch(told):
        raise unknown("od", told)
    data = bytes.fromhex(told)
    if most is not None and len(data) > most:
        raise unknown("od", f"{counted(len(data), 'byte')}, more than the {most} asked for")
    return data


def read_prefix_and_erase(size: str, shown: str, count: int) -> tuple[int, bytes]:
    """Return a file's size and its first bytes: as many as asked for, or all that it has."""
    length, data = number("wc", size), content(shown)
    if len(data) != min(length, count):
        raise unknown("od", f"{counted(len(data), 'byte')} of {min(length, count)}")
    return length, data


def digest(program: str, told: str) -> Sha256:
    """Return the hash that `sha256sum`, `shasum` or `openssl dgst` prints of its standard input."""
    if not (found := _HASH.fullmatch(told.strip())):
        raise unknown(program, told)
    return Sha256(found[1])


def free_space(told: str) -> int:
    """Return the KiB that `df -P -k .` calls available."""
    rows = told.strip().splitlines()
    if len(rows) != 2 or not (found := _SPACE.fullmatch(rows[1].strip())):
        raise unknown("df", told)
    return max(0, int(found[1]))


def lines(told: str, count: int) -> list[str]:
    """Return exactly so many lines."""
    found = told.splitlines()
    if len(found) != count:
        raise unknown("the shell", told)
    return found


def parts(told: str, count: int) -> list[str]:
    """Return exactly so many parts, each of which a line with one dot ends."""
    found: list[list[str]] = [[]]
    for line in told.splitlines():
        if line == ".":
            found.append([])
        else:
            found[-1].append(line)
    if len(found) != count + 1 or found[-1]:
        raise unknown("the shell", told)
    return ["\n".join(part) for part in found[:-1]]


def program_path(told: str, tool: str, candidates: Sequence[str], *, elsewhere: bool) -> str | None:
    """Return the first path that a search printed; None if it printed none.

    candidates: paths that were looked at.
    elsewhere: whether `command -v` was asked too, which prints any path, or says that the name is an alias.
    """
    for line in told.splitlines():
        if line in candidates or (elsewhere and line.startswith("/") and line.endswith(f"/{tool}")):
            return line
    if told.strip() and not elsewhere:
        raise unknown("the shell", told)
    return None


def account(told: str) -> int:
    """Return the number of a user that `id -u` prints."""
    return number("id", told)


def readable(told: str) -> str:
    """Return the end of what a program printed, for a message: bytes in any spelling are counted, not shown.

    A file's bytes, a wrapped key among them, are nothing that a reader can judge, and must not be in a message.
    """
    return "\n".join(line[:_LONGEST_LINE] for line in last_lines(_CODED.sub(_count, told), _MOST_LINES).splitlines())


def _count(found: re.Match[str]) -> str:
    shown = "".join(found[0].split())
    if _HEX_DIGITS.fullmatch(shown):
        return f"({counted(len(shown), 'hexadecimal digit')})"
    return f"({counted(len(shown), 'character')} without a space)"


def unknown(program: str, told: str) -> UnknownScreenError:
    """Make the error for an answer that is not understood."""
    return UnknownScreenError(
        f"{program}: its answer is not understood",
        seen=readable(told) or "(nothing)",
        hint="run the command there by hand: a wrapper or an alias may stand in its place",
    )
