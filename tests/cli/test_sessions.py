"""Several sessions on each side: the same end, each on its own record, each secret typed in its turn."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from runs import DESTINATIONS, World, keyferry
from undisturbed import Plain

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("tool", DESTINATIONS)
def test_several_sessions_come_to_what_one_comes_to(tmp_path: Path, tool: str) -> None:
    plain = Plain(tmp_path, tool, keys=14)
    world = plain.fresh("three")
    plain.is_reached(world, world.migrate("--sessions", "3"))
    run = world.directory / "run"
    assert keyferry("verify", run).status == 0
    assert keyferry("explain", run, "--check").status == 0
    _each_logged_in_once(run, tool)


def _each_logged_in_once(run: Path, tool: str) -> None:
    """And after the login before it had succeeded (LOGIN-ONCE); no key was wrapped before the first had crossed."""
    lines = list(map(json.loads, (run / "journal.jsonl").read_text().splitlines()))
    for name in ("ckdemo", tool):
        casts = [list(map(json.loads, path.read_text().splitlines())) for path in run.glob(f"sessions/*-{name}.cast")]
        assert [sum(event[1] == "s" for event in cast[1:]) for cast in casts] == [1, 1, 1]
        markers = [{event[2] for event in cast[1:] if event[1] == "m"} for cast in casts]
        step = "5.2" if name == "ckdemo" else "7.2"
        keys = [marker for cast in markers for marker in cast if marker.startswith(step)]
        assert len(keys) == len(set(keys)) == sum(line["kind"] == "key" for line in lines)
    for secret in {line["secret"] for line in lines if line["kind"] == "login"}:
        outcomes = [line["outcome"] for line in lines if line.get("secret") == secret]
        assert outcomes == ["typed", "accepted"] * (len(outcomes) // 2)
    first = next(line["seq"] for line in lines if line["kind"] == "key" and line["state"] == "verified")
    assert sum(line.get("act") == "wrap" and line["kind"] == "intent" for line in lines[:first]) == 1


def test_an_ha_group_has_no_handles_to_share(tmp_path: Path) -> None:
    world = World.create(tmp_path / "hsm", keys=3)
    slots = keyferry("vtl", "list-slots", "--json", "--config", world.config).document["slots"]
    [group] = [slot["serial"] for slot in slots if slot["ha"]]
    done = world.migrate("--sessions", "2", "--slot", f"serial:{group}")
    assert done.status == 8
    assert "handles differ from session to session" in done.err
    assert "nothing was changed" in done.err
    assert '"s"' not in "".join(path.read_text() for path in world.directory.glob("run/sessions/*.cast"))


def test_a_number_of_sessions_that_nobody_means(tmp_path: Path) -> None:
    world = World.create(tmp_path / "hsm", keys=1)
    done = world.migrate("--sessions", "17")
    assert (done.status, (world.directory / "run").exists()) == (2, False)
    assert "sessions: 17 is not one of 1 to 16" in done.err
