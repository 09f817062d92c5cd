"""One session's recording, read line by line and held against its chain (FORMAT.md). Nothing of it is kept."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from keyferry.errors import MismatchError
from keyferry.recording import chain
from keyferry.recording.reader import Event, is_time
from keyferry.text import from_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LONGEST = 16 * 2**20
"""Bytes of a line above which it is none of ours."""
CODES = frozenset("oibsmvfxhr")


def wrong(file: str, line: int | None, why: str) -> MismatchError:
    """The record is not what the run wrote: here, for the first time."""
    return MismatchError(
        f"{file}: line {line}: {why}" if line else f"{file}: {why}",
        record=f"{file}:{line}" if line else file,
        keys="what this record says of the keys cannot be trusted",
    )


def too_many(folder: Path, name: str) -> MismatchError:
    """A file that was not there when the run ended. `NAME.part` is what a killed process left, and says so."""
    if not name.endswith(".part"):
        return wrong(name, None, "a file too many: it was not there when the run ended")
    error = wrong(name, None, "a temporary file that a killed process left here; it is not part of the record")
    error.keys = "the file says nothing of them; what the record says is checked once the file is gone"
    error.hint = f"remove it, then verify again: `rm {shlex.quote(str(folder / name))}`"
    return error


class CheckedSession:
    """A recording while it is read. After `events` has run out: head, count, complete, and what is not sealed.

    header: its fields; first: its link. count: events before the closing record, or all whole ones where there is
    none. loose: whole events behind the last chain record. torn: whether the last line was never finished.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.header: dict[str, Any] = {}
        self.first = self.head = chain.START
        self.count = 0
        self.complete = self.torn = False
        self._lines = 0
        self._unsealed: list[str] = []
        self._path = folder / name

    @property
    def loose(self) -> int:
        return len(self._unsealed)

    def events(self) -> Iterator[Event]:
        """Each event once a chain record covers it, last the loose ones; MismatchError at the first wrong line."""
        events: list[Event] = []
        for line in whole_lines(self._path, self):
            self._lines += 1
            if self._lines == 1:
                self._begin(line)
                continue
            events.append(self._event(line))
            if not self._unsealed:
                yield from events
                events.clear()
        yield from events

    def wrong(self, why: str, line: int | None = None) -> MismatchError:
        return wrong(self.name, line or self._lines, why)

    def _begin(self, line: bytes) -> None:
        header = self._parsed(line)
        if not isinstance(header, dict) or (header.get("version"), header.get("format")) != (2, chain.TRANSCRIPT):
            raise self.wrong(f"not the header of a {chain.TRANSCRIPT}")
        self.header = header
        self._link("header", line)
        self.first = self.head

    def _event(self, line: bytes) -> Event:
        match self._parsed(line):
            case [int() | float() as at, str() as code, str() as data] if code in CODES and is_time(at):
                event = Event(self._lines, float(at), code, data)
            case _:
                raise self.wrong("not an event")
        if self.complete:
            raise self.wrong("it stands behind the closing record")
        if code == "h":
            self._check(data)
        self._link(code, line)
        if code == "h":
            self._unsealed.clear()
        self.count = self._lines - 1 - self.complete
        return event

    def _parsed(self, line: bytes) -> object:
        try:
            value: object = from_json(line)
            same = chain.event_line(value) == line
        except (ValueError, RecursionError):
            same = False
        if not same:
            raise self.wrong("not as a line is written")
        return value

    def _link(self, kind: str, line: bytes) -> None:
        self.head = chain.link(chain.TRANSCRIPT, kind, self.head, line)
        self._unsealed.append(self.head)

    def _check(self, data: str) -> None:
        """A chain record: what it tells of the lines before it must be what they are."""
        self.complete = data.endswith(f" {chain.END}")
        end = (chain.END,) if self.complete else ()
        if data == chain.record(self._lines - 2, self.head, self._unsealed, *end):
            return
        told = data.split(" ")
        if not (told[0].isascii() and told[0].isdecimal()):
            raise self.wrong("not as a chain record is written")
        raise self.wrong("not what was written here, by the chain record that follows", self._first_other(told))

    def _first_other(self, told: list[str]) -> int:
        """The first line since the last chain record that is not the one that this record tells of."""
        short = told[2 : -1 if told[-1] == chain.END else None]
        start = int(told[0]) + 2 - len(short)  # the number of the line that the first of these is of
        ours = self._lines - len(self._unsealed)
        if start > ours:
            return start - 1  # what stood there closed the lines before it
        pairs = list(zip(short[ours - start :], self._unsealed, strict=False))
        other = (number for number, (one, link) in enumerate(pairs, start=ours) if not link.startswith(one))
        return next(other, ours + len(pairs))


def whole_lines(path: Path, note: CheckedSession | None = None) -> Iterator[bytes]:
    """The lines of a file without their newlines; a last one that has none is noted as torn, and not given."""
    with path.open("rb") as file:
        while line := file.readline(LONGEST):
            if len(line) < LONGEST and not line.endswith(b"\n"):
                if note is not None:
                    note.torn = True
                return
            yield line.removesuffix(b"\n")
