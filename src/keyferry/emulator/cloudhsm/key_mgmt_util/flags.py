"""How key_mgmt_util reads a command: flags with one value each, every flag once, numbers decimal."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from keyferry.emulator.cloudhsm.key_mgmt_util.errors import Misused

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from keyferry.emulator.cloudhsm.key_mgmt_util.session import Session


WITHOUT_ARGUMENTS = frozenset({"listUsers", "getHSMInfo", "getPartitionInfo", "loginStatus"})
"""Commands that answer any word behind them, `-h` included, with a text of their own."""


class Kind(Enum):
    SWITCH = "switch"
    TEXT = "text"
    NUMBER = "number"


class Flag(NamedTuple):
    """`missing` is what the tool says when a mandatory flag is not there; "" for an optional one."""

    name: str
    about: str
    kind: Kind = Kind.TEXT
    missing: str = ""
    hidden_password_only: bool = False  # of clients that know -hpswd


class Arguments:
    """The flags of one command line and their values."""

    def __init__(self, values: dict[str, str]) -> None:
        self._values = values

    def __contains__(self, flag: str) -> bool:
        return flag in self._values

    def text(self, flag: str, default: str = "") -> str:
        return self._values.get(flag, default)

    def number(self, flag: str, default: int = 0) -> int:
        return int(self._values.get(flag, default))

    def numbers(self, flag: str) -> list[int]:
        """A comma separated list; Misused if it is none."""
        words = self._values[flag].split(",") if flag in self else []
        if not all(_is_number(word) for word in words):
            raise Misused
        return [int(word) for word in words]


class Command(NamedTuple):
    """One command of the tool: its word, what does it, what help says, its flags."""

    name: str
    run: Callable[[Session, Arguments], None]
    about: str
    flags: tuple[Flag, ...] = ()

    def usage(self, flags: Sequence[Flag], error: Sequence[str] = ()) -> str:
        """flags: those that this client knows."""
        if self.name in WITHOUT_ARGUMENTS:
            return f"\n\tThis command doesn't expect any arguments\n\nDescription:\n{self.about}.\n"
        lines = "".join(f"\n\t{line}\n" for line in error)
        syntax = " ".join([self.name, *(_syntax(flag) for flag in flags)])
        where = "".join(f"       {flag.name}  {flag.about}\n" for flag in flags)
        head = f"\n\nDescription\n===========\n{self.about}.\n\nSyntax: {self.name} -h\n        {syntax}\n\n"
        return f"{lines}{head}Where: -h  displays this information\n{where}"


def parse(flags: Sequence[Flag], words: Sequence[str]) -> Arguments:
    """Words to arguments; Misused if a flag is unknown, repeated, without value, or mandatory and missing."""
    known = {flag.name: flag for flag in flags}
    values: dict[str, str] = {}
    rest = list(words)
    while rest:
        flag = known.get(rest.pop(0))
        if flag is None or flag.name in values or (flag.kind is not Kind.SWITCH and not rest):
            raise Misused
        values[flag.name] = "" if flag.kind is Kind.SWITCH else rest.pop(0)
    for flag in flags:
        _check(flag, values.get(flag.name))
    return Arguments(values)


def _check(flag: Flag, value: str | None) -> None:
    """A number in another notation counts as missing."""
    wrong = value is not None and flag.kind is Kind.NUMBER and not _is_number(value)
    if wrong or (value is None and flag.missing):
        raise Misused(*([flag.missing] if flag.missing else []))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _syntax(flag: Flag) -> str:
    shown = flag.name if flag.kind is Kind.SWITCH else f"{flag.name} <{flag.kind.value}>"
    return shown if flag.missing else f"[{shown}]"
