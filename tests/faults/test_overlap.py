"""Several keys under way at once when the run is killed, or when one side hangs and the operator will not wait."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from keyferry.terminal.signals import WINDOWS
from killed import killed_after_line
from longer import every
from runs import LIMIT, keyferry
from undisturbed import Plain, migration

if TYPE_CHECKING:
    from runs import World


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Plain:
    return Plain(tmp_path_factory.mktemp("many"), "key_mgmt_util", keys=9)


@pytest.mark.parametrize("line", every(13, range(55, 101)))
def test_killed_with_several_keys_wrapped(many: Plain, line: int) -> None:
    world = many.fresh(f"line-{line}")
    assert killed_after_line(world, line, *migration(world))
    many.is_reached(world, world.resume())
    assert keyferry("verify", world.directory / "run").status == 0


@pytest.mark.parametrize(("tool", "verb"), [("ckdemo", "wrapKey"), ("key_mgmt_util", "unWrapKey")])
def test_a_side_that_hangs_is_left_at_once_when_the_operator_insists(many: Plain, tool: str, verb: str) -> None:
    world = many.fresh(f"hang-{tool}")
    world.arm(tool, "hang", verb, nth=2)
    assert _insisted(world) == 128 + signal.SIGTERM
    # What hung stays undecided until somebody looks; the other side's keys are where they were.
    many.is_reached(world, world.resume())


def _insisted(world: World) -> int:
    """Two signals while the tool hangs: the limit of an answer is far beyond this test's."""
    call = [sys.executable, "-m", "keyferry.cli", *map(str, migration(world))]
    environment = os.environ | world.environment | {"KEYFERRY_LIMITS_ANSWER": str(10 * LIMIT)}
    with subprocess.Popen(call, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, env=environment, text=True) as run:
        while run.poll() is None and not world.store.rows("SELECT id FROM fault WHERE fired"):
            os.sched_yield()
        run.send_signal(signal.SIGINT)
        assert run.stderr is not None
        while "SIGINT received" not in run.stderr.readline():
            assert run.poll() is None
        select.select([], [], [], 2 * WINDOWS[signal.SIGTERM])
        run.send_signal(signal.SIGTERM)
        run.communicate(timeout=LIMIT)
    return run.returncode
