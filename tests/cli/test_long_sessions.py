"""The cost of verifying a session grows no faster than the session."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

import pytest

from keyferry.verification.record import verify
from keyferry.verification.verify import Run
from records import lengthen
from runs import World

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FEW, MANY = 1_000, 8_000
ALLOWED = 3 * MANY / FEW
"""Quadratic work would take up to 64 times as long for 8 times as many events."""
TEXT = "x" * 400 + "\r\n"


def _seconds(verifier: Callable[[Path], object], run: Path) -> float:
    start = time.process_time()
    verifier(run)
    return time.process_time() - start


def _by_script(run: Path) -> object:
    return Run(run).verify()


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    world = World.create(tmp_path_factory.mktemp("long") / "world", keys=3)
    assert world.migrate().status == 0
    return world.directory / "run"


def test_verifying_a_long_session_takes_time_in_proportion(short: Path, tmp_path: Path) -> None:
    spent = {}
    for events in (FEW, MANY):
        run = shutil.copytree(short, tmp_path / str(events))
        for session in ("003-ckdemo", "005-cmu"):
            lengthen(run, session, events, TEXT)
        spent[events] = [_seconds(verifier, run) for verifier in (verify, _by_script)]
    for few, many in zip(*spent.values(), strict=True):
        assert many < few * ALLOWED, spent
