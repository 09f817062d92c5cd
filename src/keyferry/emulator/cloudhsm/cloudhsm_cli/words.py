"""Words and options of a command line, as a clap-style parser takes them."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Misused(Exception):  # noqa: N818 - the parser's answer to what was typed: plain text, no JSON
    """The command line is not one."""


class Option(NamedTuple):
    """`--name VALUE`; a flag takes no value, `many` takes all words up to the next option. values: () is any."""

    name: str
    needed: bool = False
    flag: bool = False
    many: bool = False
    values: tuple[str, ...] = ()


class Arguments:
    """What was given after the command: an option's words by its name."""

    def __init__(self, given: Mapping[str, Sequence[str]]) -> None:
        self.given = given

    def __contains__(self, name: str) -> bool:
        return name in self.given

    def text(self, name: str, default: str = "") -> str:
        return self.given[name][0] if name in self.given else default

    def number(self, name: str, default: int = 0) -> int:
        text = self.text(name, str(default))
        if not text.isdecimal():
            raise Misused(f"error: invalid value '{text}' for '--{name}': invalid digit found in string")
        return int(text)

    def pairs(self, name: str) -> dict[str, str]:
        """`k=v ...`; only the first `=` parts them."""
        found = {}
        for word in self.given.get(name, ()):
            key, sign, value = word.partition("=")
            if not sign:
                raise Misused(f"error: invalid value '{word}' for '--{name}': no `=` found")
            found[key] = value
        return found


def split(line: bytes) -> list[str]:
    """Blanks part words; quotes and backslashes are a shell's."""
    try:
        return shlex.split(line.decode("utf-8", "surrogateescape"))
    except ValueError as error:
        raise Misused(f"error: {error}") from None


def parse(options: Sequence[Option], words: Sequence[str]) -> Arguments:
    known = {option.name: option for option in (*options, Option("cluster-id"))}
    given: dict[str, list[str]] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name, sign, value = word.removeprefix("--").partition("=")
        if not word.startswith("--") or name not in known:
            raise Misused(f"error: unexpected argument '{word}' found")
        if name in given and not known[name].many:
            raise Misused(f"error: the argument '--{name}' cannot be used multiple times")
        given.setdefault(name, []).extend([value] if sign else _values(known[name], rest))
        _check(known[name], given[name])
    if missing := [option.name for option in options if option.needed and option.name not in given]:
        raise Misused(f"error: the following required arguments were not provided: --{' --'.join(missing)}")
    return Arguments(given)


def _values(option: Option, rest: list[str]) -> list[str]:
    if option.flag:
        return []
    found: list[str] = []
    while rest and not rest[0].startswith("-") and (option.many or not found):
        found.append(rest.pop(0))
    return found


def _check(option: Option, values: Sequence[str]) -> None:
    if not values and not option.flag:
        raise Misused(f"error: a value is required for '--{option.name}' but none was supplied")
    if option.values and values[0] not in option.values:
        possible = ", ".join(option.values)
        raise Misused(f"error: invalid value '{values[0]}' for '--{option.name}' [possible values: {possible}]")
