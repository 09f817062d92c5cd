"""An unwrap that is still in flight when Keyferry dies: whatever the tool does late, the key arrives once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from dying import killed_while_deaf
from killed import arrivals
from runs import DESTINATIONS, World, keyferry, through

if TYPE_CHECKING:
    from pathlib import Path


def lines(world: World, kind: str) -> list[dict[str, Any]]:
    journal = (world.directory / "run" / "journal.jsonl").read_text().splitlines()
    return [line for line in map(json.loads, journal) if line["kind"] == kind]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.create(tmp_path / "hsm", keys=2)


@pytest.mark.parametrize("prefix", ["", "env"])
@pytest.mark.parametrize("tool", DESTINATIONS)
def test_an_unwrap_that_ends_late_is_waited_for_and_adopted(world: World, tool: str, prefix: str) -> None:
    world.environment.update(through(tool) | {"KEYFERRY_DESTINATION_PREFIX": prefix, "KEYFERRY_LIMITS_ANSWER": "20"})
    killed_while_deaf(world, tool)
    done = world.resume()
    assert (done.status, done.states, len(arrivals(world))) == (0, {"verified": 2}, 2), done.err
    (first, _second) = lines(world, "process")
    assert None not in first.values()
    (question,) = [line for line in lines(world, "question") if line["act"] == "unwrap"]
    assert len(question["found"]) == 1
    assert "may still be at work" in done.err


def test_a_tool_that_does_not_end_in_time_is_ended_and_the_unwrap_repeated(world: World) -> None:
    killed_while_deaf(world, "key_mgmt_util")
    done = world.resume(KEYFERRY_LIMITS_ANSWER="1")
    assert (done.status, done.states, len(arrivals(world))) == (0, {"verified": 2}, 2), done.err
    assert "SIGTERM" in done.err
    (question,) = [line for line in lines(world, "question") if line["act"] == "unwrap"]
    assert question["found"] == []


def test_a_tool_that_cannot_be_checked_leaves_the_key_to_an_operator(world: World) -> None:
    killed_while_deaf(world, "key_mgmt_util", hidden=True)
    (noted,) = lines(world, "process")
    assert (noted["pid"], noted["started"], noted["boot"], noted["host"]) == (None,) * 4
    done = world.resume(KEYFERRY_LIMITS_ANSWER="1")
    assert (done.status, done.states) == (7, {"needs_operator": 1, "verified": 1}), done.err
    (asked,) = [key for key in done.document["keys"] if key["state"] == "needs_operator"]
    assert asked["rule"] == "OUTCOME-UNKNOWN"
    assert "cannot be checked" in asked["detail"]
    assert keyferry("resolve", world.directory / "run", asked["source_handle"], "--retry").status == 0
    world.store.run("DELETE FROM fault")
    again = world.resume()
    assert "verified" in again.states


def test_a_pair_that_is_generated_late_is_adopted(world: World) -> None:
    world.environment["KEYFERRY_LIMITS_ANSWER"] = "20"
    killed_while_deaf(world, "key_mgmt_util", "generate")
    done = world.resume()
    assert (done.status, done.states) == (0, {"verified": 2}), done.err
    halves = world.store.rows("SELECT label FROM cloud_key WHERE class = 3")
    assert sum(bytes(half["label"]).startswith(b"classic_wrap") for half in halves) == 1


def test_without_an_open_unwrap_nothing_is_waited_for(world: World) -> None:
    world.arm("ckdemo", "die", "wrapKey")
    assert world.migrate().status == 9
    done = world.resume(KEYFERRY_LIMITS_ANSWER="100")
    assert (done.status, "waiting" in done.err) == (0, False), done.err
