from __future__ import annotations

import base64
import json
import os
import re
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from keyferry.errors import UsageError
from keyferry.recording.reader import Event, Recording, read
from keyferry.sanitize import identifiers
from keyferry.sanitize.replace import Marked, Replacements
from keyferry.sanitize.side_files import side_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from keyferry.sanitize.identifiers import Span

_KEPT = ("version", "width", "height", "format", "timestamp", "started", "step", "tool", "sha256", "run_id", "keyferry")
_CODES = frozenset("oimsvxr")
_BETWEEN = "\n"
_IN_HEADER = {
    "title": identifiers.in_title,
    "host": identifiers.in_whole,
    "user": identifiers.in_whole,
    "path": identifiers.in_path,
}
_OWN_HOSTS = ("source", "destination")  # what this program calls the two sides where no host was named


def sanitize(source: Path, target: Path) -> int:
    """Write a recording anew, and the files that lie beside it for a replay, without what identifies a site.

    Gives how many names were taken out. UsageError where `source` is no recording or `target` is there already. The
    half line that a killed process left at the end is left out.

    Taken out are labels, CKA_IDs, OUIDs, serials, users, hosts, addresses, users' folders, handles, check values,
    moduli and the bytes that are told of certificates: in their places, and, where such a name can only be the
    site's own, wherever else it stands. A name has one alias everywhere, of its length and kind, so that columns
    stay and the recording still replays. Other files beside it become zeros. Header fields and events that are
    not known, hashes that chain the events among them, are left out: what was changed is no evidence.

    Not taken out are times, versions, models, the tool's hash, the run's id; numbers of slots, nodes, users and
    sessions; types, sizes and usages of keys, and how many there are; names of files and other folders; the
    lengths of all names; and a name that stands only where none is known to, so whoever sends it looks first.
    """
    recording, beside = (
        _Parts(_with_plain_echoes(read(source, torn=True))),
        side_files(source.with_suffix(".files.json")),
    )
    renaming = Replacements([*recording.marked(), *(file.marked for file in beside)])
    clean = recording.renamed(renaming)
    lines = [clean.header, *([event.at, event.code, event.data] for event in clean.events)]
    _write(target, "".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in lines))
    if beside:
        files = [file.renamed(renaming.apply(file.marked)) for file in beside]
        _write(target.with_suffix(".files.json"), json.dumps(files, indent=1) + "\n")
    return renaming.count


def _with_plain_echoes(recording: Recording) -> Recording:
    """The recording, what a line editor drew of each line being just the line: drawings hold names in parts."""
    events: list[Event] = []
    drawing = False
    for event in recording.events:
        if event.code == "i":
            drawing = not event.data.endswith("\r")
            events += [event, replace(event, code="o")] if drawing else [event]
        elif not drawing or event.code not in "ob":
            events.append(event)
    return replace(recording, events=tuple(events))


class _Parts:
    """A recording as texts with their names marked: fields of the header, what was typed, and all output as one."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._header = dict(_marked_header(recording.header))
        self._pieces = dict(_output_pieces(recording.events))
        self._typed: dict[int, Marked] = {}
        names: list[Span] = []
        output = "".join(self._pieces.values())
        told = identifiers.in_output(output)
        for number, start, end in self._inputs():
            self._typed[number] = typed = _marked_input(recording.events[number], output, start)
            if typed.spans and (echo := _echo(typed, output, start, end)):
                told = [span for span in told if span[1] <= echo[0] or span[0] >= echo[1]]
                names += ((echo[0] + first, echo[0] + last) for first, last in typed.spans)
        self._output = Marked(output, identifiers.outermost(output, [*names, *told]))

    def marked(self) -> Iterator[Marked]:
        yield from self._header.values()
        yield from self._typed.values()
        yield self._output

    def renamed(self, renaming: Replacements) -> Recording:
        header = {name: value for name, value in self._recording.header.items() if name in _KEPT}
        for name, field in self._header.items():
            text = renaming.apply(field)
            header[name] = text.split(_BETWEEN) if name == "argv" else text
        return Recording(header | {"sanitized": True}, tuple(self._renamed_events(renaming)))

    def _inputs(self) -> Iterator[tuple[int, int, int]]:
        """The number of each event that is no output, and between which places of the output the next one stands."""
        found, place = [], 0
        for number, event in enumerate(self._recording.events):
            if event.code in {"i", "m"}:
                found.append((number, place))
            place += len(self._pieces.get(number, ""))
        for (number, start), (_, end) in pairwise([*found, (-1, place)]):
            yield number, start, end

    def _renamed_events(self, renaming: Replacements) -> Iterator[Event]:
        output, place = renaming.apply(self._output), 0
        for number, event in enumerate(self._recording.events):
            if number in self._pieces:
                end = place + len(self._pieces[number])
                yield from _output_events(event, output[place:end])
                place = end
            elif number in self._typed:
                yield replace(event, data=renaming.apply(self._typed[number]))
            elif event.code in _CODES:
                yield event


def _marked_header(header: dict[str, object]) -> Iterator[tuple[str, Marked]]:
    for name, value in header.items():
        if name == "argv" and isinstance(value, list):
            joined = _BETWEEN.join(map(str, value))
            yield name, Marked(joined, identifiers.in_arguments(joined))
        elif name in _IN_HEADER and isinstance(value, str):
            own = value.rpartition(" on ")[2] in _OWN_HOSTS
            yield name, Marked(value, [] if own else _IN_HEADER[name](value))


def _output_pieces(events: tuple[Event, ...]) -> Iterator[tuple[int, str]]:
    """The text of each output by the number of its event, bytes that are not UTF-8 as they were (PEP 383)."""
    for (number, event), following in zip(enumerate(events), (*events[1:], None), strict=False):
        if event.code == "o":
            exact = following is not None and following.code == "b"
            yield number, _text(base64.b64decode(following.data)) if exact and following else event.data


def _output_events(event: Event, text: str) -> Iterator[Event]:
    data = text.encode("utf-8", "surrogateescape")
    yield replace(event, data=data.decode("utf-8", "replace"))
    if _text(data) != data.decode("utf-8", "replace"):
        yield replace(event, code="b", data=base64.b64encode(data).decode())


def _marked_input(event: Event, output: str, place: int) -> Marked:
    """What was typed when the output had come to this place, or a step's marker."""
    if event.code == "m":
        return Marked(event.data, identifiers.in_step(event.data))
    question = output[output.rfind("\n", 0, place) + 1 : place]
    return Marked(event.data, identifiers.in_line(event.data.removesuffix("\r"), question))


def _echo(typed: Marked, output: str, start: int, end: int) -> Span | None:
    """Where a typed line's echo stands between these places of the output; its names are known from the line."""
    echo = re.compile(re.escape(typed.text.removesuffix("\r")) + r"(?=[\r\n]|\Z)")
    found = echo.search(output, start, end)
    return found.span() if found else None


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _write(path: Path, text: str) -> None:
    try:
        with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(text.encode("utf-8", "replace"))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
