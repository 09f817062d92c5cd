"""Nothing that the environment does to Keyferry ends in a traceback."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from keyferry.migration.migration import Migration
from runs import World, keyferry

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mock import MockerFixture

COMMAND = [sys.executable, "-m", "keyferry.cli"]
CRASHED = "an error in Keyferry itself"


def _shell(script: str, *words: object) -> subprocess.CompletedProcess[str]:
    """Run a shell script whose "$@" is Keyferry with these arguments."""
    call = ["bash", "-c", script, "bash", *COMMAND, *map(str, words)]
    return subprocess.run(call, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("value", ["x", "\u00b2", "1"])
def test_a_terminal_size_that_is_no_number_changes_nothing(tmp_path: Path, value: str) -> None:
    sizes = {"COLUMNS": value, "LINES": value, "TERMINAL_WIDTH": value}
    world = World.create(tmp_path / "hsm", keys=3)
    done = keyferry("migrate", "--all", "--config", world.config, "--run-dir", tmp_path / "run", **sizes)
    assert done.status == 0, done.err
    assert "verified" in done.out
    assert "head: " in done.out
    assert keyferry("--help", **sizes).status == 0


def test_a_parent_that_ignores_its_children_changes_nothing(tmp_path: Path) -> None:
    world = World.create(tmp_path / "hsm", keys=3)
    call = ("migrate", "--all", "--json", "--config", world.config, "--run-dir", tmp_path / "run")
    done = _shell("trap '' CHLD; exec \"$@\"", *call)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["totals"]["verified"] > 0


@pytest.mark.parametrize("words", [["migrate", "--all"], ["config", "show"], ["verify", "x"], ["status", "x"]])
def test_a_folder_that_was_removed_is_a_plain_error(tmp_path: Path, words: list[str]) -> None:
    done = _shell(f'mkdir {tmp_path}/gone; cd {tmp_path}/gone; rmdir {tmp_path}/gone; exec "$@"', *words)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("error: ")


@pytest.mark.parametrize("files", [10, 20, 63])
def test_few_descriptors_are_a_plain_error(tmp_path: Path, files: int) -> None:
    world = World.create(tmp_path / "hsm", keys=3)
    done = _shell(f'ulimit -n {files}; exec "$@"', "migrate", "--all", "--config", world.config)
    assert "Traceback" not in done.stderr
    assert CRASHED not in done.stderr


def test_an_error_of_ours_is_one_sentence_and_where_the_record_is(
    tmp_path: Path, mocker: MockerFixture, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from keyferry.cli import __main__ as command  # noqa: PLC0415 - its `main` changes the streams

    world = World.create(tmp_path / "hsm", keys=3)
    pin, password = world.secrets()
    mocker.patch.object(Migration, "run", side_effect=RuntimeError(f"{pin} {password!r} {password.encode().hex()}"))
    mocker.patch("keyferry.cli.output.streams.mend")
    mocker.patch.object(command, "_deaf")
    mocker.patch("signal.signal")
    call = ["keyferry", "migrate", "--all", "--config", str(world.config), "--run-dir", str(tmp_path / "run")]
    monkeypatch.setattr(sys, "argv", call)
    for wanted in ("", "1"):
        monkeypatch.setenv("KEYFERRY_TRACEBACK", wanted)
        with pytest.raises(SystemExit) as ended:
            command.main()
        told = capsys.readouterr().err
        assert ended.value.code == 70
        assert f"error: {CRASHED}\n" in told
        assert "keys: the state of keys in flight is unknown; `keyferry resume` finds out\n" in told
        assert f"record: {tmp_path / 'run'}\n" in told
        assert ("Traceback" in told) == bool(wanted)
        assert ("RuntimeError" in told) == bool(wanted)
        for secret in (pin, password, password.encode().hex()):
            assert secret not in told
        shutil.rmtree(tmp_path / "run")
