from __future__ import annotations

import re
from dataclasses import dataclass

WINDOW = 600
"""Bytes at the end of an answer in which a prompt is searched for. The longest prompt has four lines."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a tool can ask next.

    A prompt counts only at the start of a line and at the very end of what has come, so that a label which
    holds its words ends no answer. pattern: of the words, a bytes regex. fatal: the tool asks again for
    something it did not take (reliability, fact 8): an error, never answered again. settle: for a screen
    that ends without a prompt: the pattern may stand anywhere, and the screen counts as whole when nothing
    has come for this many seconds. anywhere: the pattern need not begin a line.
    """

    name: str
    pattern: bytes
    fatal: bool = False
    settle: float | None = None
    anywhere: bool = False

    @classmethod
    def ending_with(cls, name: str, text: str, length: int) -> Prompt:
        """A prompt for a screen seen before that ends without one: its own last characters."""
        data = text.encode("utf-8", "surrogateescape")[-length:]
        return cls(name, re.escape(data), anywhere=True)

    def ends(self, line: str) -> bool:
        """Whether a recorded line, without its newline, ends with this prompt."""
        shown = b"\n" + line.encode("utf-8", "surrogateescape")
        return self.compiled().search(shown[-WINDOW:]) is not None

    def compiled(self) -> re.Pattern[bytes]:
        if self.settle is not None:
            return re.compile(self.pattern)
        if self.anywhere:
            return re.compile(self.pattern + rb"\Z")
        return re.compile(rb"[\r\n\0][ \t]*(?:" + self.pattern + rb")\Z")


@dataclass(frozen=True, slots=True)
class InputLimits:
    """What a tool can take and how it takes it. longest: bytes of a line that it does not cut.

    edits_lines: the tool has a line editor, which echoes by itself: it may draw the line again and again, with
    escape sequences and hints, so return is pressed only when the line is seen to stand.
    """

    longest_line: int = 4094  # the kernel's canonical mode cuts at 4,095 with the newline
    longest_secret: int = 4094
    comment: str = ""  # an answer that begins so is thrown away by the tool
    highest_slot: int | None = None
    edits_lines: bool = False

    def objection(self, line: str) -> str | None:
        """Return why the tool could not take the line as it is, or None."""
        if any(char < " " or char == "\x7f" for char in line):
            return "contains control characters"
        if len(line.encode("utf-8", "surrogateescape")) > self.longest_line:
            return f"is cut after {self.longest_line}"
        if self.comment and line.lstrip().startswith(self.comment):
            return f"begins with {self.comment}, which is read as a comment"
        return None

    @property
    def enter(self) -> bytes:
        """What the return key sends. An editor waits for that; other tools have the terminal make a newline of it."""
        return b"\r" if self.edits_lines else b"\n"


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer, whole: the text up to the prompt, the prompt's name and its own words."""

    text: str
    prompt: str
    question: str = ""


ENDED = "(ended)"
"""The prompt name of an answer that the tool ended by ending itself."""
