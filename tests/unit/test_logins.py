"""LOGIN-ONCE: when a secret may be typed."""

from __future__ import annotations

import pytest

from keyferry.errors import Exit, LoginRefusedError
from keyferry.secrets import Secret
from keyferry.tools.logins import Logins

PIN, PASSWORD = Secret("partition-pin", b"pin-of-ours"), Secret("cu-password", b"password-of-ours")


def test_a_secret_that_was_accepted_is_typed_again() -> None:
    logins = Logins()
    for _ in range(3):
        logins.claim(PIN, "cmu")
        logins.accepted(PIN)


def test_a_secret_that_was_refused_is_never_typed_again() -> None:
    logins = Logins()
    logins.claim(PIN, "cmu")
    error = logins.refused(PIN, "cmu", "CKR_PIN_INCORRECT")
    assert (error.rule, error.tool, error.seen) == ("LOGIN-ONCE", "cmu", "CKR_PIN_INCORRECT")
    assert error.exit_code is Exit.LOGIN_REFUSED
    with pytest.raises(LoginRefusedError, match="ckdemo: the partition-pin is not typed again"):
        logins.claim(PIN, "ckdemo")


def test_a_login_nobody_saw_the_end_of_counts_as_refused() -> None:
    logins = Logins()
    logins.claim(PIN, "cmu")
    with pytest.raises(LoginRefusedError, match="its last login did not succeed"):
        logins.claim(PIN, "cmu")


def test_a_refusal_after_a_success_counts() -> None:
    logins = Logins()
    logins.claim(PIN, "cmu")
    logins.accepted(PIN)
    logins.claim(PIN, "cmu")
    logins.refused(PIN, "cmu", "CKR_PIN_LOCKED")
    with pytest.raises(LoginRefusedError):
        logins.claim(PIN, "cmu")


def test_the_other_sides_secret_is_judged_by_itself() -> None:
    logins = Logins()
    logins.claim(PIN, "cmu")
    logins.refused(PIN, "cmu", "no")
    logins.claim(PASSWORD, "key_mgmt_util")
    assert "ours" not in repr(logins.refused(PASSWORD, "key_mgmt_util", "no"))
