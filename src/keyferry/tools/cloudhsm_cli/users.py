"""`user list` of CloudHSM CLI, and whether its answer allows a login with a password (LOCKOUT-NEAR)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keyferry.errors import KeyferryError, LockoutNearError, UnknownScreenError
from keyferry.tools.cloudhsm_cli.dialect import FULL, INCONSISTENT, ROLE, TOOL
from keyferry.tools.cloudhsm_cli.reply import data
from keyferry.tools.cloudhsm_cli.screens import USERS
from keyferry.tools.lines import unknown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_STATES: Mapping[str, bool | str] = {"true": True, "false": False, INCONSISTENT: INCONSISTENT}
_STATUS: Mapping[str, bool | str] = {"enabled": True, "disabled": False, INCONSISTENT: INCONSISTENT}
_UNLOCK = "an admin can unlock the user with `user change-password`, which sets a new password"
_ALLOW = "--allow-raised-counter types the password once all the same"
_SYNCHRONIZE = "have an admin make the user the same on every HSM of the cluster: delete it and create it again"
_WITHOUT_MFA = "use a crypto user without MFA for the migration, or have an admin disable MFA for this one"
_CHOOSE = "name the crypto user with --user or `[destination] user`"
_NOTHING = "no password was typed; nothing was changed"


@dataclass(frozen=True, slots=True)
class CloudHsmCliUser:
    """A user of the cluster. locked, mfa, quorum: true, false or `inconsistent`.

    None stands for a value that the answer does not have, or has in an unknown form: it must not be taken for false.
    """

    name: str | None
    role: str | None
    locked: bool | str | None = None
    mfa: bool | str | None = None
    quorum: bool | str | None = None
    coverage: str | None = None

    def json(self) -> dict[str, object]:
        """What the tool printed, less the members that it did not print."""
        shown = {
            "type": self.role,
            "name": self.name,
            "locked": self.locked,
            "mfa": self.mfa,
            "quorum": self.quorum,
            "coverage": self.coverage,
        }
        return {name: value for name, value in shown.items() if value is not None}


def users(text: str) -> tuple[CloudHsmCliUser, ...]:
    """`{"users": [{"username": "cu1", "role": "crypto-user", "locked": "false", "mfa": [], ...}, ...]}`

    Entries of other users may have any form: nothing of them is needed.
    """
    answer = data(USERS, text)
    found = answer.get("users") if isinstance(answer, dict) else None
    if not isinstance(found, list):
        raise unknown(TOOL, USERS, "no users that are a list", text)
    return tuple(_user(one) for one in found)


def obstacle(name: str, among: Iterable[CloudHsmCliUser], *, allow_raised: bool = False) -> KeyferryError | None:
    """Why this crypto user's password must not be typed; None if the tool shows that a login with it is possible.

    allow_raised: the operator accepts a lock, or a state that is not shown; never MFA or another role.
    """
    every = tuple(among)
    named = [user for user in every if user.name is not None and user.name.lower() == name.lower()]
    mine = [user for user in named if user.role in (ROLE, INCONSISTENT, None)]
    found = [one for user in mine for one in _obstacles(user)] if mine else [_missing(name, named, every)]
    return next((error for acceptable, error in found if not (acceptable and allow_raised)), None)


def _missing(
    name: str, named: Sequence[CloudHsmCliUser], every: Sequence[CloudHsmCliUser]
) -> tuple[bool, KeyferryError]:
    if named:
        return False, _refusal(f"the user {name!r} is not a crypto user: its role is {named[0].role}", _CHOOSE)
    if all(user.name for user in every):
        return False, _refusal(f"the cluster has no crypto user {name!r}", _CHOOSE)
    return True, _unclear(f"whether the cluster has a crypto user {name!r}")


def _obstacles(user: CloudHsmCliUser) -> Iterator[tuple[bool, KeyferryError]]:
    """Each state of a user that stands in the way, and whether an operator may accept it."""
    who = f"the crypto user {user.name!r}"
    if user.role == INCONSISTENT:
        what = f"the role of the user {user.name!r} is inconsistent: the HSMs of the cluster disagree about it"
        yield False, _refusal(what, _SYNCHRONIZE)
    if user.coverage not in (FULL, None):
        yield False, _refusal(f"{who} is not on every HSM (cluster-coverage: {user.coverage})", _SYNCHRONIZE)
    if user.mfa is True:
        what = f"{who} has multi-factor authentication (MFA) enabled: a password alone cannot log in"
        yield False, _refusal(what, _WITHOUT_MFA)
    if user.mfa == INCONSISTENT:
        what = f"{who} has multi-factor authentication (MFA) enabled on some HSMs only (mfa: inconsistent)"
        yield False, _refusal(what, _WITHOUT_MFA)
    if user.locked is True:
        yield True, _refusal(f"{who} is locked after too many wrong passwords", f"{_UNLOCK}; {_ALLOW}")
    if user.locked == INCONSISTENT:
        what = f"{who} is locked on some HSMs only (locked: inconsistent)"
        yield True, _refusal(what, f"{_UNLOCK}; {_ALLOW}")
    if user.role is None:
        yield True, _unclear(f"the role of {who}")
    if user.locked is None:
        yield True, _unclear(f"whether {who} is locked")
    if user.mfa is None:
        yield True, _unclear(f"whether {who} has MFA enabled")


def _refusal(what: str, hint: str) -> LockoutNearError:
    return LockoutNearError(what, rule="LOCKOUT-NEAR", tool=TOOL, keys=_NOTHING, hint=hint)


def _unclear(what: str) -> UnknownScreenError:
    return UnknownScreenError(
        f"`{USERS}` does not show {what}", rule="LOCKOUT-NEAR", tool=TOOL, keys=_NOTHING, hint=_ALLOW
    )


def _user(value: object) -> CloudHsmCliUser:
    told = value if isinstance(value, dict) else {}
    name, role, coverage = (_text(told.get(key)) for key in ("username", "role", "cluster-coverage"))
    return CloudHsmCliUser(
        name, role, _state(told.get("locked")), _enabled(told.get("mfa")), _enabled(told.get("quorum")), coverage
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _state(value: object) -> bool | str | None:
    if isinstance(value, bool):
        return value
    return _STATES.get(value.lower()) if isinstance(value, str) else None


def _enabled(value: object) -> bool | str | None:
    """Of `[]` or `[{"strategy": "token-sign", "status": "enabled"}]`: whether one is enabled."""
    if value == INCONSISTENT:
        return INCONSISTENT
    if not isinstance(value, list):
        return None
    found = [_STATUS.get(str(one.get("status"))) if isinstance(one, dict) else None for one in value]
    return next((state for state in (True, INCONSISTENT, None) if state in found), False)
