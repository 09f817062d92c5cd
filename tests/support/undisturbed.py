"""What an undisturbed run (of two keys, if not more are told) comes to, and worlds in which it has not happened yet."""

from __future__ import annotations

import dataclasses
import functools
import json
import shutil
from typing import TYPE_CHECKING

import shared
from killed import holds
from runs import Done, World, through

if TYPE_CHECKING:
    from collections import Counter
    from pathlib import Path


class Plain:
    """One undisturbed run, and copies of the HSMs as they were before it."""

    def __init__(self, directory: Path, tool: str, keys: int = 2) -> None:
        self._directory = directory
        self._tool = tool
        made = shared.once(f"undisturbed-{keys}-{tool}", functools.partial(_undisturbed, tool, keys))
        self._pattern = made / "pattern"
        self.done = Done(*json.loads((made / "done.json").read_text()))
        world = World(made / "after")
        self.holds: Counter[tuple[object, ...]] = holds(world)
        self._journal = (world.directory / "run" / "journal.jsonl").read_text().splitlines()
        self.lines = len(self._journal)

    def fresh(self, name: str) -> World:
        shutil.copytree(self._pattern, self._directory / name)
        world = World(self._directory / name)
        world.environment.update(through(self._tool))
        return world

    def line(self, kind: str, act: str) -> int:
        """The number of the first line of the journal that says this."""
        told = [(line["kind"], line.get("act")) for line in map(json.loads, self._journal)]
        return told.index((kind, act)) + 1

    def is_reached(self, world: World, done: Done) -> None:
        """The same keys, each verified by the same proof, under the same names; nothing besides."""
        assert done.status == 0, done.err
        assert holds(world) == self.holds
        assert done.document["totals"] == self.done.document["totals"]
        same = ("source_handle", "label", "new_label", "type", "bits", "state", "proof", "kcv")
        for key, plain in zip(done.document["keys"], self.done.document["keys"], strict=True):
            assert [key[name] for name in same] == [plain[name] for name in same]
        assert world.status()["state"] == "ended"


def _undisturbed(tool: str, keys: int, directory: Path) -> None:
    """Make the HSMs, copy them, and migrate the copy's keys."""
    World.create(directory / "pattern", keys=keys)
    shutil.copytree(directory / "pattern", directory / "after")
    world = World(directory / "after")
    world.environment.update(through(tool))
    (directory / "done.json").write_text(json.dumps(dataclasses.astuple(world.migrate())))


def migration(world: World) -> tuple[object, ...]:
    """The words of the run, for a command that is disturbed."""
    return ("migrate", "--all", "--json", "--config", world.config, "--run-dir", world.directory / "run")


def resumption(world: World) -> tuple[object, ...]:
    """The words that go on with it."""
    return ("resume", world.directory / "run", "--json", "--config", world.config)
