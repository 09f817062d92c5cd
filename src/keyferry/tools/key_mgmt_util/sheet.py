from __future__ import annotations

import re
from typing import TYPE_CHECKING

from keyferry.tools.key_mgmt_util.dialect import TOOL, words
from keyferry.tools.key_mgmt_util.outcome import Outcome, judge
from keyferry.tools.text import lines, unknown, without_stars

if TYPE_CHECKING:
    from keyferry.errors import UnknownScreenError

_PROMPT = re.compile(r"Command:(?: (?P<typed>.+))?")
_PASSWORD = words(r"Enter password ?: ?\**")
_STARTED = words(r"Cfm\dInitialize\(\) returned app id ?: ?[0-9a-f]{8}")


class Sheet:
    """One answer as lines without what a terminal capture has around it. Fields are taken off one by one.

    Lines are stripped and not empty, blanks and tabs in them are one blank each. UnknownScreenError where
    more than one command is in the text.
    """

    def __init__(self, verb: str, text: str) -> None:
        self.verb = verb
        self._rest = self._without_prompts([" ".join(line.split()) for line in lines(text)])

    def take(self, pattern: re.Pattern[str]) -> list[re.Match[str]]:
        """All lines that have this form, taken off."""
        found = [pattern.fullmatch(line) for line in self._rest]
        self._rest = [line for line, match in zip(self._rest, found, strict=True) if not match]
        return [match for match in found if match]

    def take_one(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """The line that has this form, taken off; more than one such line is an error."""
        found = self.take(pattern)
        if len(found) > 1:
            raise self.unknown("a field that is there twice: two commands in one text?", found[1].string)
        return found[0] if found else None

    def keep_between(self, first: re.Pattern[str], beyond: re.Pattern[str]) -> None:
        """Leave out what stands before the first line of one form, and all from one of the other form on."""
        start = self._place(first) or 0
        self._rest = self._rest[start : self._place(beyond)]

    def outcome(self, *, silent: bool = False) -> Outcome:
        """What the lines that are left say."""
        return judge(self.verb, self._rest, silent=silent)

    def unknown(self, why: str, line: str = "") -> UnknownScreenError:
        return unknown(TOOL, self.verb, why, line)

    def _place(self, pattern: re.Pattern[str]) -> int | None:
        return next((place for place, line in enumerate(self._rest) if pattern.fullmatch(line)), None)

    def _without_prompts(self, found: list[str]) -> list[str]:
        said = [place for place, line in enumerate(found) if line != "Command:"]
        found = found[said[0] : said[-1] + 1] if said else []
        found = self._without_echo(found)
        for line in found:
            if _PROMPT.fullmatch(line):
                raise self.unknown("a second command in one text", line)
        return self._without_password(found)

    def _without_echo(self, found: list[str]) -> list[str]:
        for place, line in enumerate(found):
            match = _PROMPT.fullmatch(line)
            if match and match["typed"]:
                if match["typed"].split()[0] != self.verb:
                    raise self.unknown("the answer to another command", line)
                self._check_start(found[:place])
                return found[place + 1 :]
        echoed = bool(found) and found[0].split()[0] == self.verb
        return found[1:] if echoed else found

    def _check_start(self, found: list[str]) -> None:
        """Before the command of a capture can only stand the tool's start, free text for the most part."""
        if found and not any(_STARTED.fullmatch(line) for line in found):
            raise self.unknown("a line before the command", found[0])

    def _without_password(self, found: list[str]) -> list[str]:
        if self.verb == "loginHSM" and found and _PASSWORD.fullmatch(found[0]):
            return without_stars(found[1:])
        return found
