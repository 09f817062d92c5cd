"""Which keys cross, and as what, by patterns and by a file; on the emulator."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from records import both_say
from runs import World, keyferry

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.create(tmp_path / "hsm")


def _run(world: World, *arguments: object, run: str = "run") -> Any:
    where = ("--json", "--config", world.config, "--run-dir", world.directory / run)
    return keyferry("migrate", *arguments, *where, **world.environment)


def _planned(world: World) -> list[dict[str, Any]]:
    keys = world.migrate("--dry-run", run="look").document["keys"]
    return [key for key in keys if key["state"] == "planned"]


def _file(world: World, *rows: dict[str, object]) -> Path:
    path = world.directory / "keys.json"
    path.write_text(json.dumps(rows))
    return path


def test_patterns_choose_and_leave_out(world: World) -> None:
    labels = [key["label"] for key in _planned(world)]
    stays = next(label for label in labels if labels.count(label) == 1)
    done = _run(world, "--label-glob", "*", "--exclude", f"label:{stays}", "--dry-run")
    assert done.status == 0, done.err
    assert [key["label"] for key in done.document["keys"] if key["state"] == "planned"] == [
        label for label in labels if label != stays
    ]


def test_a_file_says_what_each_key_shall_be(world: World) -> None:
    first, second = _planned(world)[:2]
    other = keyferry("kmu", "list-users", "--json", "--config", world.config).document["users"]
    user = next(one["id"] for one in other if one["type"] == "CO")
    path = _file(
        world,
        {
            "handle": first["source_handle"],
            "label": first["label"],
            "new_label": "renamed",
            "id": "till-9",
            "extractable": False,
            "quorum": 2,
            "shared_users": [str(user)],
        },
        {"handle": second["source_handle"]},
    )
    done = _run(world, "--from", path)
    assert done.status == 0, done.err
    new = {key["source_handle"]: key for key in done.document["keys"]}
    assert new.keys() == {first["source_handle"], second["source_handle"]}
    one = new[first["source_handle"]]
    assert (one["state"], one["new_label"], one["id"]) == ("verified", "renamed", "till-9")
    row = world.store.row("SELECT * FROM cloud_key WHERE handle = ?", one["destination_handle"])
    assert row is not None
    assert (row["label"], row["approvers"]) == (b"renamed", 2)
    assert "EXTRACTABLE" not in row["flags"]
    assert new[second["source_handle"]]["new_label"] == second["label"]
    both_say("complete", world.directory / "run")


def test_a_plan_keeps_what_a_file_said(world: World) -> None:
    first = _planned(world)[0]
    path = _file(world, {"handle": first["source_handle"], "new_label": "renamed", "extractable": False})
    plan = world.directory / "plan.json"
    made = keyferry("plan", "--from", path, "-o", plan, "--json", "--config", world.config)
    assert made.status == 0, made.err
    path.unlink()
    done = _run(world, plan)
    assert done.status == 0, done.err
    [key] = done.document["keys"]
    assert (key["state"], key["new_label"]) == ("verified", "renamed")


@pytest.mark.parametrize(
    ("row", "seen"),
    [
        ({"new_label": "two words"}, "label 'two words'"),
        ({"id": "two words"}, "id 'two words'"),
        ({"shared_users": ["a_name"]}, "a_name"),
        ({"quorum": 9}, "quorum 9"),
    ],
)
def test_what_the_tool_cannot_be_told_is_refused_before_one_is_started(
    world: World, row: dict[str, object], seen: str
) -> None:
    done = _run(world, "--from", _file(world, {"handle": 1, **row}))
    assert done.status == 2
    assert seen in done.err
    assert not list((world.directory / "run" / "sessions").glob("*"))


def test_a_file_with_a_fault_starts_nothing(world: World) -> None:
    done = _run(world, "--from", _file(world, {"handle": 1, "color": "red"}))
    assert done.status == 2
    assert "unknown column" in done.err
    assert not (world.directory / "run").exists()


@pytest.mark.parametrize("words", [("--all", "--label-glob", "*"), ("--exclude", "x"), ("--all", "--key", "1")])
def test_which_keys_is_said_in_one_way(world: World, words: tuple[str, ...]) -> None:
    assert _run(world, *words).status == 2


def test_a_named_key_of_a_file_that_cannot_cross_ends_the_command(world: World) -> None:
    keys = world.migrate("--dry-run", run="look").document["keys"]
    stays = next(key["source_handle"] for key in keys if key["rule"] == "KEY-EXTRACTABLE")
    done = _run(world, "--from", _file(world, {"handle": stays}))
    assert done.status == 8, done.err
