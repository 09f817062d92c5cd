"""An HSM that logs an idle session out: one login more, where the last one of that role succeeded, on record."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import runs
from longer import LONG
from runs import DESTINATIONS, World, through

if TYPE_CHECKING:
    from pathlib import Path


LIST = "key-list"


def logins(world: World, secret: str) -> list[str]:
    journal = (world.directory / "run" / "journal.jsonl").read_text().splitlines()
    lines = [line for line in map(json.loads, journal) if line["kind"] == "login"]
    return [line["outcome"] for line in lines if line["secret"] == secret]


@pytest.mark.parametrize(
    ("tool", "verb", "secret"),
    [
        ("key_mgmt_util", "unWrapKey", "crypto user's password"),
        ("key_mgmt_util", "getAttribute", "crypto user's password"),
        ("key_mgmt_util", "genRSAKeyPair", "crypto user's password"),
        ("ckdemo", "wrapKey", "partition PIN"),
        ("ckdemo", "encryptFile", "partition PIN"),
        ("cloudhsm-cli", "key-list", "crypto user's password"),
    ],
)
def test_an_idle_session_is_logged_in_again_once(tmp_path: Path, tool: str, verb: str, secret: str) -> None:
    world = World.create(tmp_path / "hsm", keys=3)
    world.arm(tool, "logged-out", verb)
    done = world.migrate(**through(tool))
    assert (done.status, done.states) == (0, {"verified": 3}), done.err
    plain = 5 if tool == "ckdemo" else 1  # ckdemo's session and four calls of cmu
    assert logins(world, secret) == ["typed", "accepted"] * (plain + 1)


@pytest.mark.parametrize("tool", DESTINATIONS)
def test_one_session_of_several_is_logged_in_again(tmp_path: Path, tool: str) -> None:
    world = World.create(tmp_path / "hsm", keys=8)
    verb, nth = (LIST, 12) if tool == "cloudhsm-cli" else ("unWrapKey", 4)
    world.arm(tool, "logged-out", verb, nth=nth)
    done = world.migrate("--sessions", "2", **through(tool))
    assert (done.status, set(done.states)) == (0, {"verified", "skipped"}), done.err
    assert logins(world, "crypto user's password") == ["typed", "accepted"] * 3  # one a session, and one more


@pytest.mark.skipif(not LONG, reason="long: minutes for each tool")
@pytest.mark.parametrize(
    ("tool", "verb"), [("key_mgmt_util", "unWrapKey"), ("cloudhsm-cli", LIST), ("ckdemo", "wrapKey")]
)
def test_in_the_middle_of_a_thousand_keys_too(
    tmp_path: Path, tool: str, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "LIMIT", 3600)
    world = World.create(tmp_path / "hsm", keys=1000)
    world.arm(tool, "logged-out", verb, nth=400)
    done = world.migrate("--relabel", "--reid", **through(tool))
    assert (done.status, set(done.states)) == (0, {"verified", "skipped"}), done.err
    assert done.states["verified"] > 800
    secret = "partition PIN" if tool == "ckdemo" else "crypto user's password"
    assert logins(world, secret) == ["typed", "accepted"] * (6 if tool == "ckdemo" else 2)


@pytest.mark.parametrize(
    ("tool", "verb", "login"), [("key_mgmt_util", "unWrapKey", "loginHSM"), ("cloudhsm-cli", LIST, "login")]
)
def test_a_password_that_is_refused_the_second_time_is_not_typed_a_third(
    tmp_path: Path, tool: str, verb: str, login: str
) -> None:
    world = World.create(tmp_path / "hsm", keys=3)
    world.environment.update(through(tool))
    world.arm(tool, "logged-out", verb, nth=2)
    world.arm(tool, "refused", login, nth=2)
    done = world.migrate()
    assert done.status == 4, done.err
    assert logins(world, "crypto user's password") == ["typed", "accepted", "typed", "refused"]
    assert world.resume().status == 4
    assert world.resume("--type-again", "--allow-raised-counter").states == {"verified": 3}
