from __future__ import annotations

import json
import os
import stat
from typing import TYPE_CHECKING

import pytest

from runs import World, keyferry

if TYPE_CHECKING:
    from pathlib import Path

SEEDS = int(os.environ.get("KEYFERRY_TEST_SEEDS", "8"))
SKIPPING = {
    "KEY-CLASS",
    "KEY-TYPE",
    "KEY-EXTRACTABLE",
    "OAEP-CAPACITY",
    "LABEL-TYPEABLE",
    "ID-TYPEABLE",
    "ALREADY-THERE",
}


SIDES = [("5", "key_mgmt_util"), ("7", "key_mgmt_util"), ("7", "cloudhsm-cli")]
"""A Classic generation and the tool of the destination."""


@pytest.mark.parametrize(("luna", "tool"), SIDES)
def test_fifty_keys_cross_or_are_named_with_their_rule(luna: str, tool: str, tmp_path: Path) -> None:
    call = ("rehearse", "--keys", "50", "--luna", luna, "--nodes", "3", "--json", "--destination", tool)
    done = keyferry(*call, "--dir", tmp_path / "r")
    assert done.status == 0, done.err
    document = done.document
    totals = document["totals"]
    assert totals["planned"] == len(document["keys"]) == 50
    assert totals["planned"] == totals["verified"] + totals["skipped"]
    assert totals["verified"] >= 25
    assert all(key["rule"] in SKIPPING for key in document["keys"] if key["state"] == "skipped")
    assert all(key["rule"] is None and key["proof"] for key in document["keys"] if key["state"] == "verified")


@pytest.mark.parametrize(("luna", "tool"), SIDES)
def test_the_verified_keys_are_the_same_on_both_sides(luna: str, tool: str, tmp_path: Path) -> None:
    done = keyferry("rehearse", "--luna", luna, "--destination", tool, "--json", "--dir", tmp_path / "r")
    world = World(tmp_path / "r")
    verified = [key for key in done.document["keys"] if key["state"] == "verified"]
    assert verified
    for key in verified:
        assert classic_value(world, key["source_handle"]) == cloud_value(world, key["destination_handle"])


def test_a_key_that_did_not_cross_is_not_on_the_new_side(tmp_path: Path) -> None:
    done = keyferry("rehearse", "--json", "--dir", tmp_path / "r")
    world = World(tmp_path / "r")
    there = {bytes(row["value"]) for row in world.store.rows("SELECT value FROM cloud_key WHERE class = 4")}
    skipped = [key for key in done.document["keys"] if key["state"] == "skipped"]
    assert skipped
    assert not there & {classic_value(world, key["source_handle"]) for key in skipped}


@pytest.mark.parametrize(
    ("seed", "tool"),
    [(seed, "key_mgmt_util") for seed in range(SEEDS)] + [(seed, "cloudhsm-cli") for seed in range(SEEDS // 4)],
)
def test_what_is_not_known_of_the_tools_may_vary(seed: int, tool: str, tmp_path: Path) -> None:
    fewest = 2 if tool == "cloudhsm-cli" else 1  # DESTINATION-AVAILABILITY
    luna, kmu, nodes = ("5", "7")[seed % 2], ("g1", "g2")[seed // 2 % 2], seed % 3 + fewest
    call = ("rehearse", "--luna", luna, "--kmu", kmu, "--nodes", nodes, "--jitter", f"seed-{seed}", "--json")
    done = keyferry(*map(str, call), "--destination", tool, "--dir", tmp_path / "r")
    assert done.status == 0, done.err
    assert set(done.states) == {"verified", "skipped"}
    assert done.rules <= SKIPPING


def test_older_texts_of_key_mgmt_util_are_understood(tmp_path: Path) -> None:
    done = keyferry("rehearse", "--kmu", "g1", "--json", "--dir", tmp_path / "r")
    assert done.status == 0, done.err
    assert done.states["verified"] >= 4


def test_a_person_sees_steps_keys_totals_and_where_the_record_lies(tmp_path: Path) -> None:
    done = keyferry("rehearse", "--dir", tmp_path / "r")
    assert done.status == 0
    for number in ("1.1", "1.2", "2.1", "3", "4.1", "4.2", "4.3", "4.4", "4.5", "4.6", "5.1", "5.2", "6", "7.2"):
        assert f"{number:>4}  " in done.err
    assert "10 planned = " in done.out
    assert f"record: {tmp_path}/r/run" in done.out
    assert "try next" in done.out


def test_the_run_directory_is_private_and_whole(tmp_path: Path) -> None:
    keyferry("rehearse", "--json", "--dir", tmp_path / "r")
    run = tmp_path / "r" / "run"
    for path in (run, *run.rglob("*")):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path
    manifest = json.loads((run / "manifest.json").read_text())
    there = {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()} - {"manifest.json"}
    assert set(manifest["files"]) == there
    assert {"run.json", "plan.json", "journal.jsonl"} <= there


def test_a_rehearsal_never_takes_another_ones_folder(tmp_path: Path) -> None:
    keyferry("emulator", "init", tmp_path / "r")
    before = (tmp_path / "r" / "secrets" / "pin").read_text()
    done = keyferry("rehearse", "--dir", tmp_path / "r")
    assert done.status == 2
    assert "hint:" in done.err
    assert (tmp_path / "r" / "secrets" / "pin").read_text() == before


def classic_value(world: World, handle: int) -> bytes:
    row = world.store.row("SELECT attributes FROM luna_object WHERE handle = ? ORDER BY partition", handle)
    assert row is not None
    return bytes.fromhex(json.loads(row["attributes"])["CKA_VALUE"])


def cloud_value(world: World, handle: int) -> bytes:
    row = world.store.row("SELECT value FROM cloud_key WHERE handle = ?", handle)
    assert row is not None
    return bytes(row["value"])
