from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from keyferry import files
from keyferry.errors import UsageError
from keyferry.recording import chain
from keyferry.recording.damage import damaged, run_of
from keyferry.text import from_json

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
    """A recording. torn: its last line was never finished, and is not among the events."""

    header: dict[str, object]
    events: tuple[Event, ...]
    torn: bool = False

    def conversation(self) -> Iterator[tuple[str, bytes]]:
        """What a replay needs: ("o", exact bytes), ("i", bytes typed), ("s", the secret's name)."""
        # The longer one is the second where there are no events at all.
        for event, following in zip(self.events, (*self.events[1:], None), strict=False):
            if event.code == "o":
                exact = following is not None and following.code == "b"
                yield "o", base64.b64decode(following.data) if exact and following else event.data.encode()
            elif event.code in {"i", "s"}:
                yield event.code, event.data.encode("utf-8", "surrogateescape")


_HINT = "name a recording, as sessions/NNN-TOOL.cast in the folder of a run"


def read(path: Path, *, torn: bool = False) -> Recording:
    """Read an asciicast v2.

    Args:
        path: the recording.
        torn: whether the last line may be half a line, as a killed process leaves it; it is skipped.

    Raises:
        UsageError: the file cannot be read, or is no asciicast v2.
        MismatchError: it is a recording of ours, by its header or its place in a run, but a line of it is damaged.
    """
    data = files.read(path, hint=_HINT)
    cut = torn and not data.endswith(b"\n")
    if cut and b"\n" not in data and run_of(path):
        return Recording({}, (), torn=True)  # killed while it wrote the header
    if cut and b"\n" in data:
        data = data[: data.rindex(b"\n")]
    first, *rest = data.removesuffix(b"\n").split(b"\n")
    number, header, events = 1, dict[str, object](), list[Event]()
    try:
        header = _header(first)
        for number, line in enumerate(rest, start=2):
            events.append(_event(number, line))
    except ValueError as error:
        if header.get("format") == chain.TRANSCRIPT or run_of(path):
            raise damaged(path, number, str(error)) from error
        raise UsageError(f"{path}: line {number}: {error}", hint=_HINT) from error
    return Recording(header, tuple(events), cut)


def _header(line: bytes) -> dict[str, object]:
    header = _whole(line)
    if not isinstance(header, dict) or header.get("version") != 2:
        raise ValueError("not the header of an asciicast v2")
    return header


def _whole(line: bytes) -> Any:  # noqa: ANN401 - any JSON
    """Return what a line says; ValueError if a text in it holds half of a character, which cannot be written again."""
    value = from_json(line)
    if b"\\ud" in line or b"\\uD" in line:
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise ValueError("a text in it holds half of a character") from None
    return value


def _event(number: int, line: bytes) -> Event:
    match _whole(line):
        case [int() | float() as at, str() as code, str() as data] if is_time(at) and len(code.strip()) == 1:
            if code == "b" and not _is_base64(data):
                raise ValueError("the exact bytes of an output are not base64")
            return Event(number, float(at), code, data)
    raise ValueError("not an event of an asciicast v2")


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
