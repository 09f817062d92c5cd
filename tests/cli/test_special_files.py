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


def test_no_command_waits_for_a_pipe_that_is_named(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for words in (
        ["transcript", "show", str(pipe)],
        ["transcript", "play", str(pipe)],
        ["transcript", "sanitize", str(pipe), "-o", str(tmp_path / "out")],
        ["explain", "--check", str(pipe)],
        ["explain", str(pipe)],
        ["migrate", str(pipe)],
        ["config", "check", "--config", str(pipe)],
    ):
        done = forked.run(words, given="", environment=os.environ, limit=LIMIT)
        assert done.returncode == 2, (words, done.stderr)
        assert "is a pipe or a device, not a file" in done.stderr, (words, done.stderr)


@pytest.mark.parametrize("target", ["nowhere", "loop"])
def test_a_link_that_leads_nowhere_says_so(tmp_path: Path, target: str) -> None:
    (tmp_path / "loop").symlink_to(target)
    done = forked.run(["transcript", "show", str(tmp_path / "loop")], given="", environment=os.environ, limit=LIMIT)
    assert (done.returncode, "a link that leads nowhere" in done.stderr, "hint: " in done.stderr) == (2, True, True)


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
