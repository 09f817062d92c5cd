from __future__ import annotations

from typing import TYPE_CHECKING

from keyferry.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keyferry.transcript.reader import Recording

HEADER_FIELDS = ("tool", "host", "path", "sha256", "run_id", "started", "user")


def render(recording: Recording) -> Iterator[str]:
    """A recording as lines for a person: steps as headings, and nothing that moves a cursor."""
    for name in HEADER_FIELDS:
        if name in recording.header:
            yield f"# {name}: {printable(str(recording.header[name]))}"
    screen = ""
    for event in recording.events:
        if event.code == "o":
            *lines, screen = (screen + event.data.replace("\r", "")).split("\n")
            yield from map(printable, lines)
        elif event.code == "m":
            if screen:
                yield printable(screen)
                screen = ""
            yield f"\n== {printable(event.data)}"
        elif event.code in _NOTES:
            screen += _NOTES[event.code].format(printable(event.data))
    if screen:
        yield printable(screen)


# An `i` needs no note: a tool's terminal shows it, as it did to the operator.
_NOTES = {"s": "[typed: {}]", "v": "[cut: {}]", "x": "[exit status {}]"}
