"""CloudHSM CLI's destination before its login: whether the user may be locked (LOCKOUT-NEAR)."""

from __future__ import annotations

from unittest.mock import Mock

import pytest

from keyferry.errors import KeyferryError, LockoutNearError, UnknownScreenError
from keyferry.tools.cloudhsm_cli.destination import CloudHsmCliDestination
from keyferry.tools.cloudhsm_cli.driver import CloudHsmCli
from keyferry.tools.cloudhsm_cli.users import CloudHsmCliUser

ODD = CloudHsmCliUser(None, None, None)


def _ours(*, locked: bool | None) -> CloudHsmCliUser:
    return CloudHsmCliUser("cu1", "crypto-user", locked, mfa=False, coverage="full")


def _look(monkeypatch: pytest.MonkeyPatch, *users: CloudHsmCliUser, allow_raised: bool = False) -> None:
    tool = Mock(
        **{
            "emulator": None,
            "hsms.return_value": [{"serial-number": "1"}, {"serial-number": "2"}],
            "users.return_value": users,
        }
    )
    monkeypatch.setattr(CloudHsmCli, "open", lambda *_words: tool)
    CloudHsmCliDestination(
        Mock(), Mock(), Mock(), Mock(), user="CU1", password=Mock(), allow_raised=allow_raised
    ).preflight()


@pytest.mark.parametrize(
    ("users", "error"),
    [
        ([_ours(locked=True)], LockoutNearError),
        ([_ours(locked=None)], UnknownScreenError),
        ([CloudHsmCliUser("admin", "admin", False), ODD], UnknownScreenError),
    ],
)
def test_a_user_who_may_be_locked_ends_it_unless_that_is_allowed(
    monkeypatch: pytest.MonkeyPatch, users: list[CloudHsmCliUser], error: type[KeyferryError]
) -> None:
    with pytest.raises(error) as ended:
        _look(monkeypatch, *users)
    assert ended.value.rule == "LOCKOUT-NEAR"
    assert str(ended.value.keys).startswith("no password was typed")
    _look(monkeypatch, *users, allow_raised=True)


@pytest.mark.parametrize("other", [ODD, CloudHsmCliUser("admin", "admin", None), CloudHsmCliUser("admin", None, True)])
def test_other_users_end_nothing(monkeypatch: pytest.MonkeyPatch, other: CloudHsmCliUser) -> None:
    _look(monkeypatch, other, _ours(locked=False))
