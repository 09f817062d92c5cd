"""What Keyferry 0.1 left or understood: its names are errors that give the new ones, its runs are left alone."""

from __future__ import annotations

import json
import shutil
import sys
from typing import TYPE_CHECKING

import pytest

import forked
from records import SCRIPT
from runs import World, keyferry, recorded, through

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("inventory", "classic"), "inventory classic is now inventory source"),
        (("inventory", "cloudhsm"), "inventory cloudhsm is now inventory destination"),
        (("migrate", "--classic-bin", "x"), "--classic-bin is now --source-bin"),
        (("migrate", "--cloudhsm-bin=x"), "--cloudhsm-bin is now --destination-bin"),
        (("doctor", "--side", "classic"), "--side classic is now --side source"),
        (("doctor", "--side=cloudhsm"), "--side=cloudhsm is now --side=destination"),
    ],
)
def test_a_former_word_of_the_command_line_names_the_new_one(words: tuple[str, ...], told: str) -> None:
    done = keyferry(*words)
    assert (done.status, f"error: {told}\n" in done.err, "hint: " in done.err) == (2, True, True), done.err


@pytest.mark.parametrize(("former", "now"), [("classic", "source"), ("cloudhsm", "destination")])
def test_a_former_section_or_variable_names_the_new_one(tmp_path: Path, former: str, now: str) -> None:
    file = tmp_path / "keyferry.toml"
    for text in (f"[{former}]\nhost = 'x'\n", f"[profile.a.{former}]\nhost = 'x'\n"):
        file.write_text(text)
        done = keyferry("config", "check", "--config", file)
        assert (done.status, f"[{former}] is now [{now}]" in done.err) == (2, True), done.err
    name = f"KEYFERRY_{former}_BIN".upper()
    done = keyferry("config", "show", **{name: "x"})
    assert (done.status, f"{name} is now KEYFERRY_{now.upper()}_BIN" in done.err) == (2, True), done.err


def test_a_label_that_is_a_former_word_is_a_label() -> None:
    done = keyferry("inventory", "source", "--slot", "label:classic", "--source-bin", "/nowhere")
    assert "is now" not in done.err


@pytest.fixture
def former(tmp_path: Path) -> Path:
    run = shutil.copytree(recorded(), tmp_path / "run")
    info = json.loads((run / "run.json").read_bytes()) | {"schema": "keyferry.run-info/1", "keyferry": "0.1.0"}
    (run / "run.json").chmod(0o600)
    (run / "run.json").write_text(json.dumps(info, sort_keys=True, separators=(",", ":")))
    return run


COMMANDS = ("verify", "report", "status", "resume", "cleanup")


def test_a_run_of_the_former_format_is_named_as_such_by_every_command(former: Path) -> None:
    for words in (*((name, former) for name in COMMANDS), ("transcript", "diff", former, former)):
        done = keyferry(*words)
        told = "was made by Keyferry 0.1; verify it with the verify.py in its folder"
        assert (done.status, told in done.err) == (2, True), (words, done.err)
    script = forked.execute([sys.executable, "-I", "-S", str(SCRIPT), str(former)])
    assert script.returncode == 2
    assert "made by Keyferry 0.1; verify it with the verify.py in its folder" in script.stderr


def test_an_unfinished_run_of_the_former_format_is_finished_by_the_former_version(former: Path) -> None:
    (former / "manifest.json").unlink()
    for name in ("resume", "status"):
        done = keyferry(name, former)
        assert (done.status, "was made by Keyferry 0.1; finish it with 0.1" in done.err) == (2, True), done.err


def test_a_run_is_resumed_by_the_version_that_began_it_alone(tmp_path: Path) -> None:
    run = shutil.copytree(recorded(), tmp_path / "run")
    info = json.loads((run / "run.json").read_bytes()) | {"keyferry": "7.3.1"}
    (run / "run.json").chmod(0o600)
    (run / "run.json").write_text(json.dumps(info))
    lines = (run / "journal.jsonl").read_bytes()
    done = keyferry("resolve", run, "16", "--skip")
    assert (done.status, "was begun by Keyferry 7.3.1" in done.err) == (8, True), done.err
    assert "install Keyferry 7.3" in done.err
    assert (run / "journal.jsonl").read_bytes() == lines


@pytest.mark.parametrize("info", ["", "{}", "[]", '{"keyferry":null}'])
def test_a_run_that_does_not_say_its_version_is_not_gone_on_with(tmp_path: Path, info: str) -> None:
    run = shutil.copytree(recorded(), tmp_path / "run")
    (run / "run.json").chmod(0o600)
    (run / "run.json").write_text(info)
    done = keyferry("resolve", run, "16", "--skip")
    assert (done.status, "does not say which Keyferry began the run" in done.err) == (8, True), done.err
    assert "None" not in done.err


def test_a_secret_that_the_former_version_saw_refused_is_not_typed(tmp_path: Path) -> None:
    world, state = World.create(tmp_path / "hsm", keys=1), tmp_path / "state"
    wrong = world.directory / "secrets" / "wrong"
    wrong.write_text("not-the-secret-1")
    wrong.chmod(0o600)
    environment = through("cloudhsm-cli") | {"XDG_STATE_HOME": str(state)}
    assert world.migrate("--password", f"file:{wrong}", **environment).status == 4
    ledger, before = state / "keyferry/logins-destination.json", state / "keyferry/logins-cloudhsm.json"
    text = ledger.read_text().replace('"destination"', '"cloudhsm"').replace("keyferry.logins/2", "keyferry.logins/1")
    before.write_text(text)
    before.chmod(0o600)
    ledger.unlink()
    look = ("inventory", "destination", "--config", world.config)
    done = keyferry(*look, **world.environment | environment)
    assert (done.status, "LOGIN-ONCE" in done.err) == (4, True), done.err
    done = keyferry(*look, "--type-again", "--reason", "mended", **world.environment | environment)
    assert done.status == 0, done.err
    assert not before.exists()
    assert keyferry(*look, **world.environment | environment).status == 0
