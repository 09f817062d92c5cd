"""`keyferry plan`, and `keyferry migrate PLAN` against a world that stays as it was, or does not."""

from __future__ import annotations

import hashlib
import json
import stat
from typing import TYPE_CHECKING, Any

import pytest

from runs import Done, World, keyferry
from ssh_keys import allowed_signers, make_key, sign_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.create(tmp_path / "hsm")


def _plan(world: World, *arguments: str, **environment: str) -> tuple[Path, Done]:
    path = world.directory / "plan.json"
    words = arguments if "--key" in arguments else ("--all", *arguments)
    return path, keyferry("plan", *words, "-o", path, "--json", "--config", world.config, **environment)


def _carry(world: World, *arguments: object, run: str = "run", **environment: str) -> Done:
    call = ("migrate", world.directory / "plan.json", *arguments, "--json", "--config", world.config)
    return keyferry(*call, "--run-dir", world.directory / run, **world.environment | environment)


def _events(world: World, kind: str) -> list[dict[str, Any]]:
    lines = (world.directory / "run" / "journal.jsonl").read_bytes().splitlines()
    return [line for line in map(json.loads, lines) if line["kind"] == kind]


def test_a_plan_is_made_and_carried_out(world: World) -> None:
    before = world.store.rows("SELECT * FROM cloud_key")
    path, made = _plan(world)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert made.status == 0, made.err
    assert (made.document["schema"], made.document["sha256"]) == ("keyferry.planned/1", digest)
    assert world.store.rows("SELECT * FROM cloud_key") == before
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert _carry(world, "--dry-run", run="look").states == made.states
    done = _carry(world)
    assert done.status == 0, done.err
    assert done.states == {"verified": made.states["planned"], "skipped": made.states["skipped"]}
    assert (world.directory / "run" / "plan.json").read_bytes() == path.read_bytes()
    run_id = json.loads(path.read_bytes())["run_id"]
    given = [key["id"] for key in done.document["keys"] if key["state"] == "verified" and key["id"].startswith("kf-")]
    assert given
    assert all(name.startswith(f"kf-{run_id}-") for name in given)


def test_the_plan_is_told_to_a_person(world: World) -> None:
    path = world.directory / "plan.json"
    done = keyferry("plan", "--all", "-o", path, "--config", world.config)
    assert f"sha256: {hashlib.sha256(path.read_bytes()).hexdigest()}\n" in done.out
    assert "planned" in done.out


def test_the_plans_own_settings_hold_where_nothing_else_is_said(world: World) -> None:
    _plan(world, "--wrapping-label", "wrap_7", "--non-extractable", "--reid", KEYFERRY_WRAPPING_BITS="3072")
    done = _carry(world)
    assert done.status == 0, done.err
    assert done.document["wrapping_key"]["label"] == "wrap_7"
    assert "ID-TYPEABLE" not in done.rules
    flags = world.store.row("SELECT flags FROM cloud_key WHERE handle = ?", _first(done, "verified"))
    assert flags is not None
    assert "EXTRACTABLE" not in flags["flags"]
    assert {path.stat().st_size for path in (world.directory / "run" / "files").glob("*.wrapped")} == {384}


def _first(done: Done, state: str) -> int:
    handle: int = next(key["destination_handle"] for key in done.document["keys"] if key["state"] == state)
    return handle


def test_an_ha_group_is_carried_by_what_its_keys_say_of_themselves(world: World) -> None:
    slots = keyferry("vtl", "list-slots", "--json", "--config", world.config).document["slots"]
    [group] = [slot for slot in slots if slot["ha"]]
    slot = {"KEYFERRY_SOURCE_SLOT": f"serial:{group['serial']}"}
    lines = world.config.read_text().splitlines(keepends=True)
    world.config.write_text("".join(line for line in lines if not line.startswith("slot")))
    _, made = _plan(world, **slot)
    done = _carry(world)  # the plan says which slot
    assert done.status == 0, done.err
    assert done.states["verified"] == made.states["planned"]
    planned = {key["source_handle"] for key in made.document["keys"]}
    assert {key["source_handle"] for key in done.document["keys"]} == planned
    assert {line["key"] for line in _events(world, "key")} <= planned


def _attribute(name: str, value: str) -> Callable[[World, dict[str, Any]], None]:
    def change(world: World, key: dict[str, Any]) -> None:
        row = world.store.row("SELECT attributes FROM luna_object WHERE handle = ?", key["source_handle"])
        assert row is not None
        attributes = json.loads(row["attributes"]) | {name: value}
        world.store.run(
            "UPDATE luna_object SET attributes = ? WHERE handle = ?", json.dumps(attributes), key["source_handle"]
        )

    return change


def _gone(world: World, key: dict[str, Any]) -> None:
    world.store.run("DELETE FROM luna_object WHERE handle = ?", key["source_handle"])


def _serial(world: World, _key: dict[str, Any]) -> None:
    world.store.run("UPDATE luna_partition SET serial = '1582163089999'")


def _there(world: World, key: dict[str, Any]) -> None:
    carried = world.migrate("--key", str(key["source_handle"]), "--wrapping-label", "w2", run="before")
    assert carried.status == 0, carried.err


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        (_attribute("CKA_LABEL", b"renamed".hex()), "label: 'renamed'"),
        (_attribute("CKA_EXTRACTABLE", "00"), "CKA_EXTRACTABLE: '00'"),
        (_attribute("CKA_VALUE", "ab" * 16), "check value"),
        (_gone, "is gone"),
        (_serial, "serial: '1582163089999'"),
        (_there, "ALREADY-THERE"),
    ],
)
def test_another_world_is_refused_before_anything_is_changed(
    world: World, change: Callable[[World, dict[str, Any]], None], seen: str
) -> None:
    _, made = _plan(world)
    key = next(key for key in made.document["keys"] if key["state"] == "planned" and key["kcv"])
    change(world, key)
    before = [tuple(row) for row in world.store.rows("SELECT * FROM cloud_key")]
    done = _carry(world)
    assert done.status == 8, done.err
    assert "PLAN-MATCH" in done.err
    assert seen in done.err
    assert [tuple(row) for row in world.store.rows("SELECT * FROM cloud_key")] == before


def test_a_key_that_came_since_stays(world: World) -> None:
    _, made = _plan(world)
    row = world.store.row("SELECT * FROM luna_object WHERE handle = ?", made.document["keys"][-1]["source_handle"])
    assert row is not None
    values = (row["partition"], 999, row["attributes"])
    world.store.run("INSERT INTO luna_object (partition, handle, attributes) VALUES (?, ?, ?)", *values)
    done = _carry(world)
    assert done.status == 0, done.err
    assert "1 symmetric key came" in done.err
    assert 999 not in {key["source_handle"] for key in done.document["keys"]}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DESTINATION_USER", "another"),
        ("DESTINATION_TOOL", "other_tool"),
        ("WRAPPING_BITS", "4096"),
        ("WRAPPING_LABEL", "w"),
    ],
)
def test_other_settings_are_refused_before_any_tool_is_started(world: World, name: str, value: str) -> None:
    _plan(world)
    done = _carry(world, **{f"KEYFERRY_{name}": value})
    assert done.status == 8
    assert "PLAN-MATCH" in done.err
    assert value in done.err
    assert not (world.directory / "run").exists()


@pytest.mark.parametrize("words", [("--all",), ("--key", "42"), ("--again",), ("--signature", "x")])
def test_a_plan_says_which_keys_and_how(world: World, words: tuple[str, ...]) -> None:
    _plan(world)
    assert _carry(world, *words).status == 2


def test_a_plan_that_was_edited_or_overwritten_is_refused(world: World) -> None:
    path, made = _plan(world)
    assert _plan(world)[1].status == 2
    path.write_bytes(path.read_bytes().replace(b'"again":false', b'"again": true'))
    assert _carry(world).status == 2
    assert made.document["sha256"] != hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_named_key_that_cannot_cross_makes_no_plan(world: World) -> None:
    listed = world.migrate("--dry-run", run="look").document["keys"]
    stays = next(key["source_handle"] for key in listed if key["rule"] == "KEY-EXTRACTABLE")
    path, done = _plan(world, "--key", str(stays))
    assert done.status == 8
    assert not path.exists()
    assert done.document["sha256"] is None


def test_an_approved_plan_is_carried_out_and_the_approval_recorded(world: World, tmp_path: Path) -> None:
    path, made = _plan(world)
    alice, oscar = make_key(tmp_path, "alice"), make_key(tmp_path, "oscar")
    allowed = allowed_signers(tmp_path / "allowed", alice=alice, oscar=oscar)
    who = ("--require-approval", allowed, "--operator", "oscar")
    assert _carry(world, *who).status == 8
    sign_file(path, oscar)
    assert _carry(world, *who).status == 8
    assert not (world.directory / "run").exists()
    path.with_name("plan.json.sig").unlink()
    elsewhere = sign_file(path, alice).rename(tmp_path / "approval.sig")
    done = _carry(world, *who, "--signature", elsewhere)
    assert done.status == 0, done.err
    [line] = _events(world, "approval")
    assert (line["principal"], line["operator"], line["plan"]) == ("alice", "oscar", made.document["sha256"])
    manifest = json.loads((world.directory / "run" / "manifest.json").read_bytes())
    assert manifest["files"]["plan.json.sig"]["sha256"] == line["signature"]


def test_without_a_plan_there_is_nothing_to_approve(world: World, tmp_path: Path) -> None:
    done = world.migrate("--require-approval", str(tmp_path / "allowed"))
    assert done.status == 2
