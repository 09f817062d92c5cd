"""HSMs of the cluster that disagree: CloudHSM CLI prints `inconsistent`, and no key is taken for a good one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runs import World, through

if TYPE_CHECKING:
    from pathlib import Path

CLI = "cloudhsm-cli"


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World.create(tmp_path / "hsm", keys=3)
    world.environment.update(through(CLI))
    return world


@pytest.mark.parametrize(
    ("verb", "nth", "status", "state"), [("key-unwrap-rsa-oaep", 2, 7, "needs_operator"), ("key-list", 6, 6, "failed")]
)
def test_an_inconsistent_attribute_ends_that_key_alone(
    world: World, verb: str, nth: int, status: int, state: str
) -> None:
    world.arm(CLI, "attribute-differs", verb, nth=nth)
    done = world.migrate()
    assert done.status == status, done.err
    assert (done.states, done.rules) == ({"verified": 2, state: 1}, {"CLUSTER-COVERAGE"}), done.err
    [key] = [key for key in done.document["keys"] if key["state"] == state]
    assert "disagree about sign" in key["detail"]
    assert "Traceback" not in done.err


def test_an_inconsistent_wrapping_pair_ends_the_run_before_a_wrap(world: World) -> None:
    world.arm(CLI, "attribute-differs", "key-generate-asymmetric-pair-rsa")
    done = world.migrate()
    assert (done.status, done.document["totals"]["verified"]) == (7, 0), done.err
    assert "disagree about sign" in done.err


def test_keys_that_were_there_before_may_be_inconsistent(world: World) -> None:
    assert world.migrate().states == {"verified": 3}
    world.arm(CLI, "attribute-differs", "key-list")
    again = world.migrate(run="again")
    assert (again.status, again.states) == (0, {"skipped": 3}), again.err


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ("user-locked", "is locked after too many wrong passwords"),
        ("user-locked-somewhere", "is locked on some HSMs only"),
        ("user-role-differs", "the HSMs of the cluster disagree about it"),
        ("user-not-everywhere", "is not on every HSM"),
        ("user-mfa", "a password alone cannot log in"),
        ("user-mfa-differs", "enabled on some HSMs only"),
    ],
)
def test_a_user_who_cannot_log_in_is_refused_before_the_password_is_typed(world: World, fault: str, why: str) -> None:
    world.arm(CLI, fault, "user-list")
    done = world.migrate()
    assert done.status == 5, done.err
    assert "LOCKOUT-NEAR" in done.err
    assert why in " ".join(done.err.split())
    recordings = sorted((world.directory / "run" / "sessions").glob(f"*-{CLI}.cast"))
    assert recordings
    assert not any('"s"' in path.read_text() for path in recordings)
