"""Answers of key_mgmt_util, of either generation, to frozen dataclasses (documented in key_mgmt_util.md).

Every function takes one answer with or without the prompts and the echo around it. The tool's own refusal
is an outcome, anything that is not understood an UnknownScreenError.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from keyferry.names import CloudHandle
from keyferry.tools.key_mgmt_util.dialect import words
from keyferry.tools.key_mgmt_util.sheet import Sheet

if TYPE_CHECKING:
    from collections.abc import Iterable

    from keyferry.tools.key_mgmt_util.outcome import Outcome

T = TypeVar("T")

_N = r"(\d{1,20})"
_LIST = r"((?:\d{1,20}(?: ?, ?|$))*)"
_INITIALIZED = words(r"Cfm\dInitialize\(\) returned app id ?: ?([0-9a-f]{8})")
_INITIALIZE = words(r"Cfm\dInitialize\(\) returned .+|.*error while loading shared.+|Version Mismatch.+")
_SESSION = words(r"session_handle ([0-9a-f]{1,16})")
_FIPS = words(r"Current FIPS mode is ?: ?([0-9a-f]{8})")
_LISTING = words(r"Help Commands Available ?:")
_PAIR = words(rf"(?:Cfm\d\w+ ?: ?)?public key handle ?: ?{_N} private key handle ?: ?{_N}")
_ATTESTATION = words(r"Attestation Check ?: ?\[ ?PASS\w* ?\]")
_UNWRAPPED = words(rf"Key Unwrapped\. ?Key Handle ?: ?{_N}")
_EXPORTED = words(r"PEM formatted public key is written to (.+)")
_TOTAL = words(rf"Total number of keys present ?:? ?{_N}")
_INDEX = words(rf"(?:Number of matching keys|number of keys matched) from start index ?:? ?{_N} ?:: ?{_N}")
_HANDLES = words(rf"(?:Handles of matching keys ?: ?)?{_LIST}")
_SIZE = words(rf"(?:Attribute size ?:|got all attributes of size) ?{_N} ?,? ?(?:count ?:|attr cnt) ?{_N}")
_WRITTEN = words(r"(Written to ?:|Attributes dumped into) ?(.{1,1400}) file")
_OWNER = words(rf"Owned by user ?:? ?{_N}")
_SHARED = words(rf"(?:Shared with|also, shared to) following {_N} user\(s\) ?: ?{_LIST}")
_USERS = words(r"\d{1,20}(?: ?, ?\d{1,20})* ?,?")
_APPROVERS = words(rf"{_N} Users? needs? to approve to use/manage this key\.?")
_COUNT = words(rf"Number Of Users Found ?:? ?{_N}")
_USER_HEAD = words(r"Index User ID User Type User Name(?: .+)?")
_USER = words(r"\d{1,20} (\d{1,20}) ([A-Z]{1,20}) (.{1,255}?) (?:YES|NO) (\d{1,10})(?: (?:YES|NO))?")

LARGEST_HANDLE = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """An outcome and the fields of the verb: always there unless the command failed."""

    outcome: Outcome
    fields: T | None


@dataclass(frozen=True, slots=True)
class Startup:
    """What the tool prints before its first prompt, as printed (hexadecimal)."""

    app_id: str
    session: str
    fips_mode: str


@dataclass(frozen=True, slots=True)
class KeyPair:
    public: CloudHandle
    private: CloudHandle

    def __str__(self) -> str:
        return f"{self.public} (public), {self.private} (private)"


@dataclass(frozen=True, slots=True)
class Dump:
    """Where getAttribute wrote; size in bytes and count only where all attributes were asked for."""

    file: str
    size: int | None
    count: int | None


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """Ids of users. approvers: how many must approve a use of the key; None where none need."""

    owner: int
    shared: tuple[int, ...]
    approvers: int | None


@dataclass(frozen=True, slots=True)
class User:
    id: int
    type: str
    name: str
    login_failures: int


def startup(text: str) -> Answer[Startup]:
    """Everything up to the first prompt. Other lines may stand before; the list of commands follows."""
    sheet = Sheet("startup", text)
    sheet.keep_between(_INITIALIZE, _LISTING)
    app_id, session, fips = (sheet.take_one(pattern) for pattern in (_INITIALIZED, _SESSION, _FIPS))
    ready = Startup(app_id[1], session[1], fips[1]) if app_id and session and fips else None
    return _answer(sheet, sheet.outcome(silent=ready is not None), ready)


def login(text: str) -> Answer[Outcome]:
    return _plain("loginHSM", text)


def logout(text: str) -> Answer[Outcome]:
    return _plain("logoutHSM", text)


def delete_key(text: str) -> Answer[Outcome]:
    return _plain("deleteKey", text)


def find_single_key(text: str) -> Answer[Outcome]:
    return _plain("findSingleKey", text)


def key_pair(text: str) -> Answer[KeyPair]:
    """genRSAKeyPair. Handles can stand beside a failure."""
    sheet = Sheet("genRSAKeyPair", text)
    found = sheet.take_one(_PAIR)
    pair = KeyPair(_handle(sheet, found[1]), _handle(sheet, found[2])) if found else None
    sheet.take_one(_ATTESTATION)
    return _answer(sheet, sheet.outcome(), pair)


def unwrapped(text: str) -> Answer[CloudHandle]:
    """unWrapKey, with and without `-noheader`. A handle can stand beside a failure."""
    sheet = Sheet("unWrapKey", text)
    found = sheet.take_one(_UNWRAPPED)
    handle = _handle(sheet, found[1]) if found else None
    sheet.take_one(_ATTESTATION)
    return _answer(sheet, sheet.outcome(), handle)


def exported(text: str) -> Answer[str]:
    """exportPubKey: the file's name. The tool can report success without having written one."""
    sheet = Sheet("exportPubKey", text)
    found = sheet.take_one(_EXPORTED)
    return _answer(sheet, sheet.outcome(), found[1] if found else None)


def found_keys(text: str) -> Answer[tuple[CloudHandle, ...]]:
    """findKey: the handles of all that match, none included; they are as many as the tool says."""
    sheet = Sheet("findKey", text)
    total, indexes, rows = sheet.take_one(_TOTAL), sheet.take(_INDEX), sheet.take(_HANDLES)
    handles = tuple(_handle(sheet, number) for row in rows for number in _numbers(row[1]))
    outcome = sheet.outcome()
    if total and int(total[1]) != len(handles):
        raise sheet.unknown(f"{len(handles)} handles, but", total.string)
    last = max((int(index[2]) for index in indexes), default=-1)
    # The last index is inclusive; the documentation shows one screen where it is not.
    if outcome.failure is None and handles and last not in (len(handles) - 1, len(handles)):
        raise sheet.unknown(f"{len(handles)} handles, but the last index is {last}")
    return _answer(sheet, outcome, handles if total else None)


def dump(text: str) -> Answer[Dump]:
    """getAttribute: where the values are. Generation 1 ends with the file's name for a single attribute."""
    sheet = Sheet("getAttribute", text)
    size, written = sheet.take_one(_SIZE), sheet.take_one(_WRITTEN)
    silent = size is None and written is not None and written[1].lower().startswith("attributes")
    fields = Dump(written[2], *(int(size[1]), int(size[2])) if size else (None, None)) if written else None
    return _answer(sheet, sheet.outcome(silent=silent), fields)


def before_shell(text: str) -> tuple[str, str]:
    """A capture parted at the shell command that shows a file: the screen, and the command with the file."""
    found = re.search(r"^[ \t]*\$[ \t]+cat[ \t]", text, re.MULTILINE)
    return (text[: found.start()], text[found.start() :]) if found else (text, "")


def key_info(text: str) -> Answer[KeyInfo]:
    """getKeyInfo."""
    sheet = Sheet("getKeyInfo", text)
    owner, shared, approvers = (sheet.take_one(pattern) for pattern in (_OWNER, _SHARED, _APPROVERS))
    rows = [shared[2]] if shared else []
    rows += [row.string for row in sheet.take(_USERS)]
    users = tuple(number for row in rows for number in _numbers(row))
    if len(users) != (int(shared[1]) if shared else 0):
        raise sheet.unknown(f"{len(users)} users, but", shared.string if shared else "shared with none")
    needed = int(approvers[1]) if approvers else None
    fields = KeyInfo(int(owner[1]), users, needed) if owner else None
    return _answer(sheet, sheet.outcome(), fields)


def users(text: str) -> Answer[tuple[User, ...]]:
    """listUsers. AWS's own page shows more rows than the count says, so only fewer are an error."""
    sheet = Sheet("listUsers", text)
    count, head, rows = sheet.take_one(_COUNT), sheet.take_one(_USER_HEAD), sheet.take(_USER)
    found = tuple(User(int(row[1]), row[2], row[3], int(row[4])) for row in rows)
    outcome = sheet.outcome()
    if count and (len(found) < int(count[1]) or (found and not head)):
        raise sheet.unknown(f"{len(found)} rows, but", count.string)
    return _answer(sheet, outcome, found if count else None)


def _plain(verb: str, text: str) -> Answer[Outcome]:
    """An answer whose result and cluster block are all that it has."""
    outcome = Sheet(verb, text).outcome()
    return Answer(outcome, None if outcome.refused else outcome)


def _answer(sheet: Sheet, outcome: Outcome, fields: T | None) -> Answer[T]:
    if outcome.refused is None and fields is None:
        raise sheet.unknown("success without the fields that prove it")
    return Answer(outcome, fields)


def _handle(sheet: Sheet, digits: str | int) -> CloudHandle:
    number = int(digits)
    if number > LARGEST_HANDLE:
        raise sheet.unknown("a handle of more than 64 bits", str(digits))
    return CloudHandle(number)


def _numbers(row: str) -> Iterable[int]:
    return map(int, re.findall(r"\d+", row))
