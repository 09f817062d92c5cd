"""Before a PIN is typed to an HA slot, the failure counters of the members that can be seen are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runs import World, keyferry

if TYPE_CHECKING:
    from pathlib import Path

    from runs import Done

NOT_SEEN = "the failure counters of the HA group's members were not seen"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.create(tmp_path / "hsm", keys=1)


def _slot(world: World) -> tuple[str, str]:
    group = world.store.row("SELECT label FROM luna_group")
    assert group is not None
    return "--slot", f"label:{group['label']}"


def _on_group(world: World, *words: object) -> Done:
    return keyferry(*words, *_slot(world), "--config", world.config, **world.environment)


@pytest.mark.parametrize("member", [1, 2])
def test_a_raised_counter_of_any_member_is_near_a_lock_out(world: World, member: int) -> None:
    world.store.run("UPDATE luna_role SET failures = 1 WHERE partition = ?", member)
    for words in (("inventory", "source"), ("cmu", "list")):
        done = _on_group(world, *words)
        assert (done.status, "CKF_USER_PIN_COUNT_LOW" in done.err) == (5, True), done.err
    told = _on_group(world, "doctor").out
    assert "CKF_USER_PIN_COUNT_LOW" in next(line for line in told.splitlines() if "failure counter" in line)
    row = world.store.row("SELECT failures FROM luna_role WHERE partition = ?", member)
    assert row is not None
    assert row["failures"] == 1
    assert _on_group(world, "inventory", "source", "--allow-raised-counter").status == 0


def test_hidden_members_are_said_to_be_not_seen(world: World) -> None:
    world.store.set("ha_only", "1")
    done = world.migrate("--dry-run", *_slot(world))
    assert (done.status, NOT_SEEN in done.err) == (0, True), done.err
    assert NOT_SEEN in (world.directory / "run" / "journal.jsonl").read_text()
    assert NOT_SEEN in _on_group(world, "doctor").out


def test_seen_members_are_not_worth_a_word(world: World) -> None:
    done = world.migrate("--dry-run", *_slot(world))
    assert (done.status, "HA group" in done.err) == (0, False), done.err


def test_where_no_counter_is_seen_an_unfinished_login_blocks(world: World) -> None:
    world.store.set("ha_only", "1")
    world.arm("ckdemo", "die", "login")
    assert _on_group(world, "inventory", "source").status == 9
    assert _on_group(world, "inventory", "source").status == 4
    world.store.set("ha_only", "")
    assert _on_group(world, "inventory", "source").status == 0
