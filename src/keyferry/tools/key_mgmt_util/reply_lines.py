from __future__ import annotations

import re
from typing import TYPE_CHECKING

from keyferry.tools.key_mgmt_util.dialect import TOOL, words
from keyferry.tools.key_mgmt_util.result import Outcome, judge
from keyferry.tools.lines import lines, unknown, without_stars
from keyferry.tools.one_shot import PROMPT

if TYPE_CHECKING:
    from keyferry.errors import UnknownScreenError

INITIALIZED = words(r"Cfm\dInitialize\(\) returned app id ?: ?([0-9a-f]{8})")
SESSION = words(r"session_handle ([0-9a-f]{1,16})")
FIPS = words(r"Current FIPS mode is ?: ?([0-9a-f]{8})")
LISTING = words(r"Help Commands Available ?:")

_PROMPT = re.compile(r"Command:(?: (?P<typed>.+))?")
_PASSWORD = words(r"Enter password ?:.*")
_ASKED = words(r"Enter password ?:.*|This attribute is defined as .+")  # on the prompt's line where nothing is echoed


class ReplyLines:
    """One answer as lines without what a terminal capture has around it. Fields are taken off one by one.

    Lines are stripped and not empty, blanks and tabs in them are one blank each. UnknownScreenError where
    more than one command is in the text.
    """

    def __init__(self, verb: str, text: str) -> None:
        self.verb = verb
        found = [" ".join(line.split()) for line in lines(text)]
        self._unended = found[-1:] if text and not text[-1].isspace() else []
        self._rest = self._body(found)

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

    def take_repeated(self, pattern: re.Pattern[str]) -> list[re.Match[str]]:
        """Take off the equal lines of this form: a partial success prints its handle line twice.

        Raises:
            UnknownScreenError: two lines of this form differ.
        """
        found = self.take(pattern)
        for match in found[1:]:
            if match.groups() != found[0].groups():
                raise self.unknown("two different lines that name a handle", match.string)
        return found

    def require_ended(self, found: re.Match[str]) -> None:
        """UnknownScreenError for a line that the text breaks off in: the number at its end may go on."""
        if found.string in self._unended:
            raise self.unknown("cut short: nothing behind", found.string)

    def take_alone(self, pattern: re.Pattern[str]) -> list[re.Match[str]] | None:
        """All lines, taken off, if there are any and all have this form."""
        found = [pattern.fullmatch(line) for line in self._rest]
        return self.take(pattern) if found and all(found) else None

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

    def _body(self, found: list[str]) -> list[str]:
        if found and PROMPT.fullmatch(found[-1]):  # a single command, or a start that failed, ends in the shell
            del found[-1]
        found = self._without_echo(self._without_start(_trimmed(found)))
        if self.verb == "loginHSM" and found and _PASSWORD.fullmatch(found[0]):
            return without_stars(found[1:])
        return found

    def _without_start(self, found: list[str]) -> list[str]:
        """A capture may begin with the tool's start, and `singlecmd` with a login besides."""
        prompt = next((place for place, line in enumerate(found) if _PROMPT.fullmatch(line)), None)
        if self.verb == "startup" or (prompt is None and self.verb != "loginHSM"):
            return found
        start = next((at for at, line in enumerate(found[:prompt]) if INITIALIZED.fullmatch(line)), None)
        if start is None:
            return found
        for pattern, line in zip((SESSION, FIPS), found[start + 1 : start + 3], strict=False):
            if not pattern.fullmatch(line):
                raise self.unknown("not the start of the tool", line)
        said = found[start + 3 : prompt]
        if prompt is None:
            return said
        if said and not LISTING.fullmatch(said[0]) and judge("loginHSM", said).refused:
            raise self.unknown("a command after a login that failed", found[prompt])
        return _trimmed(found[prompt:])

    def _without_echo(self, found: list[str]) -> list[str]:
        first = found[0] if found else ""
        prompt = _PROMPT.fullmatch(first)
        typed = (prompt and prompt["typed"]) or first
        echoed = typed.split()[:1] == [self.verb]
        asked = prompt is not None and _ASKED.fullmatch(typed)
        if prompt and not echoed and not asked:
            raise self.unknown("the answer to another command", first)
        for line in found[1:]:
            if _PROMPT.fullmatch(line):
                why, shown = ("a second command in one text", line) if prompt or echoed else ("no answer", first)
                raise self.unknown(why, shown)
        return found[1:] if echoed else [typed, *found[1:]] if asked else found


def _trimmed(found: list[str]) -> list[str]:
    """Without the prompts around."""
    said = [place for place, line in enumerate(found) if line != "Command:"]
    return found[said[0] : said[-1] + 1] if said else []
