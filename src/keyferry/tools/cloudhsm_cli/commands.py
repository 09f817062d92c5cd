"""The lines that are typed. Words are parted at blanks, quotes and backslashes mean something: both are refused."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from keyferry.errors import UsageError
from keyferry.pkcs11 import DestinationHandle
from keyferry.tools.abilities import by_command
from keyferry.tools.cloudhsm_cli import dialect, screens
from keyferry.tools.endpoints import USAGES, KeySharing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from keyferry.tools.abilities import Needs
    from keyferry.tools.endpoints import UnwrapSpec

SETTABLE_USAGES = frozenset(USAGES)
"""`key unwrap` takes every usage flag among its `--attributes`."""

_WORD = re.compile(r"[!#-&(-,.-\[\]-~][!#-&(-\[\]-~]*")  # printable ASCII without quotes and backslash, no first hyphen
_USER = re.compile(rf"\w{{1,{dialect.LONGEST_USER}}}", re.ASCII)


@dataclass(frozen=True, slots=True)
class UnwrapRequest:
    """What `key unwrap rsa-oaep` makes of a file. file: relative to the tool's folder. digest: of OAEP and MGF1.

    usages: each usage flag (`ENCRYPT`, ...) that shall be said; one that is not said is false, or the type's own.
    """

    file: str
    wrapping_key: DestinationHandle
    label: str
    key_type: str
    digest: str
    id: str | None = None
    extractable: bool = True
    usages: Mapping[str, bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.key_type not in dialect.KEY_TYPE_CLASSES:
            raise _refusal(f"a key of type {self.key_type}", "is not one that key unwrap makes here")
        if self.digest not in dialect.HASHES:
            raise _refusal(f"the hash {self.digest}", "is not one that key unwrap knows")

    @classmethod
    def of(cls, spec: UnwrapSpec, wrapping_key: DestinationHandle) -> Self:
        """The command for a planned key; the driver and the runbook both use it.

        Raises:
            UsageError: the key is to be shared or needs a quorum, which this command does not set here.
        """
        if spec.sharing != KeySharing():
            raise _refusal(f"sharing or a quorum for the key {spec.label!r}", "is not set by key unwrap here")
        return cls(
            file=spec.file,
            wrapping_key=wrapping_key,
            label=spec.label,
            key_type=spec.type,
            digest=spec.digest,
            id=spec.id,
            extractable=spec.extractable,
            usages=spec.usages,
        )


@dataclass(frozen=True, slots=True)
class KeyFilter:
    """Which keys are meant: each of those that are named must fit."""

    handle: DestinationHandle | None = None
    label: str | None = None
    id: str | None = None
    key_class: str | None = None
    key_type: str | None = None

    @property
    def words(self) -> str:
        named = {
            "key-reference": None if self.handle is None else reference(self.handle),
            "attr.label": None if self.label is None else _word("the label", self.label),
            "attr.id": None if self.id is None else hex_id(self.id),
            "attr.class": None if self.key_class is None else _word("the class", self.key_class),
            "attr.key-type": None if self.key_type is None else _word("the key type", self.key_type),
        }
        return " ".join(f"{name}={value}" for name, value in named.items() if value is not None)


def usages(on: Sequence[str]) -> dict[str, bool]:
    """Every usage flag, those on that are named in the tool's words; UsageError for a name that is none."""
    names = {name.upper() for name in on}
    if unknown := names - set(USAGES):
        raise _refusal(f"the usage {', '.join(sorted(unknown)).lower()}", f"is none of {', '.join(USAGES).lower()}")
    return {name: name in names for name in USAGES}


def can_type(text: str) -> bool:
    """Whether a label, id or name is one word of this tool, and no longer than it takes."""
    return len(text) <= dialect.LONGEST_LABEL and _WORD.fullmatch(text) is not None


def reference(handle: DestinationHandle) -> str:
    """A handle as this tool writes it; key_mgmt_util's decimal number of the same key is the same number."""
    return f"0x{handle:016x}"


def hex_id(text: str) -> str:
    """A CKA_ID is told, and typed, in hex."""
    return f"0x{text.encode('utf-8', 'surrogateescape').hex()}"


def login(user: str) -> str:
    if not _USER.fullmatch(user):
        raise _refusal(f"the user {user!r}", "is no name of letters, digits and _ of at most 31 characters")
    return f"{screens.LOGIN} --username {user} --role {dialect.ROLE}"


def generate_pair(label: str, bits: int, exponent: int, *, extractable: bool) -> str:
    name = _word("the label", label)
    return (
        f"{screens.PAIR} --public-label {name} --private-label {name} --modulus-size-bits {bits}"
        f" --public-exponent {exponent} --private-attributes unwrap=true extractable={_flag(extractable)}"
    )


def generate_file(handle: DestinationHandle, file: str) -> str:
    return f"{screens.FILE} --encoding pem --path {_word('the file', file)} --filter {KeyFilter(handle).words}"


def unwrap(request: UnwrapRequest) -> str:
    attributes = {} if request.id is None else {"id": hex_id(request.id)}
    flags = {"extractable": request.extractable} | dict(request.usages)
    attributes |= {name.lower().replace("_", "-"): _flag(value) for name, value in flags.items()}
    return (
        f"{screens.UNWRAP} --filter {KeyFilter(request.wrapping_key).words}"
        f" --hash-function {request.digest} --mgf mgf1-{request.digest}"
        f" --key-type-class {dialect.KEY_TYPE_CLASSES[request.key_type]} --label {_word('the label', request.label)}"
        f" --data-path {_word('the file', request.file)}"
        f" --attributes {' '.join(f'{name}={value}' for name, value in attributes.items())}"
    )


def needed(needs: Needs) -> dict[str, frozenset[str]]:
    """The flags that a migration types, by command; values are examples."""
    handle = DestinationHandle(1)
    lines = [
        login("u"),
        screens.USERS,
        screens.HSM_INFO,
        list_keys(KeyFilter(handle), "1", verbose=True),
        generate_pair("l", 2048, 65537, extractable=needs.extractable_pair),
        generate_file(handle, "f"),
        unwrap(UnwrapRequest("f", handle, "l", "AES", "sha1", extractable=not needs.non_extractable)),
        screens.LOGOUT,
    ]
    return by_command(lines, _parted)


def _parted(line: str) -> tuple[str, str]:
    """A line's command, and the options behind it."""
    command, hyphens, options = line.partition(" --")
    return command, f"{hyphens}{options}".strip()


def list_keys(wanted: KeyFilter, token: str | None, *, verbose: bool, most: int = dialect.PAGE) -> str:
    filtered = f" --filter {wanted.words}" if wanted.words else ""
    starting = f" --starting-token {token}" if token else ""
    return f"{screens.LIST}{filtered}{' --verbose' if verbose else ''} --max-items {most}{starting}"


def delete(handle: DestinationHandle) -> str:
    return f"{screens.DELETE} --filter {KeyFilter(handle).words}"


def _flag(value: bool) -> str:
    return str(value).lower()


def _word(what: str, text: str) -> str:
    if not can_type(text):
        raise _refusal(f"{what} {text!r}", f"is not one plain word of at most {dialect.LONGEST_LABEL} characters")
    return text


def _refusal(what: str, why: str) -> UsageError:
    return UsageError(f"{what} {why}", tool=dialect.TOOL, keys="nothing was typed")
