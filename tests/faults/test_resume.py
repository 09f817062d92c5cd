"""A run that was killed goes on to the end that an undisturbed run has: same keys, same attributes, none twice."""

from __future__ import annotations

import signal

import pytest

from killed import arrivals, killed_after_line, on_a_full_disk, signalled_at_event
from longer import every
from runs import DESTINATIONS, keyferry
from undisturbed import Plain, migration

LISTS = 4  # lines about the HSMs that CloudHSM CLI lists: before the first wrap, after each of two batches, at the end
LINES, EVENTS = 75, 320
"""Lines of the journal of an undisturbed run of two keys; events of its sessions' records are some more than these."""


def each(stride: int, first: int) -> list[tuple[str, int]]:
    """Lines for either tool of the cluster; for CloudHSM CLI other lines, and fewer."""
    lines = range(first, LINES + 1)
    sampled = {"key_mgmt_util": every(stride, lines), "cloudhsm-cli": every(4 * stride, lines[stride // 2 :])}
    return [(tool, line) for tool, some in sampled.items() for line in some]


@pytest.mark.parametrize("plain", DESTINATIONS, indirect=True)
def test_the_lines_are_all_there(plain: Plain) -> None:
    assert plain.lines in (LINES, LINES + LISTS)


@pytest.mark.parametrize(("plain", "line"), each(11, 1), indirect=["plain"])
def test_killed_after_a_line_of_the_journal(plain: Plain, line: int) -> None:
    world = plain.fresh(f"line-{line}")
    assert killed_after_line(world, line, *migration(world))
    plain.is_reached(world, world.resume())


@pytest.mark.parametrize(("plain", "line"), each(23, 5), indirect=["plain"])
def test_killed_again_while_it_is_resumed(plain: Plain, line: int) -> None:
    """The second death comes at half of what is left."""
    world = plain.fresh(f"twice-{line}")
    assert killed_after_line(world, line, *migration(world))
    resume = ("resume", world.directory / "run", "--json", "--config", world.config)
    killed_after_line(world, line + (LINES - line) // 2 + 4, *resume)
    plain.is_reached(world, world.resume())


def test_a_run_that_ended_is_told_again_and_nothing_is_typed(plain: Plain) -> None:
    world = plain.fresh("ended")
    first = world.migrate()
    before = (world.directory / "run" / "journal.jsonl").read_bytes()
    again = world.resume("--pin", "file:/nowhere")
    assert (again.status, again.document["keys"]) == (0, first.document["keys"])
    assert (world.directory / "run" / "journal.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    ("plain", "event"),
    [
        *(("key_mgmt_util", event) for event in every(60, range(1, EVENTS + 1))),
        *(("cloudhsm-cli", event) for event in every(110, range(60, EVENTS + 1))),
    ],
    indirect=["plain"],
)
def test_killed_at_a_prompt_or_a_line_of_a_terminal(plain: Plain, event: int) -> None:
    world = plain.fresh(f"event-{event}")
    done = signalled_at_event(world, event, signal.SIGKILL, *migration(world))
    assert done.status == -signal.SIGKILL, done.err
    again = world.resume()
    if again.status == 4:  # killed during a login, of which no failure counter tells what came
        assert "did not finish" in again.err
        again = world.resume("--type-again", "--reason", "it was killed")
    plain.is_reached(world, again)


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("event", every(22, range(40, EVENTS - 60, 5)))
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_it_and_a_second_one_at_once(
    plain: Plain, number: signal.Signals, event: int, times: int
) -> None:
    world = plain.fresh(f"signal-{number}-{event}-{times}")
    done = signalled_at_event(world, event, number, *migration(world), times=times)
    assert done.status == 128 + number, done.err
    if "run_dir" in done.out:
        assert "hint: the record and the journal are complete up to here" in done.err
    plain.is_reached(world, world.resume())


def test_a_terminal_that_closes_sends_two_hangups_that_count_once(plain: Plain) -> None:
    """No key is left in doubt, wherever in the transfer of a key they come."""
    world = plain.fresh("closed")
    done = signalled_at_event(world, EVENTS // 2, signal.SIGHUP, *migration(world), times=2, apart=0)
    assert done.status == 128 + signal.SIGHUP, done.err
    assert done.err.count("SIGHUP received: finishing step ") == 1
    assert not {"needs_operator", "failed"} & {*done.states}
    plain.is_reached(world, world.resume())


FULL = [
    *(("journal", size) for size in (600, 2000, 2600, 4000, 6000, 9000, 11000, 14000, 17000, 19000)),
    *(("record", size) for size in (0, 500, 1200, 1480, 3000, 9000, 12000, 20000, 26000)),
    *(("document", size) for size in (300, 2000)),
    *(("file", size) for size in (0, 10, 100, 300)),
]


@pytest.mark.parametrize(("kind", "size"), every(3, FULL))
def test_a_disk_that_is_full(plain: Plain, kind: str, size: int) -> None:
    """Nothing is typed after it, the last line may be torn, and with space again the run goes on."""
    world = plain.fresh(f"full-{kind}-{size}")
    done = on_a_full_disk(world, kind, size, *migration(world))
    assert done.status == 12, done.err
    assert "error: " in done.err
    if (world.directory / "run" / "journal.jsonl").read_bytes().count(b"\n"):  # else there is no run yet
        plain.is_reached(world, world.resume())


def test_a_handle_that_another_key_has_meanwhile_is_not_taken_for_the_key(plain: Plain) -> None:
    """Killed between unwrap and proof; the arrived key is deleted, and its handle is another key's."""
    world = plain.fresh("recycled")
    assert killed_after_line(world, plain.line("done", "unwrap"), *migration(world))
    (arrived,) = arrivals(world)
    label = "UPDATE cloud_key SET label = ?, id = ?, value = randomblob(length(value)) WHERE handle = ?"
    world.store.run(label, b"somebody-elses", b"", arrived)
    done = world.resume()
    assert (done.status, done.states) == (6, {"failed": 1, "planned": 1}), done.err
    assert done.rules == {"ATTRIBUTES-MATCH"}
    (failed,) = [key for key in done.document["keys"] if key["state"] == "failed"]
    assert keyferry("resolve", world.directory / "run", failed["source_handle"], "--retry").status == 0
    assert world.resume().states == {"verified": 2}


def test_a_handle_of_classic_that_another_key_has_meanwhile_is_not_wrapped(plain: Plain) -> None:
    world = plain.fresh("recycled-classic")
    assert killed_after_line(world, plain.line("done", "allow wrapping"), *migration(world))
    first, second = (key["source_handle"] for key in world.status()["keys"])
    for old, new in ((first, -1), (second, first), (-1, second)):
        world.store.run("UPDATE luna_object SET handle = ? WHERE handle = ? AND partition = 1", new, old)
    done = world.resume()
    assert done.states == {"failed": 2}, done.err
    assert done.rules == {"PLAN-MATCH"}
    assert arrivals(world) == []
