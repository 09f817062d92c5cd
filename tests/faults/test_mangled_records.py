"""Whatever was done to a run's directory, every command that reads it ends in an error of its own, or well."""

from __future__ import annotations

import random
import shutil
from itertools import cycle, islice
from typing import TYPE_CHECKING

import pytest

import mangled
from commands import defect
from longer import LONG
from records import by_script_here
from runs import World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAMAGES = 400 if LONG else 60
EACH = 14 if LONG else 2
"""Commands that each damaged directory is given to."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World.create(tmp_path_factory.mktemp("mangled") / "world", keys=3)
    assert world.migrate().status == 0
    return world


def _commands(run: Path, whole: Path, config: Path, secret: Path) -> Iterator[tuple[object, ...]]:
    casts = sorted(run.glob("sessions/*.cast")) or [run / "journal.jsonl"]
    beside = run.parent
    settings = ("--config", config, "--pin", f"file:{secret}", "--password", f"file:{secret}")
    for cast in cycle(casts):
        yield "verify", run
        yield "status", run, "--json"
        yield "report", run, "--json"
        yield "transcript", "show", cast
        yield "resolve", run, "label:x", "--skip"
        yield "transcript", "play", cast, "--speed", 1e6, "--idle-limit", 0
        yield "explain", "--check", cast
        yield "transcript", "sanitize", cast, "-o", beside / "sanitized.cast"
        yield "resume", run, *settings
        yield "transcript", "diff", run, whole
        yield "migrate", run / "plan.json", "--run-dir", beside / "new", *settings
        yield "cleanup", run, "--yes", *settings
        yield "status", run
        yield "sign", run, "--key", beside / "no-key"


def test_no_damage_to_a_record_ends_in_a_traceback(world: World, tmp_path: Path) -> None:
    config, secret = tmp_path / "keyferry.toml", tmp_path / "secret"
    config.write_text('[source]\nbin = "/nonexistent"\nslot = "1"\n[destination]\nbin = "/nonexistent"\nuser = "x"\n')
    secret.write_text("secret-of-nobody")
    secret.chmod(0o600)
    defects = {}
    for seed in range(DAMAGES):
        run = mangled.fresh(world.directory / "run", tmp_path / "run")
        done = mangled.mangle(run, random.Random(seed))
        by_script_here(run)
        commands = _commands(run, world.directory / "run", config, secret)
        for words in islice(commands, seed * EACH % 14, seed * EACH % 14 + EACH):
            if found := defect(words):
                defects[seed, " ".join(map(str, words[:2]))] = (done, found)
            shutil.rmtree(tmp_path / "new", ignore_errors=True)
            (tmp_path / "sanitized.cast").unlink(missing_ok=True)
    assert defects == {}
