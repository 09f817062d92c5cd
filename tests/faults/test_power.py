"""What a power cut can take: at each line typed, what is on the disk suffices to go on from."""

from __future__ import annotations

import json
import os
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from keyferry.config import load
from keyferry.events import Bus
from keyferry.migration.start import migrate
from keyferry.planning.selection import Selection
from keyferry.run.journal import Journal
from keyferry.terminal.child import Child
from runs import DESTINATIONS, World

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mock import MockerFixture

pytestmark = pytest.mark.real_disk


def _watched(mocker: MockerFixture, journal: Path) -> Counter[tuple[str, str | None]]:
    """Of this journal's lines, those that were not on the disk when something was typed: kind, and act or state."""
    loose: Counter[tuple[str, str | None]] = Counter()
    sizes: Counter[int] = Counter()
    writers: list[Journal] = []
    wait, send, make = os.fdatasync, Child.send, Journal.__init__

    def made(writer: Journal, path: Path, *, create: bool = True) -> None:
        make(writer, path, create=create)
        writers.append(writer)

    def waited(file: int) -> None:
        wait(file)
        about = os.fstat(file)
        sizes[about.st_ino] = about.st_size

    def sent(child: Child, data: bytes) -> int:
        for writer in writers:
            with writer.alone():  # no other thread is between its line and the wait for it
                for line in journal.read_bytes()[sizes[journal.stat().st_ino] :].splitlines():
                    told = json.loads(line)
                    loose[told["kind"], told.get("act") or told.get("state")] += 1
        return send(child, data)

    mocker.patch("os.fdatasync", waited)
    mocker.patch.object(Child, "send", sent)
    mocker.patch.object(Journal, "__init__", made)
    return loose


@pytest.mark.parametrize("tool", DESTINATIONS)
def test_nothing_is_typed_before_the_disk_has_what_cannot_be_done_again(
    tmp_path: Path, mocker: MockerFixture, tool: str
) -> None:
    world = World.create(tmp_path / "hsm", keys=8)
    loose = _watched(mocker, tmp_path / "run/journal.jsonl")
    result = migrate(load(world.config, {("destination", "tool"): tool}), Selection(), tmp_path / "run", Bus())
    assert result.error is None, result.error
    # Wrapped, moved and verified are found again; what tells of sessions, `verify` takes from their files.
    may = {("done", "wrap"), ("done", "move"), ("key", "verified"), ("closed", None), ("banner", None), ("hsms", None)}
    assert loose.keys() <= may
    assert ("key", "verified") in loose
