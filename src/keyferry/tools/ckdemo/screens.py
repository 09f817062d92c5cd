"""ckdemo's screens (reference/ckdemo.md), each a pure function that fails closed."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from keyferry.pkcs11 import PublicKey, SourceHandle
from keyferry.tools.ckdemo import dialect
from keyferry.tools.lines import clean, unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from keyferry.errors import UnknownScreenError

_STATUS = re.compile(r"^[ \t]*Status:(?P<message>[^\n]*)\((?P<ckr>CKR_[A-Z0-9_]+)\)[ \t]*$", re.MULTILINE)
_FUNCTION = re.compile(r"(?P<function>\S.*) returned error\.?")
_OBJECT = re.compile(r"[ \t]*Handle[ \t]+(?P<handle>\d+)[ \t]+--[ \t]+label:(?: (?P<label>.*))?")
_ATTRIBUTE = re.compile(r"[ \t]*(?P<name>CKA_\w+)=(?P<value>.*)")
_WRAPPED = frozenset({"CKA_MODULUS", "CKA_SUBJECT", "CKA_ISSUER"})  # long hex that a narrow terminal may have wrapped
_MORE = re.compile(r"[0-9a-f]+")
_HANDLE = re.compile(r"[ \t]*handle[ \t]*=[ \t]*(?P<handle>\d+)[ \t]*")
_TOKEN_FIELD = re.compile(r"[ \t]*(?P<name>[A-Z][^>\n]*)->(?P<value>.*)")
_FLAGS = re.compile(r"[ \t]*CKF_[A-Z0-9_]+(?:[ \t|,]+CKF_[A-Z0-9_]+)*[ \t]*")
_FLAG = re.compile(r"CKF_[A-Z0-9_]+")
_IDENTITY = frozenset({"CKA_CLASS", "CKA_KEY_TYPE", "CKA_LABEL", "CKA_ID", "CKA_MODULUS", "CKA_PUBLIC_EXPONENT"})
_NAMELESS = "CKA_XXX"  # how ckdemo prints every attribute whose name it does not know
_HIGHEST = 2**64 - 1
_STARTS_WITH_NUMBER = re.compile(r"[ \t]*(?:[\[(][ \t]*\d+[ \t]*[\])]|\d+(?![\w\[]))")
_NUMBER_BEFORE = r"(?:\[ *(\d+) *\]|\( *(\d+) *\)|(?<![\w\[(-])(\d+)(?:[ \t]*-(?=[ \t])|[.)]|(?=[ \t])))"
_NUMBER_AFTER = r"[ \t]*\[ *(\d+) *\]"


@dataclass(frozen=True, slots=True)
class TemplateAnswer:
    """One turn of the main loop: what was printed before the Status line, and that line.

    function: the Cryptoki call that failed, None on success. ckr: the CKR name.
    """

    body: str
    ckr: str
    function: str | None

    @property
    def ok(self) -> bool:
        return self.ckr == "CKR_OK"


@dataclass(frozen=True, slots=True)
class ObjectListing:
    handle: SourceHandle
    label: str


@dataclass(frozen=True, slots=True)
class Shown:
    """An object's attributes as displayed: by CKA_ name, booleans `01`/`00`, numbers hex in memory order."""

    handle: SourceHandle
    attributes: Mapping[str, str]

    def flag(self, name: str) -> bool | None:
        """A boolean; None if the object does not show it."""
        value = self.attributes.get(name)
        if value not in (None, "01", "00"):
            raise unknown("ckdemo", "displayObject", "not a boolean", f"{name}={value}")
        return None if value is None else value == "01"

    def number(self, name: str) -> int | None:
        """A CK_ULONG (4 or 8 bytes, little endian); None if the object does not show it."""
        value = self.attributes.get(name)
        if value is None:
            return None
        if not re.fullmatch(r"(?:[0-9a-f]{8}){1,2}", value):
            raise unknown("ckdemo", "displayObject", "not a number of 4 or 8 bytes", f"{name}={value}")
        return int.from_bytes(bytes.fromhex(value), "little")

    def public_key(self) -> PublicKey | None:
        """The RSA public key that the object shows."""
        modulus, exponent = self.attributes.get("CKA_MODULUS"), self.attributes.get("CKA_PUBLIC_EXPONENT")
        try:
            return PublicKey(int(modulus, 16), int(exponent, 16)) if modulus and exponent else None
        except ValueError:
            raise unknown("ckdemo", "displayObject", "not a public key", f"{modulus}, {exponent}") from None


@dataclass(frozen=True, slots=True)
class Token:
    """Menu 12's answer; `fields` has every `NAME -> value` as printed."""

    label: str
    serial: str
    flags: frozenset[str]
    fields: Mapping[str, str]


def answer(text: str) -> TemplateAnswer:
    """One turn, from the answer to the last question up to the prompt; a menu may follow the Status line."""
    text = clean(text)
    found = list(_STATUS.finditer(text))
    if len(found) != 1:
        raise unknown("ckdemo", "status", f"{len(found)} Status lines where one belongs", text)
    message, ckr = found[0]["message"].strip(), found[0]["ckr"]
    failed = _FUNCTION.fullmatch(message)
    if (ckr == "CKR_OK") == bool(failed):
        raise unknown("ckdemo", "status", "message and code disagree", found[0].group())
    return TemplateAnswer(text[: found[0].start()], ckr, failed["function"] if failed else None)


def menu(text: str, names: Mapping[str, str]) -> dict[str, int]:
    """The numbers of main menu entries such as `(60) Wrap key`, by the caller's names for them."""
    return {verb: _menu_number(clean(text), title) for verb, title in names.items()}


def listing(body: str, display: Callable[[SourceHandle], str] | None = None) -> tuple[ObjectListing, ...]:
    """`Handle N -- label: L` lines, in the tool's order; a label runs to the end of its line.

    display: gives an object's label as Display Object prints it. It is called if lines are left over or an object is
    there twice: a label that contains line breaks then accounts for every line, or the screen is not understood. Such a
    label is returned with its line breaks.
    """
    lines = _said(body)
    if [line.strip() for line in lines] == ["No objects found"]:
        return ()
    handles = [match["handle"] for line in lines if (match := _OBJECT.fullmatch(line))]
    plain = display is None or len(set(handles)) == len(lines)
    found: dict[SourceHandle, ObjectListing] = {}
    while lines:
        match = _OBJECT.fullmatch(lines[0])
        if match is None:
            raise unknown("ckdemo", "findObject", "a line that is no object", lines[0])
        handle = SourceHandle(_number(match["handle"], "findObject"))
        if handle in found:
            raise unknown("ckdemo", "findObject", "an object twice", lines[0])
        rest = [match["label"] or "", *lines[1:]]
        label = rest[:1] if plain or display is None else _spelled(display(handle), rest)
        found[handle] = ObjectListing(handle, "\n".join(label))
        del lines[: len(label)]
    return tuple(found.values())


def _spelled(displayed: str, rest: list[str]) -> list[str]:
    """The lines at the start of `rest` that are this label."""
    for way in spellings(displayed):
        if [line.rstrip() for line in rest[: len(way)]] == way:
            return rest[: len(way)]
    raise unknown("ckdemo", "findObject", "an object has another label than it displays", rest[0])


def spellings(displayed: str) -> list[list[str]]:
    """The lines in which a listing may print the label of an object that Display Object prints as text, or in hex."""
    texts = [displayed]
    if _MORE.fullmatch(displayed) and len(displayed) % 2 == 0:
        data = bytes.fromhex(displayed)
        texts = [part.decode("utf-8", "surrogateescape") for part in (data, data.partition(b"\0")[0])] + texts
    ways = ([line.rstrip() for line in clean(text).split("\n")] for text in texts)
    return [[way[0], *filter(None, way[1:])] for way in ways]


def shown(body: str) -> Shown:
    """Display Object: `handle=N`, then `CKA_NAME=value` lines, each name once, a wrapped modulus joined."""
    handle: SourceHandle | None = None
    attributes: dict[str, str] = {}
    last = ""
    for line in _said(body):
        if match := _ATTRIBUTE.fullmatch(line):
            if match["name"] in attributes and match["name"] != _NAMELESS:
                raise unknown("ckdemo", "displayObject", "an attribute twice", line)
            last = sys.intern(match["name"])
            attributes[last] = sys.intern(match["value"])  # nearly the same for thousands of keys
        elif last in _WRAPPED and _MORE.fullmatch(line.strip()):
            attributes[last] += line.strip()
        elif (match := _HANDLE.fullmatch(line)) and handle is None:
            handle = SourceHandle(_number(match["handle"], "displayObject"))
        elif line.strip() != "Object" or handle is not None:
            raise unknown("ckdemo", "displayObject", "a line that is no attribute", line)
    if handle is None or "CKA_CLASS" not in attributes:
        raise unknown("ckdemo", "displayObject", "no handle or no class", body)
    return Shown(handle, attributes)


def changed(before: Shown, after: Shown, but: str) -> list[str]:
    """Name what identifies a public key, or is a boolean, and is displayed otherwise than before; one may change."""
    names = [name for name, value in before.attributes.items() if name in _IDENTITY or value in ("01", "00")]
    return [name for name in names if name != but and after.attributes.get(name) != before.attributes[name]]


def token(body: str) -> Token:
    """Menu 12's `NAME -> value` lines, with the flags on lines of their own; label, serial and flags must be there."""
    fields: dict[str, str] = {}
    flags: set[str] = set()
    for line in _said(body):
        if _FLAGS.fullmatch(line):
            flags.update(_FLAG.findall(line))
        elif (match := _TOKEN_FIELD.fullmatch(line)) and (name := match["name"].strip()) not in fields:
            fields[name] = match["value"].strip()
            flags.update(_FLAG.findall(match["value"]) if name == "Token Flags" else ())
        elif line.strip() not in ("Token Info:", "None"):
            raise unknown("ckdemo", "tokenInfo", "a line that is no field", line)
    # Without the line of the flags nobody knows whether a lock-out is near.
    if missing := {"Token label", "Token Serial Number", "Token Flags"} - fields.keys():
        raise unknown("ckdemo", "tokenInfo", f"no {', '.join(sorted(missing))}", body)
    return Token(fields["Token label"], fields["Token Serial Number"], frozenset(flags), fields)


def generated(body: str) -> SourceHandle:
    """The handle of the one secret key that `Generated AES Key: N` tells of."""
    found = re.fullmatch(dialect.GENERATED, body.strip())
    if found is None:
        raise unknown("ckdemo", "generateKey", "no key that was generated", body.strip())
    return SourceHandle(_number(found["handle"], "generateKey"))


def slots(text: str) -> dict[int, str]:
    """`slot#N - DESCRIPTION` lines before the slot question."""
    found: dict[int, str] = {}
    for line in _said(text):
        match = re.fullmatch(r"[ \t]*slot[ \t]*#[ \t]*(\d+)[ \t]*-(.*)", line)
        if match:
            found[_number(match[1], "openSession")] = match[2].strip()
        elif line.strip() != "Slots available:":
            raise unknown("ckdemo", "openSession", "a line that is no slot", line)
    return found


def sessions(text: str) -> list[int]:
    """The handles of `session#N - slot M` lines before the session question."""
    found: list[int] = []
    for line in _said(text):
        match = re.fullmatch(r"[ \t]*session[ \t]*#[ \t]*(\d+)[ \t]*-[ \t]*slot[ \t]*#?[ \t]*\d+[ \t]*", line)
        if match:
            found.append(_number(match[1], "session"))
        elif line.strip() != "Sessions available:":
            raise unknown("ckdemo", "session", "a line that is no session", line)
    return found


def attribute_number(text: str, name: str) -> int:
    """The number of `CKA_NAME` in the template editor's list (`15 - CKA_WRAP`)."""
    return _only(re.findall(rf"(?<!\S)(\d+)[ \t]*-[ \t]*{name}(?!\w)", clean(text)), "setAttribute", name, text)


def option_number(text: str, title: str) -> int:
    """The number of an option (`2 - Display Help: ...`)."""
    found = re.findall(rf"^[ \t]*\(?(\d+)\)?[ \t]*-[ \t]*{re.escape(title)}\b", clean(text), re.MULTILINE)
    return _only(found, "options", title, text)


def choice(text: str, title: str, verb: str) -> int:
    """The number of `TITLE[n]`, as roles are offered; the title stands alone (`Crypto-Officer`, not another's end)."""
    pattern = re.escape(title).replace(r"\ ", "[ -]?").replace(r"\-", "[ -]?")
    found = re.findall(rf"(?im)(?:^|[,?\]]|\bor)[ \t]*{pattern}[ \t]*\[[ \t]*(\d+)[ \t]*\]", clean(text))
    return _only(found, verb, title, text)


def table_number(text: str, name: str, verb: str) -> int:
    """The number of an entry in a table of several columns.

    The reference leaves open how some tables write an entry: `[n]NAME`, `n NAME`, `n - NAME`, `(n) NAME` or
    `NAME[n]`. Which it is shows in how the rows begin; a table that mixes them is not understood.
    """
    rows = [line for line in _said(text) if re.search(r"\d", line)]
    number_first = {bool(_STARTS_WITH_NUMBER.match(row)) for row in rows}
    if len(number_first) != 1:
        raise unknown("ckdemo", verb, "a table that cannot be read", text)
    wanted = re.sub(r"[_-]", "[_-]?", name) + r"(?![\w-])(?![ \t]?\([^\d\s])"
    pattern = rf"{_NUMBER_BEFORE}[ \t]*{wanted}" if number_first == {True} else rf"(?<![\w-]){wanted}{_NUMBER_AFTER}"
    found = ["".join(match.groups("")) for row in rows for match in re.finditer(pattern, row, re.IGNORECASE)]
    return _only(found, verb, name, text)


def _menu_number(text: str, title: str) -> int:
    found = re.findall(
        rf"(?i)\([ \t]*(\d+)\)[ \t]*{re.escape(title)}(?=[ \t]{{2}}|[ \t]*\([ \t]*\d|[ \t]*$)", text, re.MULTILINE
    )
    return _only(found, "startup", title, text)


def _only(found: list[str], verb: str, name: str, text: str) -> int:
    if len(set(found)) != 1:
        raise _not_once(verb, name, text)
    return _number(found[0], verb)


def _number(digits: str, verb: str) -> int:
    """A number that the tool printed; above a CK_ULONG it is none."""
    if len(digits) > 20 or not digits.isascii() or int(digits) > _HIGHEST:
        raise unknown("ckdemo", verb, "not a number of 8 bytes", digits)
    return int(digits)


def _not_once(verb: str, name: str, text: str) -> UnknownScreenError:
    return unknown("ckdemo", verb, f"{name} does not stand exactly once on the screen", text)


def _said(text: str) -> list[str]:
    return [line for line in clean(text).split("\n") if line.strip()]
