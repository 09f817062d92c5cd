"""A run that was killed goes on to the end that an undisturbed run has: same keys, same attributes, none twice."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from killed import holds, killed_after_line
from longer import every
from runs import DESTINATIONS, World, through

if TYPE_CHECKING:
    from collections import Counter
    from pathlib import Path

    from runs import Done


class Plain:
    """What an undisturbed run of two keys comes to; and worlds in which it has not happened yet."""

    def __init__(self, directory: Path, tool: str) -> None:
        self._directory = directory
        self._tool = tool
        self._pattern = directory / "pattern"
        World.create(self._pattern, keys=2)
        world = self.fresh("undisturbed")
        self.done = world.migrate()
        self.holds: Counter[tuple[object, ...]] = holds(world)
        self.lines = len((world.directory / "run" / "journal.jsonl").read_bytes().splitlines())

    def fresh(self, name: str) -> World:
        shutil.copytree(self._pattern, self._directory / name)
        world = World(self._directory / name)
        world.environment.update(through(self._tool))
        return world

    def is_reached(self, world: World, done: Done) -> None:
        """The same keys, each verified by the same proof, under the same names; nothing besides."""
        assert done.status == 0, done.err
        assert holds(world) == self.holds
        assert done.document["totals"] == self.done.document["totals"]
        same = ("classic_handle", "label", "new_label", "type", "bits", "state", "proof", "kcv")
        for key, plain in zip(done.document["keys"], self.done.document["keys"], strict=True):
            assert [key[name] for name in same] == [plain[name] for name in same]
        assert world.status()["state"] == "ended"


@pytest.fixture(scope="module")
def plain(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Plain:
    return Plain(tmp_path_factory.mktemp("plain"), getattr(request, "param", "key_mgmt_util"))


LINES = 71
"""Lines of the journal of an undisturbed run of two keys."""


def each(stride: int, first: int) -> list[tuple[str, int]]:
    """Lines for either tool of the cluster; for CloudHSM CLI other lines, and fewer."""
    lines = range(first, LINES + 1)
    sampled = {"key_mgmt_util": every(stride, lines), "cloudhsm-cli": every(2 * stride, lines[stride // 2 :])}
    return [(tool, line) for tool, some in sampled.items() for line in some]


def command(world: World) -> tuple[object, ...]:
    return ("migrate", "--all", "--json", "--config", world.config, "--run-dir", world.directory / "run")


@pytest.mark.parametrize("plain", DESTINATIONS, indirect=True)
def test_the_lines_are_all_there(plain: Plain) -> None:
    assert plain.lines == LINES


@pytest.mark.parametrize(("plain", "line"), each(9, 1), indirect=["plain"])
def test_killed_after_a_line_of_the_journal(plain: Plain, line: int) -> None:
    world = plain.fresh(f"line-{line}")
    assert killed_after_line(world, line, *command(world))
    plain.is_reached(world, world.resume())


@pytest.mark.parametrize(("plain", "line"), each(19, 5), indirect=["plain"])
def test_killed_again_while_it_is_resumed(plain: Plain, line: int) -> None:
    """The second death comes at half of what is left."""
    world = plain.fresh(f"twice-{line}")
    assert killed_after_line(world, line, *command(world))
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
