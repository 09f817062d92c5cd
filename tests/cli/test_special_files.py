"""A pipe or a device in a run's folder is named; no command waits for it."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

import forked
from runs import recorded

if TYPE_CHECKING:
    from pathlib import Path

LIMIT = 10  # seconds; a command that waits for a pipe waits for ever


@pytest.mark.parametrize("name", ["journal.jsonl", "plan.json", "manifest.json", "sessions/001-key_mgmt_util.cast"])
def test_no_command_waits_for_a_pipe_in_a_run(tmp_path: Path, name: str) -> None:
    run = shutil.copytree(recorded(), tmp_path / "run")
    (run / name).unlink()
    os.mkfifo(run / name)
    for words in (
        ["status", str(run)],
        ["resolve", str(run), "--skip", "16"],
        ["transcript", "diff", str(run), str(run)],
    ):
        done = forked.run(words, given="", environment=os.environ, limit=LIMIT)
        assert done.returncode in {2, 6}, done.stderr
        assert name in done.stderr, done.stderr
        assert "hint: " in done.stderr, done.stderr
