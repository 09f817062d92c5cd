"""What a command asks is seen on the screen for as long as it waits for the answer."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from runs import World, keyferry
from screen import Watched

if TYPE_CHECKING:
    from pathlib import Path

PIN, PASSWORD = "partition PIN:", "crypto user's password:"
ASK = ("--pin", "prompt", "--password", "prompt")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World.create(tmp_path_factory.mktemp("asks") / "hsm", keys=1)


def _asks(watched: Watched, question: str) -> None:
    watched.until(lambda: watched.asked() == question)


@pytest.mark.parametrize(
    "command",
    [
        ("migrate", "--all"),
        ("plan", "--all", "--out", "PLAN"),
        ("resume", "run"),
        ("doctor", "--login"),
    ],
    ids=lambda command: str(command[0]),
)
def test_both_secrets_are_asked_for_in_sight(world: World, command: tuple[str, ...], tmp_path: Path) -> None:
    words: list[object] = [tmp_path / word if word == "PLAN" else word for word in command]
    if command[0] == "resume":
        world.arm("ckdemo", "die")
        assert world.migrate(run=tmp_path.name).status == 9
        words[1] = world.directory / tmp_path.name
    with Watched(*words, *ASK, "--config", world.config, **world.environment) as watched:
        for question, secret in zip((PIN, PASSWORD), world.secrets(), strict=True):
            _asks(watched, question)
            watched.type("" if question == PASSWORD else secret)
        assert watched.end() == 2, watched.text
        assert all(secret not in watched.text for secret in world.secrets())


@pytest.mark.parametrize(
    ("command", "question"),
    [
        (("inventory", "source"), PIN),
        (("kmu", "find-key"), PASSWORD),
    ],
)
def test_a_command_of_one_side_asks_for_its_secret_in_sight(
    world: World, command: tuple[str, ...], question: str
) -> None:
    option = ("--pin" if question == PIN else "--password", "prompt")
    with Watched(*command, *option, "--config", world.config) as watched:
        _asks(watched, question)
        watched.child.sendeof()
        assert watched.end() == 2, watched.text
        assert "was not typed" in watched.text


def test_cleanup_asks_for_the_label_in_sight_after_the_secrets(tmp_path: Path) -> None:
    world = World.create(tmp_path / "hsm", keys=1)
    assert world.migrate().status == 0
    with Watched("cleanup", world.directory / "run", *ASK, "--config", world.config) as watched:
        for question, secret in zip((PIN, PASSWORD), world.secrets(), strict=True):
            _asks(watched, question)
            watched.type(secret)
        watched.until(lambda: watched.asked().endswith("to confirm:"))
        label = watched.asked().split("'")[1]
        watched.type(label)
        assert watched.end() == 0, watched.text


def test_a_run_with_secrets_that_were_asked_for_shows_its_progress(world: World, tmp_path: Path) -> None:
    with Watched("migrate", "--all", "--dry-run", *ASK, "--run-dir", tmp_path / "r", "--config", world.config) as seen:
        for question, secret in zip((PIN, PASSWORD), world.secrets(), strict=True):
            _asks(seen, question)
            seen.type(secret)
        assert seen.end() == 0, seen.text
        assert "5.1" in seen.text


@pytest.mark.parametrize("command", [("migrate", "--all"), ("kmu", "find-key")])
def test_without_a_terminal_it_is_one_sentence(world: World, command: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "keyferry.cli", *command, "--config", world.config],
        env=os.environ | {"KEYFERRY_SOURCE_PIN": "prompt", "KEYFERRY_DESTINATION_PASSWORD": "prompt"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: there is no terminal to ask for the ")
    assert not {"Warning", "EOFError", "Traceback"} & set(done.stderr.replace(":", " ").split())


def test_yes_is_accepted_and_changes_nothing(world: World, tmp_path: Path) -> None:
    """A run that is over has nothing left to do, so this tells of the option alone."""
    done = world.migrate("--yes", "--dry-run", run=tmp_path.name)
    assert (done.status, done.states) == (0, {"planned": 1})
    assert world.resume("--yes", run=tmp_path.name).status == 0
    assert "--yes" in keyferry("migrate", "--help").out


def test_ctrl_c_at_a_secret_ends_the_command_and_says_so(world: World) -> None:
    with Watched("migrate", "--all", *ASK, "--config", world.config) as watched:
        _asks(watched, PIN)
        watched.child.sendintr()
        assert watched.end() == 130, watched.text
        assert watched.text.splitlines()[-3:] == [PIN, "error: interrupted", "keys: nothing was started"]


def test_ctrl_c_at_the_question_of_cleanup_stops_it_at_once(tmp_path: Path) -> None:
    world = World.create(tmp_path / "hsm", keys=1)
    assert world.migrate().status == 0
    with Watched("cleanup", world.directory / "run", "--config", world.config) as watched:
        watched.until(lambda: watched.asked().endswith("to confirm:"))
        watched.child.sendintr()
        assert watched.end() == 130, watched.text
        assert "keys: nothing was deleted" in watched.text
        assert "finishing" not in watched.text
