from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from keyferry.steps import split

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keyferry.recording.reader import Event, Recording


@dataclass(frozen=True, slots=True)
class Turn:
    """One thing that was said to a tool, and its answer.

    key: whose step it is, None for a step of no single key. at, until: seconds since the session's start. first,
    last: lines of the file. question: the prompt that it answers. typed: for a secret its name in brackets.
    """

    step: str
    title: str
    key: str | None
    at: float
    until: float
    first: int
    last: int
    question: str
    typed: str
    answer: str


def turns(recording: Recording) -> Iterator[Turn]:
    """A session as turns; the first is the program's start with its arguments."""
    argv = recording.header.get("argv")
    start = shlex.join(map(str, argv)) if isinstance(argv, list) else str(recording.header.get("title", ""))
    now, answer = Turn(str(recording.header.get("step", "0")), "", None, 0.0, 0.0, 1, 1, "", start, ""), ""
    step = now.step, now.title, now.key
    returned = True
    for event in recording.events:
        if event.code in {"i", "s"} and (returned or event.data != "\r"):
            yield replace(now, answer=answer)
            question, answer = _MOVES.sub("", answer.rpartition("\n")[2]), ""
            now = Turn(*step, event.at, event.at, event.line, event.line, question, _typed(event), "")
            returned = event.code == "s" or event.data.endswith("\r")
        elif event.code in {"i", "s"}:
            returned = True  # a line editor was shown the line first, and now the return key
        elif event.code == "m":
            step = split(event.data)
        elif event.code in _ANSWERS and not event.data.startswith(_CURSOR_ASKED):
            answer += _ANSWERS[event.code].format(event.data.replace("\r", ""))
            now = replace(now, last=event.line, until=event.at)
    yield replace(now, answer=answer)


_MOVES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")  # of a line editor's cursor
_CURSOR_ASKED = "CURSOR-ASKED "  # between a line editor and its terminal; nothing that was said or answered
_ANSWERS = {"o": "{}", "v": "[cut: {}]", "x": "[exit status {}]"}


def _typed(event: Event) -> str:
    return f"[{event.data}]" if event.code == "s" else event.data.removesuffix("\r")
