"""key_mgmt_util: what proves that a key is on every HSM, and what a lost answer means."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from killed import arrivals
from runs import World

if TYPE_CHECKING:
    from pathlib import Path

KMU = "key_mgmt_util"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.create(tmp_path / "hsm", keys=3, nodes=3)


@pytest.mark.parametrize("fault", ["block-empty", "block-missing", "node-unlisted"])
def test_a_key_is_verified_only_if_every_node_of_the_login_is_listed(world: World, fault: str) -> None:
    world.arm(KMU, fault, "findSingleKey", nth=4)  # the halves of the pair come first
    done = world.migrate()
    assert (done.status, done.states, done.rules) == (6, {"verified": 2, "failed": 1}, {"CLUSTER-COVERAGE"}), done.err


@pytest.mark.parametrize("fault", ["block-empty", "block-missing", "login-partial"])
def test_a_login_without_a_complete_node_list_ends_before_anything_is_made(world: World, fault: str) -> None:
    world.arm(KMU, fault, "loginHSM")
    done = world.migrate()
    assert done.status == 8, done.err
    assert "CLUSTER-COVERAGE" in done.err
    assert "nothing was changed" in done.err
    assert world.migrate(run="again").status == 0  # the password was not refused


def test_the_pair_is_checked_on_resume_if_its_coverage_was_not_proved(world: World) -> None:
    for _ in range(2):
        world.arm(KMU, "block-empty", "findSingleKey")
    assert world.migrate().status == 6
    assert world.resume().status == 6
    done = world.resume()
    assert (done.status, done.states) == (0, {"verified": 3}), done.err
    lines = map(json.loads, (world.directory / "run" / "journal.jsonl").read_text().splitlines())
    covered = [line for line in lines if line.get("act") == "cover"][-1]
    assert len(covered["public"]) == len(covered["private"]) == 3


@pytest.mark.parametrize(("fault", "made"), [("answer-lost", 2), ("request-lost", 1)])
def test_a_lost_answer_of_an_unwrap_is_settled_on_resume(world: World, fault: str, made: int) -> None:
    world.arm(KMU, fault, "unWrapKey", nth=2)
    done = world.migrate()
    assert (done.status, done.states["needs_operator"], done.rules) == (10, 1, {"OUTCOME-UNKNOWN"}), done.err
    assert len(arrivals(world)) == made
    done = world.resume()
    assert (done.status, done.states) == (0, {"verified": 3}), done.err
    assert len(arrivals(world)) == 3


def test_a_lost_answer_of_the_pair_is_settled_on_resume(world: World) -> None:
    world.arm(KMU, "answer-lost", "genRSAKeyPair")
    assert world.migrate().status == 10
    done = world.resume()
    assert (done.status, done.states) == (0, {"verified": 3}), done.err


def test_a_query_without_an_answer_leaves_the_key_for_resume(world: World) -> None:
    world.arm(KMU, "request-lost", "findSingleKey", nth=4)
    done = world.migrate()
    assert done.status == 9, done.err
    done = world.resume()
    assert (done.status, done.states) == (0, {"verified": 3}), done.err


def test_a_firmware_newer_than_the_client_is_no_failure(world: World) -> None:
    world.store.set("kmu_unknown_attributes", "388,65537")
    done = world.migrate()
    assert (done.status, done.states) == (0, {"verified": 3}), done.err
