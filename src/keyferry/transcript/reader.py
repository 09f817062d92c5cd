from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING

from keyferry.errors import UsageError
from keyferry.text import NotJsonError, from_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a recording; `line` is its line in the file, from 1."""

    line: int
    at: float
    code: str
    data: str


@dataclass(frozen=True, slots=True)
class Recording:
    header: dict[str, object]
    events: tuple[Event, ...]

    def conversation(self) -> Iterator[tuple[str, bytes]]:
        """What a replay needs: ("o", exact bytes), ("i", bytes typed), ("s", the secret's name)."""
        # The longer one is the second where there are no events at all.
        for event, following in zip(self.events, (*self.events[1:], None), strict=False):
            if event.code == "o":
                exact = following is not None and following.code == "b"
                yield "o", base64.b64decode(following.data) if exact and following else event.data.encode()
            elif event.code in {"i", "s"}:
                yield event.code, event.data.encode("utf-8", "surrogateescape")


def read(path: Path, *, torn: bool = False) -> Recording:
    """Read a recording; UsageError naming the first line that is not asciicast v2.

    torn: the last line may be half a one, as a process leaves it that was killed; then it is passed over.
    """
    try:
        data = path.read_bytes()
        if torn and b"\n" in data:
            data = data[: data.rindex(b"\n")]
        # Only a newline ends a line: `splitlines` would also break at U+2028 inside a string.
        first, *rest = data.decode().removesuffix("\n").split("\n")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{path}: line {line}: not UTF-8") from error
    header = _parse(path, 1, first)
    if not isinstance(header, dict) or header.get("version") != 2:
        raise UsageError(f"{path}: line 1: not the header of an asciicast v2")
    return Recording(header, tuple(_event(path, number, line) for number, line in enumerate(rest, start=2)))


def _parse(path: Path, number: int, line: str) -> object:
    try:
        return from_json(line)
    except NotJsonError as error:
        raise UsageError(f"{path}: line {number}: {error}") from error


def _event(path: Path, number: int, line: str) -> Event:
    match _parse(path, number, line):
        case [int() | float() as at, str() as code, str() as data] if is_time(at) and len(code.strip()) == 1:
            if code == "b" and not _is_base64(data):
                raise UsageError(f"{path}: line {number}: the exact bytes of an output are not base64")
            return Event(number, float(at), code, data)
    raise UsageError(f"{path}: line {number}: not an event of an asciicast v2")


_LATEST = 1e9
"""Seconds, about 30 years: no session takes longer."""


def is_time(value: float) -> bool:
    """Return whether a number can be the time of an event."""
    return not isinstance(value, bool) and 0 <= value <= _LATEST


def _is_base64(data: str) -> bool:
    try:
        base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True
