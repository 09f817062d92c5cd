"""An HSM that logs an idle session out: one login more, where the last one of that role succeeded, on record."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from runs import World

if TYPE_CHECKING:
    from pathlib import Path


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
    ],
)
def test_an_idle_session_is_logged_in_again_once(tmp_path: Path, tool: str, verb: str, secret: str) -> None:
    world = World.create(tmp_path / "hsm", keys=3)
    world.arm(tool, "logged-out", verb)
    done = world.migrate()
    assert (done.status, done.states) == (0, {"verified": 3}), done.err
    plain = 1 if tool == "key_mgmt_util" else 5  # ckdemo's session and four calls of cmu
    assert logins(world, secret) == ["typed", "accepted"] * (plain + 1)


def test_a_password_that_is_refused_the_second_time_is_not_typed_a_third(tmp_path: Path) -> None:
    world = World.create(tmp_path / "hsm", keys=3)
    world.arm("key_mgmt_util", "logged-out", "unWrapKey", nth=2)
    world.arm("key_mgmt_util", "refused", "loginHSM", nth=2)
    done = world.migrate()
    assert done.status == 4, done.err
    assert logins(world, "crypto user's password") == ["typed", "accepted", "typed", "refused"]
    assert world.resume().status == 4
    assert world.resume("--type-again", "--allow-raised-counter").states == {"verified": 3}
