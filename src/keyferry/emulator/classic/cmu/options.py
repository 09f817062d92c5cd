from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_TRUTH = {"t": True, "1": True, "true": True, "f": False, "0": False, "false": False}
_GENERAL = ("slot", "password")
MOST_DIGITS = 20  # of a CK_ULONG


class UsageError(Exception):
    """The arguments are not what the function takes."""


class Options:
    """What was given after the function: names in lower case and full length, "" for a bare flag."""

    def __init__(self, given: Mapping[str, str]) -> None:
        self.given = given

    def __contains__(self, name: str) -> bool:
        return name in self.given

    def text(self, name: str) -> bytes:
        """The argument's own bytes, whatever the locale; b"" if not given."""
        return self.given.get(name, "").encode("utf-8", "surrogateescape")

    def flag(self, name: str) -> bool:
        """T/F, 1/0, True/False in any case; a bare flag is true."""
        value = self.given[name].lower()
        if value and value not in _TRUTH:
            raise UsageError(f"{name}: a boolean is 1 or 0")
        return _TRUTH.get(value, True)

    def number(self, name: str) -> int:
        """Decimal digits, no more than a CK_ULONG has."""
        given = self.given.get(name, "")
        if not (given.isdecimal() and len(given) <= MOST_DIGITS):
            raise UsageError(f"{name}: a number is needed")
        return int(given)

    def hexadecimal(self, name: str) -> bytes:
        try:
            return bytes.fromhex(self.given.get(name, ""))
        except ValueError:
            raise UsageError(f"{name}: hexadecimal digits are needed") from None


def the_one(asked: str, names: Iterable[str]) -> str:
    """The name that was meant: any case, any beginning that fits no other (else UsageError)."""
    asked = asked.lower()
    fitting = [name for name in names if name.lower().startswith(asked)]
    if asked in (name.lower() for name in fitting):
        return next(name for name in fitting if name.lower() == asked)
    if not asked or len(fitting) != 1:
        raise UsageError(f"{asked}: {'ambiguous' if fitting and asked else 'unknown'}")
    return fitting[0]


def parse(arguments: Sequence[str], known: Iterable[str]) -> Options:
    """`-a=b`, `-a b` and `-a`; a value that begins with a dash needs the first form."""
    names = (*_GENERAL, *known)
    given: dict[str, str] = {}
    rest = list(arguments)
    while rest:
        head = rest.pop(0)
        if not head.startswith("-"):
            raise UsageError(f"{head}: not an option")
        name, equals, value = head[1:].partition("=")
        if not equals and rest and not rest[0].startswith("-"):
            value = rest.pop(0)
        given[the_one(name, names)] = value
    return Options(given)
