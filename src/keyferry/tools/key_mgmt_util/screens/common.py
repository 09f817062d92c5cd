"""Answers of key_mgmt_util, of either generation, to frozen dataclasses (documented in key_mgmt_util.md).

Every function takes one answer with or without the prompts and the echo around it. The tool's own refusal
is an outcome, anything that is not understood an UnknownScreenError.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from keyferry.tools.key_mgmt_util.attributes import SHELL
from keyferry.tools.key_mgmt_util.dialect import NOT_LISTED, words
from keyferry.tools.key_mgmt_util.reply import LIST, NUMBER, CommandReply, handle, numbers, plain, whole
from keyferry.tools.key_mgmt_util.reply_lines import FIPS, INITIALIZED, LISTING, SESSION, ReplyLines
from keyferry.tools.lines import clean

if TYPE_CHECKING:
    from re import Match

    from keyferry.pkcs11 import DestinationHandle
    from keyferry.tools.key_mgmt_util.result import Outcome

_NO_HSM = words(r"LIQUIDSECURITY ?: ?.+")
_INITIALIZE = words(
    rf"Cfm\dInitialize\(\) returned .+|.*error while loading shared.+|Version Mismatch.+|{_NO_HSM.pattern}"
)
_TOTAL = words(rf"Total number of keys present ?:? ?{NUMBER}")
_INDEX = words(rf"(?:Number of matching keys|number of keys matched) from start index ?:? ?{NUMBER} ?:: ?{NUMBER}")
_HANDLES = words(rf"(?:Handles of matching keys ?: ?)?{LIST}")
_SIZE = words(rf"(?:Attribute size ?:|got all attributes of size) ?{NUMBER} ?,? ?(?:count ?:|attr cnt) ?{NUMBER}")
_WRITTEN = words(r"(Written to ?:|Attributes dumped into) ?(.{1,1400}) file")
_UNKNOWN_TYPE = words(r"[0-9a-f]{4,16}")  # the number of an attribute that the client does not know, alone on a line
_OWNER = words(rf"Owned by user ?:? ?{NUMBER}")
_SHARED = words(rf"(?:Shared with|also, shared to) following {NUMBER} user\(s\) ?: ?{LIST}")
_USERS = words(r"\d{1,20}(?: ?, ?\d{1,20})* ?,?")
_APPROVERS = words(rf"{NUMBER} Users? needs? to approve to use/manage this key\.?")
_COUNT = words(rf"Number Of Users Found ?:? ?{NUMBER}")
_USER_HEAD = words(r"Index User ID User Type User Name(?: .+)?")
_USER = words(r"\d{1,20} (\d{1,20}) ([A-Z]{1,20}) (.{1,255}?) (YES|NO) (\d{1,10})(?: (YES|NO))?")
_BOOLEAN = words(r"This attribute is defined as a boolean value\.?")
_VALUE = words(r"Enter the boolean attribute value ?\(0 or 1\) ?:? ?\S{0,40}")


@dataclass(frozen=True, slots=True)
class Startup:
    """What the tool prints before its first prompt, as printed (hexadecimal)."""

    app_id: str
    session: str
    fips_mode: str


@dataclass(frozen=True, slots=True)
class Dump:
    """Where getAttribute wrote; size in bytes and count only where all attributes were asked for.

    unknown: number of attributes that the client does not know.
    """

    file: str
    size: int | None
    count: int | None
    unknown: int = 0


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """Ids of users. approvers: how many must approve a use of the key; None where none need."""

    owner: int
    shared: tuple[int, ...]
    approvers: int | None


@dataclass(frozen=True, slots=True)
class KmuUser:
    """A row of listUsers. mofn_key: a public key for quorum is registered; mfa: the 2FA column, None without one."""

    id: int
    type: str
    name: str
    login_failures: int
    mofn_key: bool = False
    mfa: bool | None = None

    def json(self) -> dict[str, object]:
        """The columns that the tool printed."""
        shown = {"id": self.id, "type": self.type, "name": self.name, "login_failures": self.login_failures}
        mfa = {} if self.mfa is None else {"mfa": self.mfa}
        return {**shown, "mofn_key": self.mofn_key, **mfa}


def startup(text: str) -> CommandReply[Startup]:
    """Everything up to the first prompt. Other lines may stand before; the list of commands follows."""
    sheet = ReplyLines("startup", text)
    sheet.keep_between(_INITIALIZE, LISTING)
    app_id, session, fips = (sheet.take_one(pattern) for pattern in (INITIALIZED, SESSION, FIPS))
    ready = Startup(app_id[1], session[1], fips[1]) if app_id and session and fips else None
    alone = None if app_id else sheet.take_alone(_NO_HSM)
    outcome = sheet.outcome(silent=ready is not None or alone is not None)
    return whole(sheet, replace(outcome, refusal=alone[0].string) if alone else outcome, ready)


def login(text: str) -> CommandReply[Outcome]:
    return plain("loginHSM", text)


def logout(text: str) -> CommandReply[Outcome]:
    return plain("logoutHSM", text)


def delete_key(text: str) -> CommandReply[Outcome]:
    return plain("deleteKey", text)


def set_attribute(text: str) -> CommandReply[Outcome]:
    """setAttribute, with or without its question and what was typed there."""
    sheet = ReplyLines("setAttribute", text)
    sheet.take_one(_BOOLEAN)
    sheet.take_one(_VALUE)
    outcome = sheet.outcome()
    return whole(sheet, outcome, None if outcome.refused else outcome)


def find_single_key(text: str) -> CommandReply[Outcome]:
    return plain("findSingleKey", text)


def found_keys(text: str) -> CommandReply[tuple[DestinationHandle, ...]]:
    """findKey: the handles of all that match, none included.

    The tool counts first and then lists. A list longer than the count has a key that was made in between; a shorter one
    is accepted as a refusal only if the tool says that it could not list the keys.
    """
    sheet = ReplyLines("findKey", text)
    total, indexes, rows = sheet.take_one(_TOTAL), sheet.take(_INDEX), sheet.take(_HANDLES)
    handles = tuple(handle(sheet, number) for row in rows for number in numbers(row[1]))
    not_listed = sheet.take_one(NOT_LISTED)
    outcome = sheet.outcome()
    if not_listed:
        return CommandReply(replace(outcome, refusal=outcome.refusal or not_listed.string), None)
    if total and int(total[1]) > len(handles):
        raise sheet.unknown(f"{len(handles)} handles, but", total.string)
    last = max((int(index[2]) for index in indexes), default=-1)
    listed = {len(handles), int(total[1]) if total else 0}
    # The last index is inclusive; the documentation shows one screen where it is not.
    if outcome.failure is None and handles and not {last, last + 1} & listed:
        raise sheet.unknown(f"{len(handles)} handles, but the last index is {last}")
    return whole(sheet, outcome, handles if total else None)


def dump(text: str) -> CommandReply[Dump]:
    """getAttribute: where the values are. Generation 1 ends with the file's name for a single attribute."""
    sheet = ReplyLines("getAttribute", text)
    size, written = sheet.take_one(_SIZE), sheet.take_one(_WRITTEN)
    silent = size is None and written is not None and written[1].lower().startswith("attributes")
    length, count = (int(size[1]), int(size[2])) if size else (None, None)
    unknown = len(sheet.take(_UNKNOWN_TYPE)) if size else 0
    fields = Dump(written[2], length, count, unknown) if written else None
    return whole(sheet, sheet.outcome(silent=silent), fields)


def before_shell(text: str) -> tuple[str, str]:
    """A capture parted at the shell command that shows a file: the screen, and the command with the file."""
    found = clean(text).split("\n")
    place = next((at for at, line in enumerate(found) if SHELL.fullmatch(line)), len(found))
    return "\n".join(found[:place]), "\n".join(found[place:])


def key_info(text: str) -> CommandReply[KeyInfo]:
    """getKeyInfo."""
    sheet = ReplyLines("getKeyInfo", text)
    owner, shared, approvers = (sheet.take_one(pattern) for pattern in (_OWNER, _SHARED, _APPROVERS))
    rows = [shared[2]] if shared else []
    rows += [row.string for row in sheet.take(_USERS)]
    users = tuple(number for row in rows for number in numbers(row))
    if len(users) != (int(shared[1]) if shared else 0):
        raise sheet.unknown(f"{len(users)} users, but", shared.string if shared else "shared with none")
    needed = int(approvers[1]) if approvers else None
    fields = KeyInfo(int(owner[1]), users, needed) if owner else None
    return whole(sheet, sheet.outcome(), fields)


def _user(row: Match[str]) -> KmuUser:
    return KmuUser(
        int(row[1]), row[2], row[3], int(row[5]), row[4] == "YES", None if row[6] is None else row[6] == "YES"
    )


def users(text: str) -> CommandReply[tuple[KmuUser, ...]]:
    """listUsers. AWS's own page shows more rows than the count says, so only fewer are an error."""
    sheet = ReplyLines("listUsers", text)
    count, head, rows = sheet.take_one(_COUNT), sheet.take_one(_USER_HEAD), sheet.take(_USER)
    found = tuple(_user(row) for row in rows)
    outcome = sheet.outcome()
    if count and (len(found) < int(count[1]) or (found and not head)):
        raise sheet.unknown(f"{len(found)} rows, but", count.string)
    return whole(sheet, outcome, found if count else None)
