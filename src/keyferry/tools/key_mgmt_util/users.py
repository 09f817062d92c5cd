"""Whether listUsers allows a login with a password (LOCKOUT-NEAR)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyferry.errors import LockoutNearError
from keyferry.tools.key_mgmt_util.dialect import TOOL

if TYPE_CHECKING:
    from collections.abc import Iterable

    from keyferry.tools.key_mgmt_util.screens.common import KmuUser

_ALLOW = "--allow-raised-counter types the password once all the same"
_CHOOSE = "name the crypto user with --user or `[destination] user`"


def obstacle(name: str, among: Iterable[KmuUser], *, allow_raised: bool = False) -> LockoutNearError | None:
    """Why this crypto user's password must not be typed; None if the tool shows that a login with it is possible.

    allow_raised: the operator accepts a raised failure counter; never a second factor or another user.
    """
    named = [user for user in among if user.name.lower() == name.lower()]
    mine = [user for user in named if user.type == "CU"]
    if not mine:
        if named:
            return _refusal(f"the user {name!r} is not a crypto user (CU): its type is {named[0].type}", _CHOOSE)
        return _refusal(f"the cluster has no crypto user {name!r}", _CHOOSE)
    if any(user.mfa for user in mine):  # the counter of such a user is not a count
        what = f"the crypto user {name!r} has two-factor authentication (2FA): a password alone cannot log in"
        return _refusal(what, "use a crypto user without 2FA for the migration, or have it disabled for this one")
    failures = max(user.login_failures for user in mine)
    if failures and not allow_raised:
        times = "1 failed login" if failures == 1 else f"{failures} failed logins"
        what = f"the crypto user {name!r} has {times} since the last successful one; after five the account is locked"
        return _refusal(what, f"find out who typed wrong passwords; {_ALLOW}")
    return None


def _refusal(what: str, hint: str) -> LockoutNearError:
    keys = "no password was typed; nothing was changed"
    return LockoutNearError(what, rule="LOCKOUT-NEAR", tool=TOOL, keys=keys, hint=hint)
