"""Answers of CloudHSM CLI -> frozen dataclasses. Fields that are needed must be there; others are passed over,
for newer versions add some. Texts of errors, and of success, are shown and never compared.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from keyferry.names import CloudHandle
from keyferry.tools.cloudhsm_cli.answers import data
from keyferry.tools.cloudhsm_cli.dialect import FULL, TOOL
from keyferry.tools.text import unknown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

T = TypeVar("T")

LOGIN, LOGOUT, QUIT = "login", "logout", "quit"
PAIR, FILE = "key generate-asymmetric-pair rsa", "key generate-file"
UNWRAP, LIST, DELETE = "key unwrap rsa-oaep", "key list", "key delete"
HSM_INFO, USERS = "cluster hsm-info", "user list"

_REFERENCE = re.compile(r"0x[0-9a-fA-F]{1,16}")
_TOKEN = re.compile(r"[\w.:+/=-]{1,200}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Login:
    username: str
    role: str


@dataclass(frozen=True, slots=True)
class Key:
    """A key object. attributes: as printed, by the tool's names. covered: the cluster as a whole and every owner
    have it on all HSMs; None where it is not told (a list without --verbose).
    """

    handle: CloudHandle
    attributes: Mapping[str, str | bool | int] = field(repr=False)
    covered: bool | None
    owners: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        return str(self.attributes["label"])


@dataclass(frozen=True, slots=True)
class Pair:
    public: Key
    private: Key


@dataclass(frozen=True, slots=True)
class Page:
    """One page of keys; total: of all pages. next_token: None on the last."""

    keys: tuple[Key, ...]
    total: int
    next_token: str | None


@dataclass(frozen=True, slots=True)
class User:
    """A user of the cluster; locked: after five wrong passwords. None is what the answer does not tell, or not in
    a way that is known: whoever needs it must not take it for no.
    """

    name: str | None
    role: str | None
    locked: bool | None


class _Reader:
    """Takes fields out of one answer; UnknownScreenError, with the text, for what is missing or of another kind."""

    def __init__(self, verb: str, text: str) -> None:
        self._verb, self._text = verb, text

    def field(self, value: object, name: str, kind: type[T]) -> T:
        found = value.get(name) if isinstance(value, dict) else None
        if type(found) is not kind:
            raise unknown(TOOL, self._verb, f"no {name} of type {kind.__name__}", self._text)
        return found

    def key(self, value: object) -> Key:
        reference = self.field(value, "key-reference", str)
        attributes: dict[str, Any] = self.field(value, "attributes", dict)
        if not _REFERENCE.fullmatch(reference):
            raise unknown(TOOL, self._verb, "no reference of a key", reference)
        if any(not isinstance(one, str | bool | int) for one in attributes.values()):
            raise unknown(TOOL, self._verb, "an attribute that is neither text, number nor truth value", self._text)
        self.field(attributes, "label", str)
        handle = CloudHandle(int(reference, 16))
        if not isinstance(value, dict) or "key-info" not in value:
            return Key(handle, attributes, None)
        info: dict[str, Any] = self.field(value, "key-info", dict)
        owners: list[object] = self.field(info, "key-owners", list)
        shared: list[object] = self.field(info, "shared-users", list)
        told = {self.field(one, "key-coverage", str) for one in (*owners, *shared)}
        covered = {self.field(info, "cluster-coverage", str), *told} == {FULL}
        return Key(handle, attributes, covered, *(self._names(holders) for holders in (owners, shared)))

    def _names(self, holders: list[object]) -> tuple[str, ...]:
        return tuple(self.field(one, "username", str) for one in holders)

    def fail(self, why: str) -> Exception:
        return unknown(TOOL, self._verb, why, self._text)


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


def key_pair(text: str) -> Pair:
    """`{"public_key": KEY, "private_key": KEY}`, each whole."""
    answer, read = data(PAIR, text), _Reader(PAIR, text)
    return Pair(*(_whole(read, read.field(answer, name, dict)) for name in ("public_key", "private_key")))


def unwrapped(text: str) -> Key:
    """`{"key": KEY}`, whole."""
    read = _Reader(UNWRAP, text)
    return _whole(read, read.field(data(UNWRAP, text), "key", dict))


def _whole(read: _Reader, value: object) -> Key:
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
    """`{"hsms": [{"model": ..., "serial-number": ...}, ...]}`, at least one."""
    answer, read = data(HSM_INFO, text), _Reader(HSM_INFO, text)
    found: list[object] = read.field(answer, "hsms", list)
    if not found or not all(isinstance(one, dict) for one in found):
        raise read.fail("no HSM is told of")
    return tuple({str(name): str(value) for name, value in one.items()} for one in found if isinstance(one, dict))


def users(text: str) -> tuple[User, ...]:
    """`{"users": [{"username": "cu1", "role": "crypto-user", "locked": "false", ...}, ...]}`

    Entries may be odd: they are mostly of other users, of whom nothing is needed.
    """
    answer, read = data(USERS, text), _Reader(USERS, text)
    return tuple(_user(one) for one in read.field(answer, "users", list))


def _user(value: object) -> User:
    told = value if isinstance(value, dict) else {}
    name, role = (found if isinstance(found := told.get(key), str) else None for key in ("username", "role"))
    return User(name, role, {"true": True, "false": False}.get(str(told.get("locked")).lower()))


def locked(name: str, among: Iterable[User]) -> bool | None:
    """Whether this user is locked; None if it is not told, or if an entry without a name may be his."""
    every = tuple(among)
    mine = {user.locked for user in every if user.name is not None and user.name.lower() == name.lower()}
    if not mine:  # the login will refuse who is not there
        return None if any(user.name is None for user in every) else False
    return True if True in mine else None if None in mine else False
