"""Which logins are the same user's, as far as the tools can tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from keyferry.config import TypeAgain
from keyferry.errors import LoginForbiddenError
from keyferry.secrets import Secret
from keyferry.tools.ledger import REFUSED, UNFINISHED, Account, Ledger
from keyferry.tools.logins import Logins

if TYPE_CHECKING:
    from pathlib import Path

SECRET = Secret("crypto user's password", b"password-of-ours")


def _cluster(*serials: str, user: str = "cu", number: str | None = None, emulator: str | None = None) -> Account:
    return Account("destination", user, frozenset(serials), number, emulator)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (_cluster("hsm-1", "hsm-2"), _cluster("hsm-2", "hsm-3"), True),
        (_cluster("hsm-1"), _cluster("hsm-2"), False),
        (_cluster("hsm-1"), _cluster("hsm-1", user="CU"), True),
        (_cluster("hsm-1"), _cluster("hsm-1", user="other"), False),
        (_cluster(number="3"), _cluster(number="3"), True),
        (_cluster(number="3"), _cluster(number="4"), False),
        (_cluster("hsm-1"), _cluster(number="3"), True),
        (_cluster("hsm-1"), _cluster(), True),
        (_cluster("hsm-1"), _cluster("hsm-1", emulator="here:/a"), False),
        (_cluster(emulator="here:/a"), _cluster(emulator="here:/b"), False),
        (_cluster(emulator="here:/a"), _cluster(emulator="there:/a"), False),
        (_cluster("1"), Account("source", "cu", frozenset({"1"})), False),
    ],
)
def test_what_cannot_be_told_apart_counts_as_the_same(one: Account, other: Account, same: bool) -> None:
    assert one.is_same(other) is other.is_same(one) is same


def test_an_unfinished_login_is_decided_by_the_counter_where_there_is_one(tmp_path: Path) -> None:
    ledger, counted = Ledger(tmp_path), Account("destination", "cu", counted=True)
    ledger.write(_cluster(), UNFINISHED, "key_mgmt_util")
    assert ledger.blocking(counted) is None
    assert ledger.blocking(_cluster()) is not None
    ledger.write(_cluster(), REFUSED, "key_mgmt_util")
    assert ledger.blocking(counted) is not None


def test_entries_of_others_stay(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.write(_cluster("hsm-1"), REFUSED, "cloudhsm-cli")
    ledger.write(_cluster("hsm-9"), REFUSED, "cloudhsm-cli")
    ledger.clear(_cluster("hsm-1"))
    assert ledger.blocking(_cluster("hsm-1")) is None
    assert ledger.blocking(_cluster("hsm-9")) is not None


def test_an_order_covers_only_what_was_noted_when_it_was_given(tmp_path: Path) -> None:
    first, second = (Logins(ledger=Ledger(tmp_path), again=TypeAgain("sure")) for _ in range(2))
    Ledger(tmp_path).write(_cluster("hsm-1"), REFUSED, "cloudhsm-cli")
    for logins in (first, second):
        logins.know(SECRET, _cluster("hsm-1"))
    with first.turn:
        first.claim(SECRET, "cloudhsm-cli")
        first.refused(SECRET, "cloudhsm-cli", "no")
    entry = Ledger(tmp_path).blocking(_cluster("hsm-1"))
    assert entry is not None
    with second.turn, pytest.raises(LoginForbiddenError):
        second.claim(SECRET, "cloudhsm-cli")


def test_a_login_that_ends_without_an_outcome_stays_unfinished(tmp_path: Path) -> None:
    logins = Logins(ledger=Ledger(tmp_path))
    logins.know(SECRET, _cluster("hsm-1"))
    with logins.turn:
        logins.claim(SECRET, "cloudhsm-cli")
    entry = Ledger(tmp_path).blocking(_cluster("hsm-1"))
    assert (entry and entry.outcome) == UNFINISHED
    Ledger(tmp_path).lock("destination")  # it was given back


def test_a_secret_that_the_tool_did_not_ask_for_was_not_typed(tmp_path: Path) -> None:
    logins = Logins(ledger=Ledger(tmp_path))
    logins.know(SECRET, _cluster("hsm-1"))
    with logins.turn:
        logins.claim(SECRET, "cloudhsm-cli")
        logins.withdraw(SECRET)
    assert Ledger(tmp_path).blocking(_cluster("hsm-1")) is None
