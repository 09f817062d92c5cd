"""Finds the tools in a recording: which was started where, and the lines from there to its end."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from keyferry.errors import UsageError
from keyferry.terminal.screen_row import UnknownSequenceError, drawn
from keyferry.tools.cloudhsm_cli.dialect import PROMPT as CLI_PROMPT
from keyferry.tools.manual import Line, ToolSession
from keyferry.tools.one_shot import prompt_before

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from keyferry.recording.capture import Capture, Raw

_TOOLS = "vtl|cmu|ckdemo|key_mgmt_util|cloudhsm-cli"
_STARTED = re.compile(
    rf"(?P<prompt>[^=]*?[$#>%\u276f]\s*)(?P<command>(?:sudo\s+)?(?:[^\s=]*/)?(?P<tool>{_TOOLS})(?P<words>\s.*)?)"
)
_ENDED = {
    "ckdemo": re.compile(r"Exiting GESC SIMULATION LAB"),
    "key_mgmt_util": re.compile(r"Command:\s+(?:exit|quit)\s*"),
    "cloudhsm-cli": re.compile(rf"{CLI_PROMPT}\s*(?:quit|exit)\s*"),
}
"""What ends a tool that asks for commands; any other ends where the shell comes back."""


def sittings(capture: Capture) -> Iterator[ToolSession]:
    """In their order. UsageError where a line cannot be drawn, so that what stood there is not known."""
    if capture.command is not None:
        tool, *words = capture.command.split()
        draws = tool.rpartition("/")[2] == "cloudhsm-cli"  # of the others an escape sequence is some label's
        lines = [_line(raw, capture.width, draws=draws) for raw in capture.lines]
        yield ToolSession(tool, tuple(words), lines, f"{capture.name}:1")
        return
    yield from _in_a_shell([_line(raw, capture.width) for raw in capture.lines])


def _in_a_shell(lines: Sequence[Line]) -> Iterator[ToolSession]:
    prompts: set[str] = set()
    begun: re.Match[str] | None = None
    place, held = "", list[Line]()
    for line in lines:
        if begun and _goes_on(begun, line.text, prompts):
            held.append(line)
            if (end := _end(begun)) and end.fullmatch(line.text.strip()):
                yield _sitting(begun, held, place)
                begun = None
            continue
        started = _STARTED.fullmatch(line.text.rstrip())
        if begun:
            yield _sitting(begun, _without_typeahead(held, line.text), place)
        begun, place, held = started, line.place, []
        if started:
            prompts.add(started["prompt"])
    if begun:
        yield _sitting(begun, held, place)


def _goes_on(begun: re.Match[str], text: str, prompts: set[str]) -> bool:
    """Whether a line still is the tool's: one that asks for commands has its own end, whatever its lines look like."""
    if _end(begun):
        return True
    return not (prompt_before(text) or any(text.startswith(prompt) for prompt in prompts))


def _end(begun: re.Match[str]) -> re.Pattern[str] | None:
    words = (begun["words"] or "").split()
    single = begun["tool"] == "cloudhsm-cli" and words[:1] != ["interactive"]
    return None if single else _ENDED.get(begun["tool"])


def _without_typeahead(held: list[Line], following: str) -> list[Line]:
    """The lines less one that echoed, before the prompt came back, what then stands behind the prompt."""
    typed = following.removeprefix(prompt_before(following)).strip()
    return held[:-1] if held and typed and held[-1].text.strip() == typed else held


def _sitting(begun: re.Match[str], lines: Sequence[Line], place: str) -> ToolSession:
    return ToolSession(begun["tool"], tuple((begun["words"] or "").split()), lines, place)


def _line(raw: Raw, width: int | None, *, draws: bool = True) -> Line:
    """draws: whether what wrote this may have moved the cursor; else a sequence that is not known stays as it is."""
    data = raw.data.replace(b"\0", b"")
    try:
        text = drawn(data, width)
    except UnknownSequenceError as error:
        if not draws:
            return Line(data.decode("utf-8", "surrogateescape").rstrip(), raw.place, raw.ended)
        raise UsageError(
            f"{raw.place}: an escape sequence that is not known: {error}",
            hint="record in a plain terminal: TERM=dumb, no full-screen programs",
        ) from None
    return Line(text.decode("utf-8", "surrogateescape").rstrip(), raw.place, raw.ended)
