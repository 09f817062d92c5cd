"""Captured screens as `keyferry.parse/1` (contracts.md): what the parsers of vtl, cmu and ckdemo share."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from keyferry.errors import ToolRefusedError
from keyferry.terminal.value_filter import NAMES
from keyferry.tools.lines import clean

if TYPE_CHECKING:
    from collections.abc import Callable

SCHEMA = "keyferry.parse/1"
Json = dict[str, object]

_NAME = "|".join(sorted(name.decode() for name in NAMES))
# A terminal program may have wrapped the value: lines of bare hex behind it are its rest.
_VALUE = re.compile(rf"(?im)((?:^ *|\t *)(?:{_NAME}) *[=:])[^\t\n]*(?:\n[ \t]*[0-9a-f]+[ \t]*$)*")
_VALUE_AFTER_BLANKS = re.compile(r"(?im)(?<= {2})(value=)[^\t\n ]*")
# ckdemo can be told to repeat what is typed, on a line of its own; a tool that switched the echo off too late
# prints its stars on the next line.
_SECRET = re.compile(
    r"(?im)^(?P<prompt>[ \t]*(?:please )?enter (?:the )?(?:pin|password)\b[^:\n]*:)"
    r"[ \t]*(?:(?P<typed>[^\s][^\n]*)(?:\n(?P=typed)(?=\n|\Z))?)?"
    r"(?:\n[ \t]*\*+[ \t]*(?=\n|\Z))?"
)
_ARGUMENT = re.compile(r"(?i)(?<=[\s\"'])(-pass[a-z]*[= ] *)\S+")


def hidden(text: str) -> str:
    """The text with its line ends made one, less key values and secrets that its terminal showed.

    VALUE-NEVER-SHOWN: done before anything is parsed, for an error shows what it was made of.
    """
    text = _VALUE.sub(r"\1", clean(text))
    text = _VALUE_AFTER_BLANKS.sub(r"\1", text)
    return _ARGUMENT.sub(r"\1*", _SECRET.sub(r"\g<prompt>", text))


def judged(read: Callable[[], Json]) -> Json:
    """What every document has, and the fields that `read` gives; the tool's own refusal is `ok: false`."""
    try:
        fields = read()
    except ToolRefusedError as refused:
        return {"ok": False, "error": {"code": refused.code or None, "text": refused.seen or refused.what}}
    return {"ok": True, "error": None, **fields}
