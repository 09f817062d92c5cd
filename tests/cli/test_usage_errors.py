"""What is wrong with the command's words or settings is reported before any tool starts or anybody is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from keyferry.config import load
from keyferry.errors import UsageError
from keyferry.terminal.remote import ssh
from runs import keyferry

if TYPE_CHECKING:
    from pathlib import Path

MIGRATE, PLAN = ("migrate", "--all"), ("plan", "--all", "--out", "plan.json")


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Settings with which a tool that is started, or a secret that is fetched, is another error."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nothing").mkdir()
    (tmp_path / "key").write_text("not a key")
    path = tmp_path / "keyferry.toml"
    path.write_text(
        '[source]\nbin = "nothing"\nslot = "label:x"\npin = "file:nowhere"\n'
        '[destination]\nbin = "nothing"\nuser = "cu"\npassword = "file:nowhere"\n'
    )
    return path


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("migrate", "--key", "abc"), "--key abc: neither a handle nor label:TEXT"),
        (("plan", "--out", "plan.json", "--key", "lable:x"), "--key lable:x: neither a handle nor label:TEXT"),
        ((*MIGRATE, "--slot", "lable:par43"), "did you mean label:par43?"),
        (("inventory", "source", "--slot", "number:one"), "number: is followed by 'one'"),
        (("doctor", "--slot", "serial:"), "serial: is followed by ''"),
        ((*MIGRATE, "--from", "missing.csv"), "missing.csv"),
        (("ckdemo", "show", "abc"), "'abc' is no object"),
        (("ckdemo", "list", "--type", "keys"), "no kind of object 'keys'"),
        (("cmu", "list", "--class", "keys"), "no class 'keys'"),
        (("kmu", "find-key", "--label", "two words"), "two words"),
        (("kmu", "unwrap-key", "key", "--wrapping-key", "7", "--label", "x", "--type", "RSA"), "a key of type RSA"),
        (("cloudhsm-cli", "key-list", "--label", "two words"), "two words"),
    ],
)
def test_words_that_no_tool_is_needed_to_judge(config: Path, words: tuple[str, ...], told: str) -> None:
    done = keyferry(*words, "--config", config)
    assert (done.status, told in done.err) == (2, True), done.err
    assert "[Errno" not in done.err
    assert not (config.parent / "keyferry-runs").exists()


@pytest.mark.parametrize(
    ("words", "status", "schema"),
    [
        (("migrate",), 2, "keyferry.run/2"),
        (("migrate", "nowhere.json"), 2, "keyferry.run/2"),
        ((*MIGRATE, "--reason", "x"), 2, "keyferry.run/2"),
        ((*MIGRATE, "--run-dir", "key"), 2, "keyferry.run/2"),
        (MIGRATE, 2, "keyferry.run/2"),
        ((*MIGRATE, "--profile", "none"), 2, "keyferry.run/2"),
        (PLAN, 2, "keyferry.planned/1"),
        (("plan", "--out", "key", "--all"), 2, "keyferry.planned/1"),
        (("resume", "nowhere"), 2, "keyferry.run/2"),
        (("resume", "key"), 2, "keyferry.run/2"),
    ],
)
def test_an_error_before_the_run_folder_is_a_document_too(
    config: Path, words: tuple[str, ...], status: int, schema: str
) -> None:
    done = keyferry(*words, "--config", config, "--json")
    error, said = done.document["error"], done.err.partition("error: ")[2].splitlines()[0]
    assert (done.status, done.document["exit_code"], done.document["schema"]) == (status, status, schema)
    assert error["what"] == said
    assert (done.document["keys"], done.document["totals"]["planned"], done.document["head"]) == ([], 0, None)
    assert done.document["run_dir"] == (str(config.parent / words[1]) if words[0] == "resume" else None)
    assert keyferry(*words, "--config", config).out == ""


@pytest.mark.parametrize(
    "words",
    [
        ("status", "key"),
        ("resume", "key"),
        ("cleanup", "key"),
        ("resolve", "key", "1", "--skip"),
        ("migrate", "--run-dir", "key", "--steps", "1-2"),
        ("migrate", "--run-dir", "key", "--steps", "7"),
    ],
)
def test_a_file_in_the_place_of_a_run_is_called_one(config: Path, words: tuple[str, ...]) -> None:
    done = keyferry(*words)
    assert (done.status, f"error: {config.parent / 'key'} is a file, not the directory of a run" in done.err) == (
        2,
        True,
    )


def test_a_rehearsal_that_cannot_begin_is_a_document_too(config: Path) -> None:
    done = keyferry("rehearse", "--dir", config, "--json")
    assert (done.status, done.document["exit_code"], done.document["run_dir"]) == (2, 2, None)


@pytest.mark.parametrize("words", [MIGRATE, PLAN, ("inventory", "destination"), ("doctor",), ("config", "check")])
def test_a_setting_of_ssh_that_would_have_no_effect(config: Path, words: tuple[str, ...]) -> None:
    done = keyferry(*words, "--config", config, KEYFERRY_DESTINATION_SSH_OPTIONS="Port=22 stricthostkeychecking=no")
    assert (done.status, "stricthostkeychecking=no has no effect" in done.err) == (2, True), done.err


@pytest.mark.parametrize("option", ["ControlPath=/tmp/x", "RequestTTY=force", "LogLevel=DEBUG", "ForwardAgent=yes"])
def test_every_option_that_is_always_ours_is_named(option: str) -> None:
    with pytest.raises(UsageError, match=option.partition("=")[0]):
        ssh.way("host", option, "", sudo=False)


@pytest.mark.parametrize("option", ["ProxyCommand=nc %h %p", "ForwardAgent=no", "strictHostKeyChecking=YES", "Port=1"])
def test_other_options_and_the_same_values_are_taken(option: str) -> None:
    assert ssh.way("host", f"'{option}'", "", sudo=False).options == (option,)


@pytest.mark.parametrize(
    ("name", "near"),
    [("KEYFERRY_CLASIC_PIN", "KEYFERRY_SOURCE_PIN"), ("KEYFERRY_RUN_SESSION", "KEYFERRY_RUN_SESSIONS")],
)
def test_a_misspelt_variable_is_named_with_the_nearest(config: Path, name: str, near: str) -> None:
    done = keyferry(*MIGRATE, "--config", config, **{name: "1"})
    assert done.status == 2
    assert f"unknown variable: {name}" in done.err
    assert f"did you mean {near}?" in done.err


def test_variables_that_something_reads_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "keyferry.toml"
    file.write_text('[source]\npin = "env:KEYFERRY_A"\n[profile.other.destination]\npassword = "env:KEYFERRY_B"\n')
    for name in ("KEYFERRY_A", "KEYFERRY_B", "KEYFERRY_C", "KEYFERRY_TRACEBACK", "KEYFERRY_LONG", "KEYFERRY_TEST_X"):
        monkeypatch.setenv(name, "1")
    with pytest.raises(UsageError, match="KEYFERRY_C"):
        load(file, {})
    load(file, {("destination", "password"): "env:KEYFERRY_C"})


def test_a_label_that_has_a_colon_can_be_named(tmp_path: Path) -> None:
    file = tmp_path / "keyferry.toml"
    file.write_text('[source]\nslot = "label:a:b"\n')
    assert load(file, {}).text("source", "slot") == "label:a:b"
