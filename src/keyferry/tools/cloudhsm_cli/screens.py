"""Answers of CloudHSM CLI -> frozen dataclasses. Fields that are needed must be there; others are passed over,
for newer versions add some. Texts of errors, and of success, are shown and never compared.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from keyferry.pkcs11 import DestinationHandle
from keyferry.tools.abilities import Usage
from keyferry.tools.cloudhsm_cli.dialect import FLAGS, FULL, INCONSISTENT, NUMBERS, TOOL
from keyferry.tools.cloudhsm_cli.reply import data
from keyferry.tools.lines import lines, unknown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

T = TypeVar("T")

LOGIN, LOGOUT, QUIT, HELP = "login", "logout", "quit", "help"
PAIR, FILE = "key generate-asymmetric-pair rsa", "key generate-file"
UNWRAP, LIST, DELETE = "key unwrap rsa-oaep", "key list", "key delete"
HSM_INFO, USERS = "cluster hsm-info", "user list"
SERIAL = "serial-number"

_USAGE = re.compile(r"(?i)\busage: (?:cloudhsm-cli )?")
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
_NO_COMMAND = re.compile(r"error: (?:The subcommand '.*' wasn't recognized|unrecognized subcommand)")
_REFERENCE = re.compile(r"0x[0-9a-fA-F]{1,16}")
_TOKEN = re.compile(r"[\w.:+/=-]{1,200}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Login:
    username: str
    role: str


_WORDS: dict[type, str] = {str: "text", int: "a number", bool: "true or false", dict: "an object", list: "a list"}
_FREE_TEXT = frozenset({"label", "username"})
"""Members whose value an operator chose: `inconsistent` there may be a name."""


@dataclass(frozen=True, slots=True)
class ListedKey:
    """A key object.

    attributes: as printed, by the tool's names. inconsistent: the names of the values about which the HSMs disagree.
    covered: every coverage is `full` and nothing is inconsistent; None where the tool does not print it (a list without
    --verbose).
    """

    handle: DestinationHandle
    attributes: Mapping[str, str | bool | int] = field(repr=False)
    covered: bool | None
    owners: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()
    inconsistent: tuple[str, ...] = ()
    coverage: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        return str(self.attributes["label"])


@dataclass(frozen=True, slots=True)
class ListedPair:
    public: ListedKey
    private: ListedKey


@dataclass(frozen=True, slots=True)
class Page:
    """One page of keys; total: of all pages. next_token: None on the last."""

    keys: tuple[ListedKey, ...]
    total: int
    next_token: str | None


class _Reader:
    """Takes fields out of one answer; UnknownScreenError, with the text, for what is missing or of another kind."""

    def __init__(self, verb: str, text: str) -> None:
        self._verb, self._text = verb, text

    def field(self, value: object, name: str, kind: type[T]) -> T:
        found = value.get(name) if isinstance(value, dict) else None
        if found == INCONSISTENT and kind is not str:
            raise unknown(TOOL, self._verb, f"the HSMs of the cluster disagree about {name}", self._text)
        if type(found) is not kind:
            raise unknown(TOOL, self._verb, f"no {name} that is {_WORDS[kind]}", self._text)
        return found

    def key(self, value: object) -> ListedKey:
        reference = self.field(value, "key-reference", str)
        attributes: dict[str, Any] = self.field(value, "attributes", dict)
        if not _REFERENCE.fullmatch(reference):
            raise unknown(TOOL, self._verb, "no reference of a key", reference)
        self._check_attributes(attributes)
        handle = DestinationHandle(int(reference, 16))
        if not isinstance(value, dict) or "key-info" not in value:
            return ListedKey(handle, attributes, None, inconsistent=tuple(_inconsistent(attributes)))
        info: dict[str, Any] = self.field(value, "key-info", dict)
        owners: list[object] = self.field(info, "key-owners", list)
        shared: list[object] = self.field(info, "shared-users", list)
        coverage = (
            self.field(info, "cluster-coverage", str),
            *(self.field(one, "key-coverage", str) for one in (*owners, *shared)),
        )
        inconsistent = tuple(dict.fromkeys((*_inconsistent(info), *_inconsistent(attributes))))
        covered = set(coverage) == {FULL} and bool(owners) and not inconsistent
        holders = (self._names(owners), self._names(shared))
        return ListedKey(handle, attributes, covered, *holders, inconsistent=inconsistent, coverage=coverage)

    def _check_attributes(self, attributes: Mapping[str, object]) -> None:
        """Every value is of its kind, or inconsistent; what a newer version adds is text, a number or a boolean."""
        for name, value in attributes.items():
            if not isinstance(value, str | bool | int):
                raise unknown(TOOL, self._verb, f"{name} is neither text, a number nor true or false", self._text)
            if name in FLAGS and not isinstance(value, bool) and value != INCONSISTENT:
                raise unknown(TOOL, self._verb, f"{name} is not true or false", self._text)
            if name in NUMBERS and type(value) is not int and value != INCONSISTENT:
                raise unknown(TOOL, self._verb, f"{name} is not a number", self._text)
        self.field(attributes, "label", str)

    def _names(self, holders: list[object]) -> tuple[str, ...]:
        return tuple(self.field(one, "username", str) for one in holders)

    def fail(self, why: str) -> Exception:
        return unknown(TOOL, self._verb, why, self._text)


def _inconsistent(value: object, name: str = "") -> Iterator[str]:
    """The names of the members, at any depth, that are inconsistent."""
    if isinstance(value, dict):
        for member, one in value.items():
            yield from _inconsistent(one, member)
    elif isinstance(value, list):
        for one in value:
            yield from _inconsistent(one, name)
    elif value == INCONSISTENT and name not in _FREE_TEXT:
        yield name


def usage(command: str, text: str) -> Usage:
    """Read `help <command>`: its options, or that the tool does not know the command."""
    found = lines(text)
    if any(_NO_COMMAND.match(line) for line in found):
        return Usage(known=False)
    words = " ".join(" ".join(found).split())
    begin = _USAGE.search(words)
    if begin is None or not f"{words[begin.end() :]} ".startswith(f"{command} "):
        return Usage()
    return Usage(flags=frozenset(_OPTION.findall(words[begin.end() :])))


def login(text: str) -> Login:
    """`{"username": "cu1", "role": "crypto-user"}`"""
    answer, read = data(LOGIN, text), _Reader(LOGIN, text)
    return Login(read.field(answer, "username", str), read.field(answer, "role", str))


def logout(text: str) -> str:
    """`"Logout successful"`: text where other commands have an object."""
    return said(LOGOUT, text)


def said(verb: str, text: str) -> str:
    """What a command says that gives nothing else."""
    answer = data(verb, text)
    return answer if isinstance(answer, str) else _Reader(verb, text).field(answer, "message", str)


def message(verb: str, text: str) -> str:
    """`{"message": "Key deleted successfully"}`"""
    return _Reader(verb, text).field(data(verb, text), "message", str)


def key_pair(text: str) -> ListedPair:
    """`{"public_key": KEY, "private_key": KEY}`, each whole."""
    answer, read = data(PAIR, text), _Reader(PAIR, text)
    return ListedPair(*(_whole(read, read.field(answer, name, dict)) for name in ("public_key", "private_key")))


def unwrapped(text: str) -> ListedKey:
    """`{"key": KEY}`, whole."""
    read = _Reader(UNWRAP, text)
    return _whole(read, read.field(data(UNWRAP, text), "key", dict))


def _whole(read: _Reader, value: object) -> ListedKey:
    key = read.key(value)
    if key.covered is None:
        raise read.fail("a key without key-info")
    return key


def keys(text: str) -> Page:
    """`{"matched_keys": [KEY, ...], "total_key_count": N, "returned_key_count": N, "next_token": "10"}`"""
    answer, read = data(LIST, text), _Reader(LIST, text)
    found: list[object] = read.field(answer, "matched_keys", list)
    total, returned = (read.field(answer, f"{name}_key_count", int) for name in ("total", "returned"))
    token = read.field(answer, "next_token", str) if answer.get("next_token") is not None else None
    if returned != len(found) or total < returned:
        raise read.fail(f"{len(found)} keys, told as {returned} of {total}")
    if token is not None and not (_TOKEN.fullmatch(token) and found):
        raise read.fail("a next_token that cannot be")
    return Page(tuple(read.key(one) for one in found), total, token)


def hsms(text: str) -> tuple[Mapping[str, str], ...]:
    """`{"hsms": [{"model": ..., "serial-number": ...}, ...]}`, at least one, each with a serial number of its own."""
    answer, read = data(HSM_INFO, text), _Reader(HSM_INFO, text)
    found: list[object] = read.field(answer, "hsms", list)
    serials = [read.field(one, SERIAL, str) for one in found]
    if not serials or not all(serials):
        raise read.fail("it lists no HSM" if not serials else "an HSM without a serial number")
    if INCONSISTENT in serials or len(set(serials)) != len(serials):
        raise read.fail(f"the serial numbers do not tell the HSMs apart: {', '.join(serials)}")
    members = (one.items() for one in found if isinstance(one, dict))
    return tuple({name: value for name, value in one if isinstance(value, str)} for one in members)
