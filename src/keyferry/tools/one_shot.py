"""What vtl and cmu share: one process for each call, its text perhaps captured from a shell."""

from __future__ import annotations

import re

from keyferry.terminal.prompts import ENDED, Prompt
from keyferry.tools.lines import clean

NOTHING_MORE = Prompt(ENDED, b"")
"""The answer of a tool that does one thing and ends."""

PROMPT = re.compile(r"(?:\[[^\]]*\]|[\w.-]+@[\w.-]+(?::\S*)?|\w*sh-[\d.]+|[A-Za-z]:\\[^<>|=]*|[\w.~/-]*) ?[$#>%]\s*")


def prompt_before(line: str) -> str:
    """The shell's prompt that a line begins with, or ""."""
    found = PROMPT.match(line)
    return found.group() if found else ""


def screen(tool: str, text: str) -> list[str]:
    """The lines that the tool itself printed, those without text left out; blanks around others stay.

    The echoed command may stand first, and a shell's prompt at the very end.
    """
    found = [line for line in clean(text).split("\n") if line.strip()]
    if found and PROMPT.fullmatch(found[-1].strip()):
        del found[-1]
    return found[1:] if found and echoed(tool, found[0]) else found


def without_prompt(line: str) -> str:
    """A line that a tool printed without its end, less the shell's prompt behind it."""
    return re.sub(r"(?<=[\w.])\[[^\]\n]{1,80}\] ?[$#>%]\s*\Z", "", line)


def echoed(tool: str, line: str) -> bool:
    """Whether a line is the command that started the tool, as a shell shows it: behind a prompt, by a path or not."""
    found = re.search(rf"(?<![\w.-]){re.escape(tool)}(?:\.exe)? +[-\"]?[A-Za-z]", line, re.IGNORECASE)
    if found is None or "=" in (before := line[: found.start()]):
        return False
    if before.endswith(("/", "\\")):
        before = before.removesuffix(before.split()[-1])
    before = before.strip().removesuffix("sudo").rstrip()
    return not before or before[-1] in "$#>%"
