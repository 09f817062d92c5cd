"""What vtl and cmu share: one process for each call, its text perhaps captured from a shell."""

from __future__ import annotations

import re

from keyferry.terminal.prompts import ENDED, Prompt
from keyferry.tools.text import clean

NOTHING_MORE = Prompt(ENDED, b"")
"""The answer of a tool that does one thing and ends."""

_BEFORE = r"(?:[^=]*[$#>%] ?)?(?:\S*[/\\])?"
_AFTER = r"(?:\.exe)? +[-\"]?[A-Za-z].*"
_PROMPT = re.compile(r"(?:\[[^\]]*\]|[\w.-]+@[\w.-]+(?::\S*)?|\w*sh-[\d.]+|[A-Za-z]:\\[^<>|=]*|[\w.~/-]*) ?[$#>%]\s*")


def screen(tool: str, text: str) -> list[str]:
    """The lines that the tool itself printed, those without text left out; blanks around others stay.

    The echoed command may stand first, and a shell's prompt at the very end.
    """
    *found, rest = clean(text).split("\n")
    if not _PROMPT.fullmatch(rest):
        found.append(rest)
    found = [line for line in found if line.strip()]
    command = re.compile(_BEFORE + re.escape(tool) + _AFTER, re.IGNORECASE)
    return found[1:] if found and command.fullmatch(found[0].strip()) else found
