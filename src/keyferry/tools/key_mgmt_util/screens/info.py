"""Answers of commands that tell something and have no result line when they do (as in `screens`)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from keyferry.tools.abilities import Usage
from keyferry.tools.key_mgmt_util.dialect import ATTRIBUTES, words
from keyferry.tools.key_mgmt_util.reply import NUMBER, CommandReply, whole
from keyferry.tools.key_mgmt_util.reply_lines import ReplyLines
from keyferry.tools.lines import lines

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

V = TypeVar("V")

_ATTRIBUTES_HEAD = words(r"(?:The )?following are (?:all of )?the possible attribute values for getAttributes? ?[.:]?")
_ATTRIBUTE = words(rf"OBJ_ATTR_(\w{{1,60}}) ?= ?{NUMBER}")
_DESCRIPTION, _RULER = words(r"Description"), words(r"=+(?: =+)?")
_NAMED_LAST = "KCV"  # on both pages: a list without it was cut short

_MEANING = words(r"Error Code (?:0x)?([0-9a-f]{1,16}) maps to (.+)")

_OTHERS = r"Cfm\d|get_peer|Error|WARNING|(?:HSM|CSP) (?:CLUSTER )?Error|LIQUIDSECURITY|Syntax|Where|Cluster |Node id "
_INFORMATION = words(rf"(?!{_OTHERS})([a-z][\w ()/.#-]{{0,60}}?) ?: ?(.*)")
_PROOF = ("Label", "FIPS state")

_HELP_HEAD = (
    words(r"Help Commands Available ?:"),
    words(r"Syntax ?: ?<command> -h"),
    words(r"Command Description"),
    _RULER,
)
_SYNTAX = re.compile(r"Syntax ?:")
_FLAG = re.compile(r"(?<![\w-])-[A-Za-z]\w*")
_NO_ARGUMENTS = re.compile(r"This command doesn't expect any arguments.*")

_HELP_ROW = words(r"(exit|help) .+")
_HELP_TEXT = words(r"(?!Cfm\d|Node id)[\w ,./():'-]+")  # titles, rows and what rows go on with


@dataclass(frozen=True, slots=True)
class Meaning:
    """What Error2String says of a code. The documentation shows a screen that tells of another than was asked."""

    code: int
    text: str


def attribute_numbers(text: str) -> CommandReply[Mapping[str, int]]:
    """listAttributes: numbers by name, less OBJ_ATTR_; those that are documented are as documented."""
    sheet = ReplyLines("listAttributes", text)
    head, rows = sheet.take_one(_ATTRIBUTES_HEAD), sheet.take(_ATTRIBUTE)
    if head:  # under it the same words as a usage text's
        sheet.take_one(_DESCRIPTION)
        sheet.take_one(_RULER)
    found = _table(sheet, rows, int)
    for name in found.keys() & ATTRIBUTES.keys():
        if found[name] != ATTRIBUTES[name]:
            raise sheet.unknown("another number than is documented", f"{name} = {found[name]}")
    listed = found if head and _NAMED_LAST in found else None
    return whole(sheet, sheet.outcome(silent=listed is not None), listed)


def meaning(text: str) -> CommandReply[Meaning]:
    """Error2String."""
    sheet = ReplyLines("Error2String", text)
    found = sheet.take_one(_MEANING)
    fields = Meaning(int(found[1], 16), found[2]) if found else None
    return whole(sheet, sheet.outcome(silent=fields is not None), fields)


def hsm_info(text: str) -> CommandReply[Mapping[str, str]]:
    """getHSMInfo: values as printed, by name; blanks in a value that stand together count as one."""
    sheet = ReplyLines("getHSMInfo", text)
    found = _table(sheet, sheet.take(_INFORMATION), str)
    told = found if found.keys() >= set(_PROOF) else None
    return whole(sheet, sheet.outcome(silent=told is not None), told)


def help_listing(text: str) -> CommandReply[tuple[str, ...]]:
    """help: the lines under the head, which differ by version; `exit` and `help` are among them."""
    sheet = ReplyLines("help", text)
    head = [sheet.take_one(pattern) for pattern in _HELP_HEAD]
    rows = sheet.take(_HELP_ROW)
    listed = tuple(row.string for row in (*rows, *sheet.take(_HELP_TEXT)))
    fields = listed if all(head) and {row[1] for row in rows} == {"exit", "help"} else None
    return whole(sheet, sheet.outcome(silent=fields is not None), fields)


def usage(verb: str, text: str) -> Usage:
    """Read `<command> -h`: the flags in the command's syntax, or that the tool does not know the command."""
    found = lines(text)
    if any(line.startswith("Help Commands Available") for line in found):
        return Usage(known=False)
    if any(_NO_ARGUMENTS.fullmatch(line) for line in found):
        return Usage(flags=frozenset())
    start = next((place for place, line in enumerate(found) if _SYNTAX.match(line)), None)
    if start is None:
        return Usage()
    end = next((place for place in range(start, len(found)) if found[place].startswith("Where")), None)
    syntax = " ".join(found[start:end]).partition(":")[2]
    understood = end is not None and syntax.split()[:1] == [verb]
    return Usage(flags=frozenset(_FLAG.findall(syntax)) if understood else None)


def _table(sheet: ReplyLines, rows: Sequence[re.Match[str]], value: Callable[[str], V]) -> Mapping[str, V]:
    """What the rows say, by name; UnknownScreenError for a name that is there twice."""
    found: dict[str, V] = {}
    for row in rows:
        if row[1] in found:
            raise sheet.unknown("a name that is there twice: two commands in one text?", row.string)
        found[row[1]] = value(row[2])
    return MappingProxyType(found)
