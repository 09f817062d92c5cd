"""Where in the tools' conversations stands what identifies a site (reference/*.md, both generations and all dialects).

A place is known by what the tool prints or takes around it; a few more forms than the documented ones fit, for
these recordings come from versions that are not known. A span is (start, end) in the text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

Span = tuple[int, int]

_START = r"(?:^|(?<=[\r\n\0]))[ \t]*"
_COLUMN = r"(?:^|(?<=[\r\n\0\t ]))"
_LINE = r"(?P<x>\S[^\r\n\0]*)"
_ENDS = r"[ \t]*(?:->|[:=])[ \t]*"
# A label may hold anything, so it ends with the line, or where `list -display` goes on with a column that is known.
_COLUMNS = "index|handle|ouid|class|keytype|value|private|token|id|modifiable|modulus|publicexponent"
_LABEL = rf"(?P<x>(?:(?!\t(?:{_COLUMNS})=)[^\r\n\0])*)"
_BYTES = "application|id|ouid|subject|issuer|serial_?number|fingerprint(?:_sha1)?|ec_?point|kcv|check_?value"
_MODULUS = r"(?:0x)?(?P<x>[0-9a-f]+(?:\s*\n[ \t]*[0-9a-f]{2,}(?=[ \t\r]*(?:\n|\Z)))*)"
_OCTET = r"(?:0|[1-9]\d{0,2})"


def _compiled(*patterns: str) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern, re.MULTILINE | re.IGNORECASE | re.ASCII) for pattern in patterns)


_ANYWHERE = _compiled(
    r"(?:/home/|/Users/|\\Users\\)(?P<x>[^/\\\s:'\"]+)",
    rf"(?<![\w.])(?<!version: )(?<!v)(?P<x>{_OCTET}(?:\.{_OCTET}){{3}})(?![\w.])",
    r"(?<!\w)(?:cluster|hsm|eni|vpc|subnet)-(?!coverage)(?P<x>[0-9a-z]{8,17})(?![\w-])",
)
_OUTPUT = _compiled(
    # labels, and what else is told as `name=value` or on the line after an attribute's name
    rf"{_COLUMN}(?:cka_)?label={_LABEL}",
    rf"--[ \t]+label:{_LABEL}",
    rf"{_COLUMN}(?:cka_)?(?:{_BYTES})=(?:0x)?(?P<x>[^\t\r\n\0]*)",
    rf"{_COLUMN}(?:cka_)?modulus={_MODULUS}",
    r"OBJ_ATTR_(?:LABEL|ID|KCV)[ \t]*\r*\n[ \t]*(?:0x)?(?P<x>[^\r\n]*)",
    rf"OBJ_ATTR_MODULUS[ \t]*\r*\n[ \t]*{_MODULUS}",
    # tokens, partitions, hosts
    rf"{_START}(?:\[ *\d+ *\][ \t]*)?(?:\w+[ \t]+){{0,2}}label{_ENDS}{_LINE}",
    rf"{_START}(?:\w+[ \t]+){{0,2}}serial(?:[ \t]*(?:number|no\.?|#))?{_ENDS}{_LINE}",
    rf"{_START}(?:New )?server:?[ \t]+(?P<x>[\w.:-]*[.\d][\w.:-]*)",
    r"(?:(?<=\x1b\[K)|(?<![\w.-])(?<!\x1b\[))(?P<x>[\w.-]+)@[\w.-]+",  # a line editor clears the row before its prompt
    r"(?<=\w@)(?!cluster-[0-9a-z]+ ?>)(?P<x>[\w.-]+)",
    # users
    rf"{_START}\d+[ \t]+\d+[ \t]+[A-Z]{{2,6}}[ \t]+(?P<x>\S[^\r\n]*?)[ \t]+(?:YES|NO)[ \t]+\d+",
    # handles and check values
    r"(?<![A-Z_])handle[ \t]*[=(:#]?[ \t]*(?P<x>\d+)",
    r"(?:generated[ \t][\w \t]{0,30}key:|unwrapped key is)[ \t]*(?P<x>\d+)",
    rf"{_START}(?P<x>\d+) is not a symmetric key",
    rf"(?<!\w)(?:kcv|check value){_ENDS}(?:0x)?(?P<x>[0-9a-f]{{4,16}})(?!\w)",
    r"digest is:[ \t]*\(hex\)(?P<x>[0-9a-f]+)",
    # JSON of cloudhsm-cli
    r'"(?:label|username|serial-number)": "(?P<x>(?:[^"\\\r\n]|\\.)*)"',
    r'"(?:key-reference|id|check-value|modulus|ec-point)": "(?:0x)?(?P<x>[^"\r\n]*)"',
)
_COMMAND = _compiled(
    r"(?:^|(?<=\s))-(?:l|id|kcv)\s+(?P<x>\S+)",
    r"(?:^|(?<=\s))-(?:k|w|o)\s+(?P<x>\d+)(?!\S)",
    r"(?:^|(?<=\s))loginHSM\s(?:.*\s)?-s\s+(?P<x>\S+)",
    r"(?:^|(?<=\s))--(?:username|label|(?:public|private)-label|share-crypto-users)[ =]+(?P<x>\S+)",
    r"(?:^|(?<=\s))(?:attr\.label=(?P<x>\S+))",
    r"(?:^|(?<=\s))(?:key-reference|(?:attr\.)?(?:id|check-value|modulus))=(?:0x)?(?P<x>[0-9a-f]+)",
)
_ARGUMENTS = _compiled(
    r"^-(?:label\w*|id|ouid|serial\w*|password)[=\n](?P<x>[^\n]*)",
    r"^-(?:CN|O|OU|L|S|ST|C|E)=(?P<x>[^\n]*)",
    r"^-\w*handle[=\n](?P<x>\d+)",
)
_STEP = _compiled(r"^\d[\d.]* [^:]*: (?!which may leave$|\(handle \d+\)$)(?P<x>.+)", r"^\d.*: \(handle (?P<x>\d+)\)$")
_TITLE = _compiled(r" on (?P<x>.+)")

# Rows of tables, which a row alone does not tell
_HANDLES = re.compile(
    r"(?:Handles of matching keys[ \t]*:?|start index[ \t]*:?[ \t]*\d+[ \t]*::[ \t]*\d+)(?P<x>[\s\d,]*)", re.IGNORECASE
)
_HANDLERS = re.compile(r"Handler[ \t]+Label[ \t]*\r*\n(?P<x>(?:[ \t]*\d+[ \t]+[^\r\n]*\r*\n)+)", re.IGNORECASE)
_HANDLER = re.compile(r"^[ \t]*(\d+)[ \t]+([^\r\n]+)", re.MULTILINE)
_SLOT = re.compile(
    rf"{_START}(?:slot[ \t]*#[ \t]*)?\d+[ \t]+(?P<middle>\S[^\r\n]*?)[ \t]+"
    r"(?P<serial>\S+)[ \t]+(?:Not )?present[ \t]*\r*$",
    re.MULTILINE | re.IGNORECASE,
)
_SLOT_LABELS = (
    re.compile(r"(?:[^\s-]\S* ){1,4}?Slot\s+(?P<x>.+)"),
    re.compile(r".*?(?:\t\s*|\s{2,})(?P<x>\S.*)"),
    re.compile(r"(?P<x>.+)"),
)
_VERIFIED = re.compile(rf"{_START}(?:\d{{1,3}}|-)[ \t]+(\d{{5,16}})[ \t]+(\S[^\r\n]*)", re.MULTILINE)

_ASKS_HANDLE = re.compile(
    r"\bhandler?\b|\bobject do you\b|\bkey to (?:use|wrap|digest)\b|-1 to list", re.IGNORECASE | re.ASCII
)
_ASKS_TEXT = re.compile(r"Enter string value", re.IGNORECASE)


def in_output(text: str) -> list[Span]:
    """Of all that a tool printed, echoes left out."""
    found = [*_matches(_OUTPUT, text), *_matches(_ANYWHERE, text), *_rows(text)]
    return outermost(text, found)


def in_line(line: str, question: str) -> list[Span]:
    """Of a typed line; question: the end of the last line printed before it."""
    if _ASKS_TEXT.search(question):
        return outermost(line, [(0, len(line))])
    found = [*_matches(_COMMAND, line), *_matches(_ANYWHERE, line)]
    if line.strip().isdecimal() and _ASKS_HANDLE.search(question):
        found.append((0, len(line)))
    return outermost(line, found)


def in_arguments(joined: str) -> list[Span]:
    """Of an argument vector, joined by newlines."""
    return outermost(joined, [*_matches((*_ARGUMENTS, *_COMMAND, *_ANYWHERE), joined)])


def in_step(text: str) -> list[Span]:
    """Of a step's marker: the key that it is about."""
    return outermost(text, [*_matches(_STEP, text)])


def in_title(text: str) -> list[Span]:
    return outermost(text, [*_matches(_TITLE, text)])


def in_whole(text: str) -> list[Span]:
    return outermost(text, [(0, len(text))])


def in_path(text: str) -> list[Span]:
    return outermost(text, [*_matches(_ANYWHERE, text)])


def _matches(patterns: tuple[re.Pattern[str], ...], text: str) -> Iterator[Span]:
    for pattern in patterns:
        for match in pattern.finditer(text):
            yield match.span("x")


def _rows(text: str) -> Iterator[Span]:
    for block in _HANDLES.finditer(text):
        for number in re.compile(r"\d+").finditer(text, *block.span("x")):
            yield number.span()
    for block in _HANDLERS.finditer(text):
        for row in _HANDLER.finditer(text, *block.span("x")):
            yield from (row.span(1), row.span(2))
    for row in _VERIFIED.finditer(text):
        yield from (row.span(1), row.span(2))
    for row in _SLOT.finditer(text):
        yield row.span("serial")
        for pattern in _SLOT_LABELS:
            if label := pattern.fullmatch(text, *row.span("middle")):
                yield label.span("x")
                break


def outermost(text: str, found: list[Span]) -> list[Span]:
    """The spans in order without blanks around, none empty and none inside another."""
    outermost: list[Span] = []
    for start, end in sorted((_stripped(text, span) for span in found), key=lambda span: (span[0], -span[1])):
        if start < end and (not outermost or start >= outermost[-1][1]):
            outermost.append((start, end))
    return outermost


def _stripped(text: str, span: Span) -> Span:
    start, end = span
    while start < end and text[end - 1] in _BLANKS:
        end -= 1
    while start < end and text[start] in _BLANKS:
        start += 1
    return start, end


_BLANKS = " \t\r\n"
