"""key_mgmt_util's listUsers before a login: whether the password may be typed (LOCKOUT-NEAR)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from keyferry.tools.key_mgmt_util.parsing import parse
from keyferry.tools.key_mgmt_util.screens.common import KmuUser
from keyferry.tools.key_mgmt_util.users import obstacle

CASE = Path(__file__).parents[3] / "shared/cases/key_mgmt_util-listUsers-2fa.txt"
OTHERS = (KmuUser(1, "PCO", "admin", 0, True, True), KmuUser(2, "AU", "app_user", 0, False, False))


def _obstacle(user: KmuUser, *, allow_raised: bool = False) -> str | None:
    refusal = obstacle("cu1", (*OTHERS, user), allow_raised=allow_raised)
    return refusal.what if refusal else None


@pytest.mark.parametrize("user", [KmuUser(3, "CU", "cu1", 0), KmuUser(3, "CU", "CU1", 0, True, False)])
def test_a_user_who_can_log_in_with_a_password(user: KmuUser) -> None:
    assert _obstacle(user) is None


@pytest.mark.parametrize(
    ("user", "why", "acceptable"),
    [
        (KmuUser(3, "CU", "cu1", 1), "1 failed login since", True),
        (KmuUser(3, "CU", "cu1", 4, False, False), "4 failed logins since", True),
        (KmuUser(3, "CU", "cu1", 0, False, True), "a password alone cannot log in", False),
        (KmuUser(3, "CU", "cu1", 1 << 29, False, True), "a password alone cannot log in", False),
        (KmuUser(3, "CO", "cu1", 0), "its type is CO", False),
        (KmuUser(3, "CU", "cu2", 0), "no crypto user 'cu1'", False),
    ],
)
def test_a_user_who_cannot_is_refused_with_the_cause(user: KmuUser, why: str, acceptable: bool) -> None:
    assert why in (_obstacle(user) or "")
    assert (_obstacle(user, allow_raised=True) is None) is acceptable


@pytest.mark.skipif(not CASE.is_file(), reason="the cases are not beside this repository")
def test_the_public_case() -> None:
    told: Any = parse("listUsers", CASE.read_text())
    shown = [(user["name"], user["mfa"], user["mofn_key"], user["login_failures"]) for user in told["users"]]
    assert shown == [
        ("admin", True, True, 0),
        ("app_user", False, False, 0),
        ("crypto_user", True, True, 0),
        ("inc.user-01", False, False, 2),
    ]
