from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from keyferry.pkcs11 import Kcv, PublicKey
from keyferry.tools.key_mgmt_util.dialect import ATTRIBUTES, TOOL
from keyferry.tools.lines import clean, unknown
from keyferry.tools.one_shot import PROMPT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from keyferry.errors import UnknownScreenError

_NAME = re.compile(r"(?P<indent>[ \t]*)(?:OBJ_ATTR_(?P<name>\w+)|(?P<unknown>INVALID_ATTRIBUTE))[ \t]*")
_UNKNOWN: Final = "INVALID_ATTRIBUTE"
"""What a client older than the firmware writes as the name of every attribute that it does not know."""
SHELL = re.compile(rf"[ \t]*{PROMPT.pattern}cat[ \t].*")
_MORE = re.compile(r"[0-9a-fA-F]+")
_BYTES: Final = re.compile(r"(?:0[xX])?((?:[0-9a-fA-F]{2})*)")
_TEXTS: Final = frozenset({"LABEL", "ID"})
_FLAGS: Final = frozenset(
    {
        *("TOKEN", "PRIVATE", "ENCRYPT", "DECRYPT", "WRAP", "UNWRAP", "SIGN", "VERIFY", "DERIVE", "LOCAL"),
        *("SENSITIVE", "EXTRACTABLE", "TRUSTED", "WRAP_WITH_TRUSTED", "DESTROYABLE", "ALWAYS_SENSITIVE"),
        "NEVER_EXTRACTABLE",
    }
)
_NUMBERS: Final = _FLAGS | {"CLASS", "KEY_TYPE", "VALUE_LEN", "MODULUS_BITS"}
_ONE_LINE: Final = _TEXTS | _NUMBERS | {"KCV", "PUBLIC_EXPONENT"}
_KNOWN: Final = ATTRIBUTES.keys() - _TEXTS
"""Attributes whose values are hexadecimal."""
_KCV_DIGITS: Final = (0, 6)


@dataclass(frozen=True, slots=True)
class Attributes:
    """What getAttribute wrote of one object. values: by name without OBJ_ATTR_, as printed.

    unknown: number of attributes that the client does not know; their values are not used.

    A property whose attribute is not in the file is an UnknownScreenError, except where it may be None.
    """

    values: Mapping[str, str]
    unknown: int = 0

    @property
    def key_class(self) -> int:
        return self._number("CLASS")

    @property
    def key_type(self) -> int:
        return self._number("KEY_TYPE")

    @property
    def label(self) -> str:
        return self._value("LABEL")

    @property
    def id(self) -> str:
        return self._value("ID")

    @property
    def value_len(self) -> int:
        """The value's length in bytes; meaningful for secret keys only (of an RSA key: of an export buffer)."""
        return self._number("VALUE_LEN")

    @property
    def modulus_bits(self) -> int | None:
        """The length of an RSA key; None where the file does not have it."""
        return self._number("MODULUS_BITS") if "MODULUS_BITS" in self.values else None

    @property
    def kcv(self) -> Kcv | None:
        """None where the tool gives none, as for generic secrets."""
        digits = _digits("KCV", self.values.get("KCV", ""))
        return Kcv(digits.lower()) if digits else None

    @property
    def token(self) -> bool:
        return self._flag("TOKEN")

    @property
    def extractable(self) -> bool:
        return self._flag("EXTRACTABLE")

    @property
    def local(self) -> bool:
        return self._flag("LOCAL")

    @property
    def sensitive(self) -> bool:
        return self._flag("SENSITIVE")

    @property
    def public_key(self) -> PublicKey | None:
        """Of either half of an RSA pair; None where the file does not have both numbers."""
        if not (self.values.get("MODULUS") and self.values.get("PUBLIC_EXPONENT")):
            return None
        return PublicKey(self._number("MODULUS"), self._number("PUBLIC_EXPONENT"))

    def flag(self, name: str) -> bool | None:
        """A boolean attribute; None where the file does not have it (older clients do not write all)."""
        return self._flag(name) if name in self.values else None

    def _flag(self, name: str) -> bool:
        number = self._number(name)
        if number > 1:
            raise _unknown(f"{name} is no boolean", self._value(name))
        return number == 1

    def _number(self, name: str) -> int:
        return int(_digits(name, self._value(name)), 16)

    def _value(self, name: str) -> str:
        if name not in self.values:
            raise _unknown(f"no OBJ_ATTR_{name}")
        return self.values[name]


def attributes(text: str) -> Attributes:
    """The file of getAttribute: a line with a name, then its value (reference: key_mgmt_util.md, section 5).

    A value is the one line after its name, so that a label may look like anything, also like a name; only
    hexadecimal values go on over more lines. UnknownScreenError for a file that is cut short or is none.
    """
    values: dict[str, str] = {}
    unknown = 0
    for name, value in _pairs(_lines(text)):
        if name == _UNKNOWN:
            unknown += 1
            continue
        if name in values:
            raise _unknown("an attribute that is there twice", name)
        if name in _KNOWN:
            _digits(name, value)
        values[sys.intern(name)] = sys.intern(value)  # nearly the same for thousands of keys
    if not values:
        raise _unknown("no attributes")
    return Attributes(MappingProxyType(values), unknown)


def _lines(text: str) -> list[str]:
    """From the first name on; a capture may begin with the `cat` that showed the file."""
    found = clean(text).removesuffix("\n").split("\n")
    around = (place for place, line in enumerate(found) if line.strip() and not SHELL.fullmatch(line))
    return found[next(around, len(found)) :]


def _pairs(found: list[str]) -> Iterator[tuple[str, str]]:
    place = 0
    while place < len(found):
        match = _NAME.fullmatch(found[place])
        if match is None:
            if found[place].strip() and not _ends_in_prompt(found[place:]):
                raise _unknown("a line that is no attribute's name", found[place])
            place += 1
            continue
        if place + 1 == len(found):
            raise _unknown("cut short: a name without a value", found[place])
        name = match["name"] or _UNKNOWN
        value, place = _value(found, place + 1, name, match["indent"])
        yield name, value


def _ends_in_prompt(rest: list[str]) -> bool:
    """Whether nothing comes but the prompt of the shell that showed the file."""
    return len(rest) == 1 and bool(PROMPT.fullmatch(rest[0].strip()))


def _value(found: list[str], place: int, name: str, indent: str) -> tuple[str, int]:
    """The value that begins at this line, and the line after it."""
    value, place = found[place].removeprefix(indent), place + 1
    if name in _TEXTS:
        return value, place
    pieces = [value.strip()]
    if name not in _ONE_LINE:
        while place < len(found) and _MORE.fullmatch(found[place].strip()):
            pieces.append(found[place].strip())
            place += 1
    return "".join(pieces), place


def _digits(name: str, value: str) -> str:
    """The hexadecimal digits of a value: whole bytes, of a KCV three of them or none."""
    match = _BYTES.fullmatch(value)
    digits = match[1] if match else ""
    if match is None or (name in _NUMBERS and not digits) or (name == "KCV" and len(digits) not in _KCV_DIGITS):
        raise _unknown(f"{name} does not have the form of its values", value)
    return digits


def _unknown(why: str, line: str = "") -> UnknownScreenError:
    return unknown(TOOL, "attributeFile", why, line)
