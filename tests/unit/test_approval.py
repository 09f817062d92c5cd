from __future__ import annotations

import getpass
import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from keyferry.errors import CheckFailedError, Exit
from keyferry.planning.approval import approval
from keyferry.run.directory import RunDirectory
from ssh_keys import allowed_signers, make_key, sign_file

if TYPE_CHECKING:
    from pathlib import Path

PLAN = b'{"plan":1}\n'


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    (tmp_path / "plan.json").write_bytes(PLAN)
    return tmp_path / "plan.json"


@pytest.fixture
def alice(tmp_path: Path) -> Path:
    return make_key(tmp_path, "alice")


def test_another_person_approves(plan: Path, alice: Path, tmp_path: Path) -> None:
    signature = sign_file(plan, alice)
    found = approval(PLAN, signature, allowed_signers(tmp_path / "allowed", alice=alice), "oscar")
    assert (found.signer.principal, found.operator) == ("alice", "oscar")
    run = RunDirectory.create(tmp_path / "run", tmp_path)
    found.record(run)
    (line,) = map(json.loads, run.journal.path.read_bytes().splitlines())
    assert (run.path / "plan.json.sig").read_bytes() == signature.read_bytes()
    assert line["kind"] == "approval"
    assert (line["principal"], line["operator"], line["key"]) == ("alice", "oscar", found.signer.fingerprint)
    assert line["plan"] == hashlib.sha256(PLAN).hexdigest()
    assert line["signature"] == hashlib.sha256(signature.read_bytes()).hexdigest()


@pytest.mark.parametrize("operator", ["alice@site", "ALICE@site", "alice"])
def test_the_operator_cannot_approve(plan: Path, alice: Path, tmp_path: Path, operator: str) -> None:
    allowed = allowed_signers(tmp_path / "allowed", alice_at_site=alice)
    with pytest.raises(CheckFailedError, match="operator") as refused:
        approval(PLAN, sign_file(plan, alice), allowed, operator)
    assert (refused.value.rule, refused.value.exit_code) == ("PLAN-APPROVED", Exit.CHECK_FAILED)


def test_a_key_of_the_operator_is_no_other_person_under_another_name(plan: Path, alice: Path, tmp_path: Path) -> None:
    allowed = allowed_signers(tmp_path / "allowed", alice=alice, oscar=alice)
    with pytest.raises(CheckFailedError, match="oscar, who is the operator"):
        approval(PLAN, sign_file(plan, alice), allowed, "oscar")


def test_who_is_not_named_is_the_account(plan: Path, alice: Path, tmp_path: Path) -> None:
    allowed = tmp_path / "allowed"
    signature = sign_file(plan, alice)
    assert approval(PLAN, signature, allowed_signers(allowed, alice=alice), "").operator == getpass.getuser()
    with pytest.raises(CheckFailedError, match="operator"):
        approval(PLAN, signature, allowed_signers(allowed, **{getpass.getuser(): alice}), "")


def test_another_plan_another_list_or_nothing_is_no_approval(plan: Path, alice: Path, tmp_path: Path) -> None:
    allowed = allowed_signers(tmp_path / "allowed", alice=alice)
    with pytest.raises(CheckFailedError, match="No such file"):
        approval(PLAN, tmp_path / "plan.json.sig", allowed, "oscar")
    signature = sign_file(plan, alice)
    with pytest.raises(CheckFailedError, match="no signature of this plan"):
        approval(PLAN + b" ", signature, allowed, "oscar")
    others = allowed_signers(tmp_path / "others", bob=make_key(tmp_path, "bob"))
    with pytest.raises(CheckFailedError, match="no signature of this plan"):
        approval(PLAN, signature, others, "oscar")
