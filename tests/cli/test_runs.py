"""`keyferry status` of a run that ended, one that did not, and one that goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from keyferry.run.journal import Journal
from runs import World, keyferry

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.create(tmp_path / "hsm", keys=3)


def test_an_ended_run_is_told_as_it_is(world: World) -> None:
    done = world.migrate()
    run = world.directory / "run"
    status = keyferry("status", run, "--json").document
    assert (status["schema"], status["state"], status["next"]) == ("keyferry.status/2", "ended", None)
    wrapping_key = done.document["wrapping_key"]
    assert status["wrapping_key"] == wrapping_key | {"stage": "ready"}
    ends = [(key["source_handle"], key["state"], key["destination_handle"]) for key in done.document["keys"]]
    assert [(key["source_handle"], key["stage"], key["destination_handle"]) for key in status["keys"]] == ends
    assert status["head"] == done.document["head"] is not None
    assert f"head: {status['head']}" in keyferry("verify", run).out
    table = keyferry("status", run)
    assert (table.status, "ended: 3 verified" in table.out) == (0, True), table.out


def test_a_dry_run_that_looked_at_all_has_ended(world: World) -> None:
    world.migrate("--dry-run")
    status = world.status()
    assert (status["state"], status["next"], status["stages"]["planned"]) == ("ended", None, 3)


def test_a_run_that_broke_off_says_how_it_goes_on(world: World) -> None:
    world.arm("key_mgmt_util", "die", "unWrapKey", nth=2)
    assert world.migrate().status == 9
    run = world.directory / "run"
    status = keyferry("status", run, "--json").document
    assert (status["state"], status["next"]) == ("resumable", f"keyferry resume {run}")
    assert f"head: {status['head']}" in keyferry("verify", run).out
    # The source may or may not have wrapped the last key meanwhile.
    assert (status["stages"]["verified"], status["stages"]["needs operator"]) == (1, 1)
    assert sum(status["stages"].values()) == 3


def test_a_run_that_goes_on_is_watched_until_it_ends(world: World) -> None:
    world.migrate()
    journal, _found = Journal.reopen(world.directory / "run" / "journal.jsonl")
    running = keyferry("status", world.directory / "run", "--json").document
    assert (running["state"], running["head"]) == ("running", None)
    journal.close()
    watched = keyferry("status", world.directory / "run", "--watch")
    assert watched.err.count("ended: 3 verified") == 1


def test_what_is_no_run_is_a_usage_error(tmp_path: Path) -> None:
    done = keyferry("status", tmp_path)
    assert (done.status, "journal.jsonl cannot be read" in done.err) == (2, True), done.err
