"""The same keys from two runs at once, or from two copies of one run folder: no key is there twice unseen."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from killed import arrivals, killed_after_line, scripted, with_others
from records import both_say
from runs import DESTINATIONS, World, keyferry, through
from undisturbed import Plain, migration

if TYPE_CHECKING:
    from pathlib import Path

    from runs import Done

# Stops in front of the tool's first unwrap, or behind it, and meanwhile runs another command from beginning to end.
_AT_UNWRAP = """
import json, subprocess, sys
from keyferry.terminal.console import Console
when, other = sys.argv.pop(1), json.loads(sys.argv.pop(1))
say, hear, state = Console.say, Console.hear, {"done": False, "line": ""}
def between():
    if not state["done"]:
        state["done"] = True
        subprocess.run([sys.executable, "-m", "keyferry.cli", *other], capture_output=True)
def said(self, line, **how):
    if line.startswith(("unWrapKey -f", "key unwrap")) and when == "before":
        between()
    say(self, line, **how)
    state["line"] = line
def heard(self, *prompts, **how):
    answer = hear(self, *prompts, **how)
    if state["line"].startswith(("unWrapKey -f", "key unwrap")) and when == "after":
        between()
    return answer
Console.say, Console.hear = said, heard
from keyferry.cli.__main__ import main
main()
"""


def at_unwrap(world: World, when: str, other: tuple[object, ...]) -> Done:
    return scripted(world, _AT_UNWRAP, [when, json.dumps([str(word) for word in other]), *migration(world)])


def told(world: World, run: str) -> list[str | None]:
    """The rules of a run's errors, and None for its end."""
    lines = map(json.loads, (world.directory / run / "journal.jsonl").read_text().splitlines())
    return [line.get("rule") for line in lines if line["kind"] in ("error", "end")]


def second(world: World, *words: str) -> tuple[object, ...]:
    return (*migration(world)[:-1], world.directory / "second", *words)


def test_a_second_run_under_the_same_label_finds_the_pair_of_the_first(plain: Plain) -> None:
    world = plain.fresh("same")
    label = ("--wrapping-label", "classic_wrap")
    done = with_others(world, plain.line("done", "generate"), [second(world, *label)], *migration(world), *label)
    assert told(world, "second") == ["WRAPPING-KEY-NEW"]
    plain.is_reached(world, done)


def test_keys_that_another_run_carries_meanwhile_are_skipped(plain: Plain) -> None:
    world = plain.fresh("other")
    done = with_others(world, plain.line("done", "allow wrapping"), [second(world)], *migration(world))
    assert told(world, "second") == told(world, "run") == [None]
    assert (done.status, done.states, done.rules) == (0, {"skipped": 2}, {"ALREADY-THERE"}), done.err
    assert len(arrivals(world)) == 2
    both_say("complete", world.directory / "run")


@pytest.mark.parametrize("tool", DESTINATIONS)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_key_that_another_run_unwraps_at_the_same_moment_stops_the_run(when: str, tool: str, tmp_path: Path) -> None:
    world = World.create(tmp_path / "hsm", keys=3)
    world.environment.update(through(tool))
    done = at_unwrap(world, when, second(world))
    first, *others = done.document["keys"]
    if when == "after":  # the other run has asked, and skips the key
        assert (done.status, done.states) == (0, {"verified": 1, "skipped": 2}), done.err
        assert len(arrivals(world)) == 3
        return
    assert (done.status, done.states) == (7, {"needs_operator": 1, "planned": 2}), done.err
    assert (first["rule"], {key["state"] for key in others}) == ("ALREADY-THERE", {"planned"})
    (theirs,) = set(arrivals(world)) & {
        key["destination_handle"]
        for key in keyferry("status", world.directory / "second", "--json").document["keys"]
        if key["source_handle"] == first["source_handle"]
    }
    assert str(theirs) in first["detail"]
    assert str(first["destination_handle"]) in first["detail"]
    run = world.directory / "run"
    assert keyferry("resolve", run, first["source_handle"], "--adopt", first["destination_handle"]).status == 0
    last = world.resume()
    assert (last.status, last.states) == (0, {"verified": 1, "skipped": 2}), last.err
    both_say("complete", run)


def test_two_copies_of_a_run_folder_do_not_make_a_key_twice(tmp_path: Path) -> None:
    plain = World.create(tmp_path / "plain", keys=2)
    shutil.copytree(plain.directory, tmp_path / "hsm")
    world = World(tmp_path / "hsm")
    assert plain.migrate().status == 0
    journal = [json.loads(line) for line in (plain.directory / "run" / "journal.jsonl").read_text().splitlines()]
    line = next(entry["seq"] for entry in journal if entry["kind"] == "done" and entry["act"] == "wrap")
    assert killed_after_line(world, line, *migration(world))
    shutil.copytree(world.directory / "run", world.directory / "copy")
    assert world.resume(run="copy").states == {"verified": 2}
    done = world.resume()
    assert (done.status, done.states, done.rules) == (0, {"skipped": 2}, {"ALREADY-THERE"}), done.err
    assert len(arrivals(world)) == 2
