"""cmu's screens (reference/cmu.md), each a pure function that fails closed.

All raise ToolRefusedError for the tool's own refusal and UnknownScreenError for a line they do not know.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from keyferry.errors import KeyferryError, ToolRefusedError
from keyferry.pkcs11 import SourceHandle
from keyferry.text import last_lines
from keyferry.tools.cmu import dialect
from keyferry.tools.lines import clean, unknown
from keyferry.tools.one_shot import echoed, screen, without_prompt

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

_HIGHEST = 2**64 - 1
_INDEX = re.compile(r"\s*[0-9]+\s+")
_LOST_TAB = re.compile(r"(?i)(?<= {2})value=$")  # a column that a terminal program set off by blanks
_FOLLOWING = "|".join(sorted(dialect.COLUMNS))
_COLUMN = re.compile(
    rf"\s*(?:label=(?P<label>.*?)(?:$|\t(?=(?:{_FOLLOWING})=))|(?P<name>[a-z][a-z0-9]*)=(?P<value>\S*)(?:\s+|$))",
    re.IGNORECASE,
)
_ATTRIBUTE = re.compile(r"\s*(?P<name>[A-Za-z][A-Za-z0-9_]*)[ \t]*=(?P<value>.*)")
_NARROWEST = 80  # columns of a terminal that wraps long values
_HEX = re.compile(r"[0-9A-Fa-f]+")
_CODES = (re.compile(r"\bCKR_(?!OK\b)[A-Z0-9_]+"), re.compile(r"\b0x[0-9A-Fa-f]+\b"))


@dataclass(frozen=True, slots=True)
class CmuObject:
    """One object of a listing; handle or ouid, as the version shows. columns: all others, in lower case."""

    handle: SourceHandle | None
    ouid: str | None
    label: str
    columns: Mapping[str, str] = field(default_factory=dict, hash=False)


def answer(text: str, verb: str = "login") -> list[str]:
    """The lines behind what may stand before every answer: banner, token question, password line.

    UnknownScreenError where the screen ends in the prompt for the password, or begins a second time.
    """
    if dialect.PASSWORD_LINE.fullmatch(clean(text).rpartition("\n")[2].strip()):
        raise unknown("cmu", "login", "the screen ends in its prompt", text)
    lines = screen("cmu", text)
    _drop(lines, dialect.BANNER)
    if _drop(lines, dialect.SELECT_TOKEN):
        _drop(lines, dialect.TOKEN, many=True)
        _drop(lines, dialect.CHOSEN)
    _drop(lines, dialect.PASSWORD_LINE)
    for line in lines:
        if dialect.PASSWORD_LINE.fullmatch(line.strip()) or _begins(line):
            raise unknown("cmu", verb, "two commands in one text?", line)
    return lines


def token_number(text: str, wanted: str) -> int:
    """The number of the token with this label or serial, from the screen up to `Enter choice: `.

    UnknownScreenError unless exactly one is it.
    """
    lines = screen("cmu", text)
    _drop(lines, dialect.BANNER)
    if not _drop(lines, dialect.SELECT_TOKEN):
        raise unknown("cmu", "login", "not the question for a token", text)
    numbers = []
    for line in lines:
        if (found := dialect.TOKEN.fullmatch(line.strip())) is None:
            raise unknown("cmu", "login", "a line that is no token", line)
        numbers += [int(found["number"])] * (found["name"].strip() == wanted)
    if len(numbers) != 1:
        raise unknown("cmu", "login", f"{len(numbers)} tokens match {wanted!r} (expected exactly one)", text)
    return numbers[0]


def _drop(lines: list[str], pattern: re.Pattern[str], *, many: bool = False) -> bool:
    """Take a line, or several, off the front; whether there was one."""
    count = 0
    while count < len(lines) and pattern.fullmatch(lines[count].strip()) and (many or not count):
        count += 1
    del lines[:count]
    return bool(count)


def _begins(line: str) -> bool:
    return bool(dialect.BANNER.fullmatch(line.strip())) or echoed("cmu", line)


def listing(text: str, broken: AbstractSet[tuple[str, ...]] = frozenset()) -> tuple[CmuObject, ...]:
    """Every object of `list`, in the tool's order, which tells nothing; an empty partition prints nothing.

    broken: the lines of each label that is known to contain line breaks.
    """
    lines = _joined(answer(text, "list"), broken)
    objects = [_object(line) for line in lines]
    found = tuple(found for found in objects if found)
    _refuse("list", [line for line, one in zip(lines, objects, strict=True) if one is None], among=bool(found))
    if len({(one.handle, one.ouid) for one in found}) != len(found):
        raise unknown("cmu", "list", "an object stands there twice", text)
    return found


def _joined(lines: list[str], broken: AbstractSet[tuple[str, ...]]) -> list[str]:
    """The lines without what continues a label that contains line breaks."""
    if not broken:
        return lines
    found: list[str] = []
    while lines:
        first, one = lines[0], _object(lines[0])
        label = one.label.rstrip() if one else ""
        ways = [way for way in broken if [label, *(line.rstrip() for line in lines[1 : len(way)])] == list(way)]
        found.append(first)
        lines = lines[max(map(len, ways), default=1) :]
    return found


def attributes(text: str) -> Mapping[str, str]:
    """The `name=value` lines of `getAttribute`, names in lower case, values of hex digits that a
    terminal wrapped joined.

    The question for an object, where no handle was given, may stand before them. A class must be among them;
    of a key its type, of an RSA key modulus and exponent.
    """
    found: dict[str, str] = {}
    others, last, width = [], "", 0
    for line in _behind_the_question(answer(text, "getAttribute")):
        match = _ATTRIBUTE.fullmatch(line)
        goes_on = _HEX.fullmatch(line.strip()) and (last in dialect.WRAPPED or _is_full(found.get(last, ""), width))
        width = len(line) if match or len(line) == width else 0
        if match and match["name"].lower() not in found:
            last = match["name"].lower()
            found[last] = match["value"] if last == "label" else match["value"].strip()
        elif goes_on:
            found[last] += line.strip()
        else:
            others.append(line)
    _refuse("getAttribute", others, among=bool(found))
    _check(found, text)
    return MappingProxyType(found)


def _is_full(value: str, width: int) -> bool:
    """Whether a value of hex digits filled its last line, so that a terminal may have wrapped it."""
    return width >= _NARROWEST and _HEX.fullmatch(value) is not None


def silence(text: str, verb: str) -> None:
    """The answer of import, setAttribute and delete: nothing, or a newer version's word of success."""
    said = (line.strip() for line in answer(text, verb))
    _refuse(verb, [line for line in said if not dialect.DONE.fullmatch(line) or dialect.REFUSED.search(line)])


def made(text: str) -> SourceHandle | None:
    """The handle that a newer version's word of success names; only where `silence` takes the answer."""
    found = [match["handle"] for line in answer(text) for match in dialect.MADE.finditer(line)]
    return SourceHandle(int(found[0])) if len(found) == 1 and _is_handle(found[0]) else None


def no_refusal(text: str, verb: str) -> None:
    """The answer of a call that is proved by looking: whatever was said, only a refusal counts."""
    _refuse(verb, [line for line in map(str.strip, answer(text, verb)) if dialect.REFUSED.search(line)])


def about_the_pin(refusal: KeyferryError) -> bool:
    """Whether a refusal tells of the PIN, so that it counted as a wrong try."""
    return bool(dialect.PIN_REFUSED.search(refusal.seen or ""))


def _behind_the_question(lines: list[str]) -> list[str]:
    if not _drop(lines, dialect.SELECT_OBJECT):
        return lines
    _drop(lines, dialect.OBJECTS_HEADER)
    _drop(lines, dialect.OBJECT, many=True)
    if not _drop(lines, dialect.OBJECT_CHOSEN):
        raise unknown("cmu", "getAttribute", "an object was asked for, but none chosen", "\n".join(lines))
    return lines


def _object(line: str) -> CmuObject | None:
    index = _INDEX.match(line)
    place = index.end() if index else 0
    columns: dict[str, str] = {}
    while place < len(line):
        column = _COLUMN.match(line, place)
        name = (column["name"] or "label").lower() if column else ""
        if column is None or name in columns:
            return None
        columns[name] = column["value"] if column["name"] else column["label"]
        place = column.end()
    if len(columns) > 2 and (lost := _LOST_TAB.search(columns.get("label", ""))):
        columns |= {"label": columns["label"][: lost.start()].rstrip(), "value": ""}
    handle, ouid, label = columns.pop("handle", None), columns.pop("ouid", None), columns.pop("label", None)
    if label is None or not _is_handle(handle):
        return None
    ouid = None if handle and ouid == "n/a" else ouid
    if not (handle or ouid) or (ouid and not _HEX.fullmatch(ouid)):
        return None
    return CmuObject(SourceHandle(int(handle)) if handle else None, ouid, label, columns)


def _is_handle(text: str | None) -> bool:
    return text is None or (text.isdecimal() and text.isascii() and len(text) <= 20 and int(text) <= _HIGHEST)


def _refuse(verb: str, lines: list[str], *, among: bool = False) -> None:
    """Judge the lines that no pattern of the verb knows: all of them the refusal, or the screen is unknown.

    among: they stand among lines of an answer, which no refusal does.
    """
    shown = last_lines("\n".join(map(without_prompt, lines)))
    for line in lines:
        if among or not dialect.REFUSED.search(line):
            error = unknown("cmu", verb, "a line that is not known", line)
            error.seen = error.seen if among else shown
            raise error
    if lines:
        codes = [code.group() for pattern in _CODES if (code := pattern.search(shown))]
        raise ToolRefusedError(f"cmu {verb}: {shown}", code=codes[0] if codes else "", tool="cmu", seen=shown)


def _check(found: Mapping[str, str], text: str) -> None:
    needed = ["class"]
    kind = found.get("class", "").lower()
    if kind.endswith("key"):
        needed.append("keytype")
    if kind in {"publickey", "privatekey"} and found.get("keytype", "").upper() == "RSA":
        needed += ["modulus", "publicexponent"]
    for name in needed:
        if not found.get(name):
            raise unknown("cmu", "getAttribute", f"no {name}", text)
    for name in dialect.BOOLEAN_NAMES & found.keys():
        if found[name].lower() not in dialect.BOOLEANS:
            raise unknown("cmu", "getAttribute", "not a boolean", f"{name}={found[name]}")
    _check_numbers(found)


def _check_numbers(found: Mapping[str, str]) -> None:
    for name in {"modulus", "publicexponent"} & found.keys():
        if not _HEX.fullmatch(found[name]):
            raise unknown("cmu", "getAttribute", "not a number in hex", f"{name}={found[name]}")
    bits = found.get("modulusbits")
    if bits and found.get("modulus") and str(int(found["modulus"], 16).bit_length()) != bits:
        raise unknown("cmu", "getAttribute", "the modulus has not the bits that are told", f"modulusbits={bits}")
