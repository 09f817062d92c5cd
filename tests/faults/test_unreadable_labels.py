"""Labels with line breaks or NUL: the key is listed and skipped, all others are migrated."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from keyferry.emulator.classic.objects import AES, secret_key
from place import Place
from runs import World, keyferry

if TYPE_CHECKING:
    from pathlib import Path

BROKEN = (
    "two\nlines",
    "first\nHandle 9999 -- label: not-an-object\n\nlast",
    "nul\0behind",
    "\nblank before",
    "carriage\rreturn",
)


def created(directory: Path, luna: str, labels: tuple[str, ...]) -> World:
    world = World.create(directory, keys=2, luna=luna)
    session = Place(world.directory).session()
    for label in labels:
        session.create(secret_key(AES, os.urandom(32)) | {"CKA_LABEL": label.encode()})
    return world


@pytest.mark.parametrize("luna", ["5", "7"])
def test_an_unreadable_object_is_skipped_and_the_others_are_migrated(tmp_path: Path, luna: str) -> None:
    world = created(tmp_path / "hsm", luna, BROKEN)
    listed = keyferry("inventory", "source", "--json", "--config", world.config)
    assert {key["label"] for key in listed.document["keys"]} >= set(BROKEN), listed.err
    done = world.migrate("--relabel")
    assert (done.status, done.states) == (0, {"verified": 2, "skipped": len(BROKEN)}), done.err
    skipped = {key["label"]: key["rule"] for key in done.document["keys"] if key["state"] == "skipped"}
    assert skipped == dict.fromkeys(BROKEN, "OBJECT-UNREADABLE")


def test_another_key_is_migrated_by_name_and_the_unreadable_one_is_refused(tmp_path: Path) -> None:
    world = created(tmp_path / "hsm", "7", BROKEN[:1])
    keys = {key["state"]: key for key in world.migrate("--dry-run", run="look").document["keys"]}
    done = world.migrate("--key", str(keys["planned"]["source_handle"]))
    assert (done.status, done.states) == (0, {"verified": 1}), done.err
    refused = world.migrate("--key", str(keys["skipped"]["source_handle"]), run="refused")
    assert (refused.status, "OBJECT-UNREADABLE" in refused.err) == (8, True), refused.err


def test_a_label_that_looks_like_a_flag(tmp_path: Path) -> None:
    world = created(tmp_path / "hsm", "7", ("-l", "-f", "-noheader"))
    done = world.migrate()
    assert (done.status, done.states) == (0, {"verified": 5}), done.err
    run = world.directory / "run"
    checked = keyferry("explain", "--check", run / "plan.json", run, "--json")
    assert checked.status == 0, checked.out


def test_a_plan_with_an_unreadable_object_is_executed(tmp_path: Path) -> None:
    world = created(tmp_path / "hsm", "7", BROKEN[:1])
    out = world.directory / "plan.json"
    planned = keyferry("plan", "--all", "-o", out, "--config", world.config)
    assert planned.status == 0, planned.err
    done = keyferry("migrate", out, "--json", "--config", world.config, "--run-dir", world.directory / "run")
    assert (done.status, done.states) == (0, {"verified": 2, "skipped": 1}), done.err
