"""The HSMs of a cluster that change during a run: CloudHSM CLI's `full` says nothing about one that joins later."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from forgeries import changed
from records import by_package, forge
from runs import World, assert_not_wrong, keyferry, through

if TYPE_CHECKING:
    from pathlib import Path

CLI, INFO = "cloudhsm-cli", "cluster-hsm-info"


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World.create(tmp_path / "hsm", keys=3)
    world.environment.update(through(CLI))
    return world


def _journal(world: World, kind: str) -> list[dict[str, Any]]:
    lines = map(json.loads, (world.directory / "run" / "journal.jsonl").read_text().splitlines())
    return [line for line in lines if line["kind"] == kind]


def test_the_record_has_the_words_and_serial_numbers_that_were_printed(world: World) -> None:
    done = world.migrate()
    assert done.states == {"verified": 3}, done.err
    printed = "".join(path.read_text() for path in (world.directory / "run/sessions").glob(f"*-{CLI}.cast"))
    seen = _journal(world, "hsms")
    assert [(line["when"], line["baseline"]) for line in (seen[0], seen[-1])] == [
        ("before the first wrap", True),
        ("at the end", False),
    ]
    assert {line["when"] for line in seen[1:-1]} == {"after a batch"}
    assert all(len(line["serials"]) == 2 and all(serial in printed for serial in line["serials"]) for line in seen)
    full = {"cluster-coverage": ["full"], "key-coverage": ["full"]}
    for line in _journal(world, "key"):
        assert (line["nodes"], line["coverage"]) == ([], full)
    [endpoints] = _journal(world, "endpoints")
    assert list(endpoints["not_applicable"]) == ["PASSWORD-VISIBLE"]
    other = ["5.9G0001-ICM000909", *seen[0]["serials"][1:]]
    changes = [
        (changed("key", coverage=full | {"key-coverage": ["full", "full"]}), "its coverage is"),
        (changed("key", nodes=[0, 1]), "its nodes is"),
        (changed("hsms", serials=other), "had changed during it"),
        (
            lambda lines: [line | {"serials": other} if line["kind"] == "hsms" else line for line in lines],
            "no recording",
        ),
    ]
    for change, why in changes:
        forged = world.directory / f"forged-{why}"
        shutil.copytree(world.directory / "run", forged)
        forge(forged, journal=change)
        told = by_package(forged)
        assert (told.verdict, why in told.words) == ("wrong", True), told


@pytest.mark.parametrize(("fault", "nth"), [("hsm-joined", 1), ("hsm-left", 2), ("hsm-replaced", 2)])
def test_a_change_before_anything_is_made_ends_the_run_with_nothing_changed(world: World, fault: str, nth: int) -> None:
    world.arm(CLI, fault, INFO, nth=nth)
    done = world.migrate()
    assert (done.status, done.document["wrapping_key"]) == (8, None), done.err
    assert "DESTINATION-AVAILABILITY" in done.err


@pytest.mark.parametrize(
    ("fault", "status"), [("hsm-joined", 7), ("hsm-left", 7), ("hsm-replaced", 7), ("no-hsm", 10), ("busy", 1)]
)
def test_a_change_during_the_run_stops_it_and_resume_goes_on(world: World, fault: str, status: int) -> None:
    world.arm(CLI, fault, INFO, nth=3)
    done = world.migrate()
    assert (done.status, done.states) == (status, {"verified": 1, "planned": 2}), done.err
    if status == 7:
        assert "CLUSTER-COVERAGE" in done.err
    resumed = world.resume()
    assert (resumed.status, resumed.states) == (0, {"verified": 3}), resumed.err


def test_an_hsm_that_joined_must_have_the_keys_that_were_verified_before(world: World) -> None:
    world.arm(CLI, "hsm-joined", INFO, nth=3)
    assert world.migrate().status == 7
    world.store.run("INSERT INTO cloud_node (id) VALUES (99)")
    refused = world.resume()
    assert_not_wrong(world.directory / "run")
    [first] = [key for key in refused.document["keys"] if key["state"] == "needs_operator"]
    assert first["rule"] == "CLUSTER-COVERAGE"
    world.store.run("INSERT OR IGNORE INTO cloud_copy SELECT handle, 99 FROM cloud_key")
    answer = ("--adopt", first["destination_handle"])
    assert keyferry("resolve", world.directory / "run", first["source_handle"], *answer).status == 0
    resumed = world.resume()
    assert (resumed.status, resumed.states) == (0, {"verified": 3}), resumed.err
    assert [len(line["serials"]) for line in _journal(world, "hsms") if line["baseline"]] == [2, 3, 3]


def test_key_mgmt_util_lists_no_serial_numbers_and_nothing_is_called_passed(tmp_path: Path) -> None:
    world = World.create(tmp_path / "kmu", keys=3)
    assert world.migrate().status == 0
    assert _journal(world, "hsms") == []
    [endpoints] = _journal(world, "endpoints")
    assert list(endpoints["not_applicable"]) == ["DESTINATION-AVAILABILITY"]
    assert all(line["coverage"] is None and len(line["nodes"]) == 2 for line in _journal(world, "key"))
