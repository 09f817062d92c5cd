from __future__ import annotations

from typing import TYPE_CHECKING

from keyferry.errors import UsageError
from keyferry.recording.files_read import file_read
from keyferry.steps import split, within
from keyferry.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keyferry.recording.reader import Event, Recording

HEADER_FIELDS = ("tool", "host", "path", "sha256", "run_id", "started", "user")


def heading(recording: Recording) -> Iterator[str]:
    """What a recording says of itself, as lines."""
    for name in HEADER_FIELDS:
        if name in recording.header:
            yield f"# {name}: {printable(str(recording.header[name]))}\n"


def pieces(recording: Recording, step: str | None = None) -> Iterator[tuple[float, str]]:
    """The conversation as text for a person, piece by piece with its time: steps as headings, and nothing that
    moves a cursor but the ends of lines. step: this step and its parts only; UsageError where there is none of it.
    """
    fresh, shown = True, False
    for event in _of_step(recording, step):
        text = _text(event)
        if event.code == "m" and not fresh:
            text = "\n" + text
        if text:
            shown, fresh = True, text.endswith("\n")
            yield event.at, text
    if step is not None and not shown:
        known = dict.fromkeys(split(event.data)[0] for event in recording.events if event.code == "m")
        raise UsageError(f"nothing was typed in step {step} in this recording", hint=f"it has {', '.join(known)}")
    if not fresh:
        yield recording.events[-1].at, "\n"


def _of_step(recording: Recording, step: str | None) -> Iterator[Event]:
    here = str(recording.header.get("step", "0"))
    for event in recording.events:
        if event.code == "m":
            here = split(event.data)[0]
        if step is None or within(here, step):
            yield event


def _text(event: Event) -> str:
    if event.code == "o":
        return "\n".join(map(printable, event.data.replace("\r", "").split("\n")))
    if event.code == "f":
        return _file(event.data)
    return _NOTES[event.code].format(printable(event.data)) if event.code in _NOTES else ""


def _file(text: str) -> str:
    try:
        found = file_read(text)
    except (ValueError, RecursionError):
        return "[file read: not recorded as a file is]"
    return printable(f"[file read: {found.name}, {found.size} bytes]")


# An `i` needs no note: a tool's terminal shows it, as it did to the operator.
_NOTES = {"m": "\n== {}\n", "s": "[typed: {}]", "v": "[cut: {}]", "x": "[exit status {}]"}
