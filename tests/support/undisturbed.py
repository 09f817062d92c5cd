"""What an undisturbed run (of two keys, if not more are told) comes to, and worlds in which it has not happened yet."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

from killed import holds
from runs import World, through

if TYPE_CHECKING:
    from collections import Counter
    from pathlib import Path

    from runs import Done


class Plain:
    """One undisturbed run, and copies of the HSMs as they were before it."""

    def __init__(self, directory: Path, tool: str, keys: int = 2) -> None:
        self._directory = directory
        self._tool = tool
        self._pattern = directory / "pattern"
        World.create(self._pattern, keys=keys)
        world = self.fresh("undisturbed")
        self.done = world.migrate()
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
        same = ("classic_handle", "label", "new_label", "type", "bits", "state", "proof", "kcv")
        for key, plain in zip(done.document["keys"], self.done.document["keys"], strict=True):
            assert [key[name] for name in same] == [plain[name] for name in same]
        assert world.status()["state"] == "ended"


def migration(world: World) -> tuple[object, ...]:
    """The words of the run, for a command that is disturbed."""
    return ("migrate", "--all", "--json", "--config", world.config, "--run-dir", world.directory / "run")


def resumption(world: World) -> tuple[object, ...]:
    """The words that go on with it."""
    return ("resume", world.directory / "run", "--json", "--config", world.config)
