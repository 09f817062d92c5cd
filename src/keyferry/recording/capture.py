"""Recordings of a terminal, whoever made them, as the lines that stood on it and where each begins.

Ours, asciicast v2 of a stock asciinema, and typescripts of `script`. What was typed is taken from the screen, where
its echo stands corrected: a secret that was not shown is not here.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from keyferry import files
from keyferry.errors import UsageError
from keyferry.recording.captured_bytes import decoded
from keyferry.recording.damage import run_of
from keyferry.recording.reader import read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_STARTED = re.compile(rb"Script started on [^\n]*?(?:COLUMNS=\"(?P<columns>\d{1,4})\"[^\n]*)?\r?\n")
_DONE = re.compile(rb"\n?Script done on [^\n]*\n?\Z")


@dataclass(frozen=True, slots=True)
class Raw:
    """One line as it was sent, less its newline, and its place: file and line. ended: by a newline."""

    data: bytes
    place: str
    ended: bool = True


@dataclass(frozen=True, slots=True)
class Capture:
    """A recording. width: of its terminal, where it says so. command: of one that is of a single program."""

    name: str
    width: int | None
    command: str | None
    lines: tuple[Raw, ...]


def load(path: Path) -> Capture:
    """UsageError for a file that cannot be read, or is neither asciicast v2 nor a typescript."""
    data = files.read(path, hint="name a recording, or a typescript of `script`")
    if data.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        data = decoded(data).encode("utf-8", "surrogateescape")
    if data.startswith(b"{"):
        return _asciicast(path)
    return _typescript(path, data)


def _asciicast(path: Path) -> Capture:
    recording = read(path, torn=run_of(path) is not None)  # a killed run is one that diff compares, too
    argv, width = recording.header.get("argv"), recording.header.get("width")
    command = " ".join(map(str, argv)) if isinstance(argv, list) and "tool" in recording.header else None
    places = [event.line for event in recording.events if event.code in {"o", "i", "s"}]
    said = zip(places, recording.conversation(), strict=True)
    output = ((f"{path}:{line}", data) for line, (code, data) in said if code == "o")
    return Capture(str(path), width if isinstance(width, int) else None, command, tuple(_lines(output)))


def _typescript(path: Path, data: bytes) -> Capture:
    started = _STARTED.match(data)
    if started is None:
        raise UsageError(
            f"{path}: neither an asciicast v2 nor a typescript of `script`",
            hint="a typescript begins with the line `Script started on`",
        )
    *rows, last = _DONE.sub(b"", data[started.end() :]).split(b"\n")
    lines = [Raw(row, f"{path}:{number}") for number, row in enumerate(rows, start=2)]
    lines += [Raw(last, f"{path}:{len(rows) + 2}", ended=False)] if last else []
    return Capture(str(path), int(started["columns"]) if started["columns"] else None, None, tuple(lines))


def _lines(pieces: Iterable[tuple[str, bytes]]) -> Iterator[Raw]:
    """Pieces of a stream as lines, each at the place of the piece in which it begins."""
    held, begun = b"", ""
    for place, data in pieces:
        first, *others = data.split(b"\n")
        begun = begun if held else place
        held += first
        for row in others:
            yield Raw(held, begun)
            held, begun = row, place
    if held:
        yield Raw(held, begun, ended=False)
