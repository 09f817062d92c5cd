"""Two runs at once: the second is refused where it would share the pair, and what it carried besides is named."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from killed import arrivals, with_others
from undisturbed import migration

if TYPE_CHECKING:
    from runs import World
    from undisturbed import Plain


def told(world: World, run: str) -> list[str | None]:
    """The rules of a run's errors, and None for its end."""
    lines = map(json.loads, (world.directory / run / "journal.jsonl").read_text().splitlines())
    return [line.get("rule") for line in lines if line["kind"] in ("error", "end")]


def other(world: World, run: str, *words: str) -> tuple[object, ...]:
    return (*migration(world)[:-1], world.directory / run, *words)


def test_a_second_run_finds_the_pair_of_the_first(plain: Plain) -> None:
    world = plain.fresh("same")
    done = with_others(world, plain.line("done", "generate"), [other(world, "second")], *migration(world))
    assert told(world, "second") == ["WRAPPING-KEY-NEW"]
    plain.is_reached(world, done)


def test_a_run_under_another_label_is_not_silent(plain: Plain) -> None:
    """The second carries the first's keys under its eyes; the first names them in the end."""
    world = plain.fresh("other")
    words = other(world, "second", "--wrapping-label", "wrap_2")
    done = with_others(world, plain.line("done", "allow wrapping"), [words], *migration(world))
    assert told(world, "second") == [None]
    assert done.status == 6, done.err
    assert "TOTALS-BALANCE" in done.err
    mine = {key["cloudhsm_handle"] for key in done.document["keys"]}
    strangers = sorted(set(arrivals(world)) - mine)
    assert len(strangers) == len(mine) == 2
    assert f"not of this run and new: {strangers[0]}, {strangers[1]}" in done.err
