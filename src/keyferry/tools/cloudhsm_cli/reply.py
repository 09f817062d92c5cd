"""The JSON answer in what a command printed: found, judged whole, or an error that shows the text."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from keyferry.errors import ToolRefusedError
from keyferry.text import last_lines, printable
from keyferry.text import value as shown
from keyferry.tools.cloudhsm_cli.dialect import PROMPT, TOOL
from keyferry.tools.lines import clean, unknown
from keyferry.tools.one_shot import PROMPT as SHELL
from keyferry.tools.one_shot import echoed

if TYPE_CHECKING:
    from collections.abc import Mapping

_BEGIN = re.compile(r"(?m)^[ \t]*(?P<brace>\{)")
_ECHO = re.compile(rf"(?m)^[ \t]*{PROMPT}[ \t]*(?P<command>\S[^\n]*)")
_MARK = '"error_code"'
_AROUND = re.compile(
    rf"{PROMPT}.*|--.*|(?:Enter|Confirm) password: *\**|\**"  # what was asked and typed
    r"|Enter (?:signed token|public key PEM) file path[^:]*:.*"
    r"|thread '.*' panicked at .*|note: .*|Error writing to log file\..*|.*\b(?:TRACE|DEBUG|INFO|WARN|ERROR)\b.*"
)
"""Lines that may stand around an answer: without a log that it can write, the tool logs to the terminal."""


class _RepeatedError(ValueError):
    """A name stands twice in one JSON object."""


def data(verb: str, text: str) -> Any:  # noqa: ANN401 - JSON
    """`data` of the one answer in the text; ToolRefusedError where it is an error.

    Log lines may stand around the answer. The last balanced object counts, and it must be the only answer: else
    UnknownScreenError.
    """
    text = clean(text)
    _check_one_command(verb, text)
    answer = _last_object(verb, text)
    if answer.keys() != {"error_code", "data"} or text.count(_MARK) != 1:
        raise unknown(TOOL, verb, "not one answer with `error_code` and `data`", text)
    code, value = answer["error_code"], answer["data"]
    if type(code) is not int or (code and not isinstance(value, str)):
        raise unknown(TOOL, verb, f"error_code {shown(code)} with data that does not fit it", text)
    if code:
        what = f"{verb} was refused: {printable(value)}"
        raise ToolRefusedError(what, code=str(code), tool=TOOL, seen=last_lines(text), text=value)
    return value


def _check_one_command(verb: str, text: str) -> None:
    echoed = [" ".join(match["command"].split()) for match in _ECHO.finditer(text)]
    if len(echoed) > 1:
        raise unknown(TOOL, verb, "two commands in one text", echoed[1])
    if echoed and not f"{echoed[0]} ".startswith(f"{verb} "):
        raise unknown(TOOL, verb, "the answer of another command", echoed[0])


def _last_object(verb: str, text: str) -> Mapping[str, Any]:
    decoder = json.JSONDecoder(object_pairs_hook=_once)
    found: Mapping[str, Any] | None = None
    place, around = 0, ""
    while match := _BEGIN.search(text, place):
        around += text[place : match.start()]
        try:
            found, place = decoder.raw_decode(text, match.start("brace"))
        except _RepeatedError as error:
            raise unknown(TOOL, verb, str(error), text) from None
        except (ValueError, RecursionError):
            raise unknown(TOOL, verb, "an answer that is cut short, or no JSON", text[match.start() :]) from None
    if found is None:
        raise unknown(TOOL, verb, "no answer", text)
    *after, last = text[place:].rstrip().split("\n")  # a single command leaves the shell's prompt
    for line in [*around.split("\n"), *after, *([] if after and SHELL.fullmatch(last.strip()) else [last])]:
        if not (_AROUND.fullmatch(line.strip()) or echoed(TOOL, line)):
            raise unknown(TOOL, verb, "a line that is not known", line)
    return found


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _RepeatedError("a name stands twice in one object")
    return found
