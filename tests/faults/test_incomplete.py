"""A run that was killed verifies as incomplete and intact to its last event; resumed, as complete."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from killed import killed, killed_after_line
from longer import every
from records import both_say, by_package, by_script, by_script_here, edit, head_of
from runs import World, keyferry
from ssh_keys import make_key
from tampering import event_removed, header_edited

if TYPE_CHECKING:
    from pathlib import Path

    from records import Told

LINES = 75
_AFTER_EVENT = """
import os, signal, sys
from keyferry.recording import recorder
left = int(sys.argv.pop(1))
class Cut(recorder.AppendOnlyFile):
    def add(self, line, after):
        global left
        left -= len(line)
        super().add(line if left > 0 else line[: left or None], after)
        if left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
recorder.AppendOnlyFile = Cut
from keyferry.cli.__main__ import main
main()
"""


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.create(tmp_path / "hsm", keys=2)


def command(world: World) -> tuple[object, ...]:
    return ("migrate", "--all", "--config", world.config, "--run-dir", world.directory / "run")


@pytest.mark.parametrize("line", every(17, range(1, LINES)))
def test_killed_after_a_line_of_the_journal(world: World, line: int) -> None:
    assert killed_after_line(world, line, *command(world))
    both_say("incomplete", world.directory / "run")
    assert world.resume().status == 0
    both_say("complete", world.directory / "run")


@pytest.mark.parametrize("byte", every(5, [1, 700, 2900, 9001, 12000, 17003, 20111, 23002, 26500, 30007]))
def test_killed_in_the_middle_of_a_line_of_a_recording(world: World, byte: int) -> None:
    assert killed(world, _AFTER_EVENT, [byte, *command(world)])
    run = world.directory / "run"
    both_say("incomplete", run)
    done = keyferry("verify", run)
    assert done.status == 7
    assert "incomplete: there is no manifest.json" in done.out
    if done.out.count("was not completed"):
        assert "intact up to event" in done.out
    assert world.resume().status == 0
    both_say("complete", run)


def test_what_is_left_of_a_killed_run_cannot_be_changed_either(world: World) -> None:
    assert killed_after_line(world, 50, *command(world))
    run = world.directory / "run"
    for name, change in (
        ("sessions/003-ckdemo.cast", event_removed),
        ("sessions/001-key_mgmt_util.cast", header_edited),
        ("journal.jsonl", event_removed),
        ("plan.json", lambda lines: [lines[0].replace(b"0", b"1", 1)]),
        ("files/wrapping_public.pem", lambda lines: lines[1:]),
        ("sessions/002-vtl.cast", lambda lines: lines[:-1]),
    ):
        before = (run / name).read_bytes()
        edit(run / name, change)
        both_say("wrong", run, name.rpartition("/")[2])
        if name.startswith("sessions/"):
            done = world.resume()
            assert (done.status, "nothing was typed" in done.err) == (8, True), done.err
        (run / name).write_bytes(before)
    both_say("incomplete", run)


def test_both_say_the_same_of_a_journal_that_was_cut_back(world: World) -> None:
    """Down to the last intent whose command a session shows, it is noticed; below, nothing can show it."""
    assert killed_after_line(world, 65, *command(world))
    run = world.directory / "run"
    lines = (run / "journal.jsonl").read_bytes().splitlines(keepends=True)
    verdicts = []
    for count in range(len(lines), 0, -1):
        (run / "journal.jsonl").write_bytes(b"".join(lines[:count]))
        verdicts.append(by_package(run).verdict)
        assert by_script_here(run).verdict == verdicts[-1], count
    assert verdicts.index("wrong") < 12
    assert set(verdicts[verdicts.index("wrong") :]) == {"wrong"}


def test_a_cut_session_of_a_resumed_run_stays_as_the_crash_left_it(world: World) -> None:
    assert killed_after_line(world, 50, *command(world))
    cut = keyferry("report", world.directory / "run", "--json").document
    assert (cut["complete"], cut["verification"]["what"].split(":")[0]) == (False, "incomplete and intact")
    assert world.resume().status == 0
    whole = keyferry("report", world.directory / "run", "--json").document
    assert (whole["complete"], whole["verification"]["what"].split(":")[0]) == (True, "complete and intact")
    assert [one["kind"] for one in whole["exceptions"]].count("resumed") == 1
    session = world.directory / "run" / "sessions" / "003-ckdemo.cast"
    edit(session, lambda lines: lines[:-1])
    said: list[Told] = [by_package(world.directory / "run"), by_script(world.directory / "run")]
    assert {told.verdict for told in said} == {"wrong"}
    assert all("003-ckdemo.cast" in told.words for told in said)


def test_a_signed_run_goes_on_and_its_record_stays_whole(world: World, tmp_path: Path) -> None:
    world.arm("key_mgmt_util", "label-changed", "unWrapKey", nth=2)
    assert world.migrate().status == 6
    run = world.directory / "run"
    head = head_of(run)
    assert keyferry("sign", "--rehearsal", run, "--key", make_key(tmp_path, "alice")).status == 0
    [bad] = [key for key in world.status()["keys"] if key["stage"] == "failed"]
    assert keyferry("resolve", run, bad["source_handle"], "--retry").status == 0
    assert world.resume().status == 0
    both_say("complete", run, head=head)
    both_say("complete", run, head=head_of(run))
