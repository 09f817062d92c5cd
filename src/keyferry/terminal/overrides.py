"""What one site's client words otherwise than the reference has it: prompts to hear, flags to type."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from keyferry.terminal.prompts import ENDED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from keyferry.terminal.prompts import Prompt


@dataclass(frozen=True, slots=True)
class Overrides:
    """Of one tool. prompts: the site's words by a prompt's name; flags: the site's flag by the documented one."""

    prompts: Mapping[str, str] = field(default_factory=dict)
    flags: Mapping[str, str] = field(default_factory=dict)

    def prompt(self, prompt: Prompt) -> Prompt:
        """The prompt as this site's client asks it. A number (of a slot) and a colon may follow the words."""
        words = self.prompts.get(prompt.name)
        if words is None:
            return prompt
        blanks = rb"[ \t]+".join(re.escape(word.encode()) for word in words.split())
        return replace(prompt, pattern=blanks + rb"[ \t]*\d*[ \t]*:?[ \t]*")

    def name(self, prompt: Prompt) -> str:
        """The words that are waited for, as a message names them: those that the site set, if it did."""
        return "its end" if prompt.name == ENDED else self.prompts.get(prompt.name, prompt.name)

    def argument(self, argument: str) -> str:
        """An argument of the command line: `-flag` or `-flag=value`."""
        flag, equals, value = argument.partition("=")
        return f"{self.flags.get(flag, flag)}{equals}{value}"

    def line(self, line: str) -> str:
        """A line to be typed: its words are flags and values, one blank between them."""
        return " ".join(self.flags.get(word, word) for word in line.split(" ")) if self.flags else line
