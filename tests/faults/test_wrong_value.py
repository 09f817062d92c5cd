"""A key that arrived with another value: nothing more is typed until an operator has decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from killed import arrivals, deleted, killed_after_line
from records import both_say
from runs import World, keyferry, through
from undisturbed import migration

if TYPE_CHECKING:
    from pathlib import Path

    from runs import Done

UNWRAP = {"key_mgmt_util": "unWrapKey", "cloudhsm-cli": "key-unwrap-rsa-oaep"}
REMOVAL = {"key_mgmt_util": "deleteKey -k {}", "cloudhsm-cli": "key delete --filter key-reference=0x{:016x}"}


def resolve(world: World, *order: object) -> Done:
    (key,) = [key for key in world.status()["keys"] if key["stage"] == "needs operator"]
    return keyferry("resolve", world.directory / "run", key["source_handle"], *order)


@pytest.mark.parametrize("tool", UNWRAP)
def test_a_wrong_first_key_stops_every_resume_until_it_is_decided(tool: str, tmp_path: Path) -> None:
    world = World.create(tmp_path / "hsm", keys=2)
    world.environment.update(through(tool))
    world.arm(tool, "other-value", UNWRAP[tool])
    done = world.migrate()
    assert (done.status, done.states) == (6, {"needs_operator": 1, "planned": 1}), done.err
    (wrong,) = arrivals(world)
    removal = REMOVAL[tool].format(wrong)
    assert f"hint: inspect key {wrong} with" in done.err
    assert removal in done.err
    record = {path: path.read_bytes() for path in (world.directory / "run").rglob("*") if path.is_file()}
    again = world.resume("--pin", "file:/nowhere", "--password", "file:/nowhere")
    assert (again.status, again.states) == (6, done.states), again.err
    assert "nothing was typed" in again.err
    assert {path: path.read_bytes() for path in record} == record
    status = world.status()
    (key,) = [key for key in status["keys"] if key["stage"] == "needs operator"]
    assert (status["state"], key["rule"], removal in key["detail"]) == ("needs operator", "KCV-MATCH", True)
    assert status["next"].endswith(f"{key['source_handle']} --retry | --skip")
    assert removal in keyferry("status", world.directory / "run").out
    adopted = resolve(world, "--adopt", wrong)
    assert (adopted.status, "KCV-MATCH" in adopted.err, "nothing was recorded" in adopted.err) == (2, True, True)
    deleted(world, wrong)
    assert resolve(world, "--retry").status == 0
    last = world.resume()
    assert (last.status, last.states) == (0, {"verified": 2}), last.err
    both_say("complete", world.directory / "run")


@pytest.mark.parametrize("removed", [True, False])
def test_a_wrong_key_can_be_given_up(removed: bool, tmp_path: Path) -> None:
    world = World.create(tmp_path / "hsm", keys=2)
    world.arm("key_mgmt_util", "other-value", "unWrapKey")
    assert world.migrate().status == 6
    if removed:
        deleted(world, *arrivals(world))
    assert resolve(world, "--skip").status == 0
    done = world.resume()
    assert (done.status, done.states) == (0, {"skipped": 1, "verified": 1}), done.err


def test_a_later_wrong_key_ends_the_run_with_its_code_and_stays_the_operators(tmp_path: Path) -> None:
    world = World.create(tmp_path / "hsm", keys=3)
    world.arm("key_mgmt_util", "other-value", "unWrapKey", nth=2)
    for done in (world.migrate(), world.resume()):
        assert (done.status, done.states) == (6, {"needs_operator": 1, "verified": 2}), done.err


def test_killed_right_after_the_wrong_key_was_noted_the_record_is_completed(tmp_path: Path) -> None:
    pattern = World.create(tmp_path / "hsm", keys=1)
    pattern.arm("key_mgmt_util", "other-value", "unWrapKey")
    assert pattern.migrate().status == 6
    kinds = ['"kind":"key"' in text for text in (pattern.directory / "run/journal.jsonl").read_text().splitlines()]
    world = World.create(tmp_path / "other", keys=1)
    world.arm("key_mgmt_util", "other-value", "unWrapKey")
    assert killed_after_line(world, kinds.index(True) + 1, *migration(world))
    assert world.resume().status == 6
    both_say("complete", world.directory / "run")
