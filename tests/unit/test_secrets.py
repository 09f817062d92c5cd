from __future__ import annotations

import copy
import os
import pickle
import stat
import sys
from typing import TYPE_CHECKING

import pytest

from keyferry.errors import UsageError
from keyferry.secrets import Secret, named_variable, resolve, without_secrets

if TYPE_CHECKING:
    from pathlib import Path

VALUE = b"tell-nobody"
VALUE_TO_ESCAPE = b"it's-\\secret"


def _private(path: Path, data: bytes = VALUE + b"\n") -> Path:
    path.write_bytes(data)
    path.chmod(0o600)
    return path


def test_a_secret_shows_its_name_only() -> None:
    secret = Secret("pin", VALUE)
    assert {repr(secret), str(secret), f"{secret}"} == {"<secret pin>"}
    assert len(secret) == len(VALUE)
    assert not hasattr(secret, "__dict__")


@pytest.mark.parametrize("duplicate", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_secret_cannot_be_copied_away(duplicate: object) -> None:
    assert callable(duplicate)
    with pytest.raises(TypeError, match="<secret pin>"):
        duplicate(Secret("pin", VALUE))


@pytest.mark.parametrize("value", [b"", b"abc", b"tell\nnobody", b"tell\x7fnobody", "nöbödy".encode()])
def test_what_cannot_be_typed_or_kept_out_of_a_record_is_refused(value: bytes) -> None:
    with pytest.raises(UsageError) as refused:
        Secret("pin", value)
    assert "nobody" not in str(refused.value)


@pytest.mark.parametrize(
    ("data", "value"), [(VALUE, VALUE), (VALUE + b"\n", VALUE), (VALUE + b"\r\n", VALUE), (b" " + VALUE, b" " + VALUE)]
)
def test_from_a_file_relative_to_what_names_it(tmp_path: Path, data: bytes, value: bytes) -> None:
    _private(tmp_path / "pin", data)
    assert resolve("pin", "file:pin", tmp_path).reveal() == value


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
def test_a_file_that_others_can_reach_is_refused(tmp_path: Path, mode: int) -> None:
    path = _private(tmp_path / "pin")
    path.chmod(mode)
    with pytest.raises(UsageError, match="can be read by others") as refused:
        resolve("pin", f"file:{path}")
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert refused.value.hint == f"chmod 600 {path}"


def test_from_a_descriptor_one_line() -> None:
    reading, writing = os.pipe()
    os.write(writing, VALUE + b"\nnext line\n")
    os.close(writing)
    assert resolve("pin", f"fd:{reading}").reveal() == VALUE
    os.close(reading)


def test_from_a_command_without_a_shell(tmp_path: Path) -> None:
    _private(tmp_path / "a file;$HOME")
    assert resolve("pin", f"cmd:cat '{tmp_path}/a file;$HOME'").reveal() == VALUE


def test_a_failing_command_does_not_show_what_it_said() -> None:
    with pytest.raises(UsageError) as refused:
        resolve("pin", f"cmd:{sys.executable} -c \"print('tell-nobody'); raise SystemExit(1)\"")
    assert "tell-nobody" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_PIN", VALUE.decode())
    assert resolve("pin", "env:SOME_PIN").reveal() == VALUE
    assert named_variable("env:SOME_PIN") == "SOME_PIN"
    assert named_variable("prompt") is None


def test_from_a_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keyferry.secrets.has_terminal", lambda: True)
    monkeypatch.setattr("getpass.getpass", {"the pin: ": VALUE.decode()}.__getitem__)
    assert resolve("the pin", "prompt").reveal() == VALUE


@pytest.mark.parametrize(
    "source",
    ["tell-nobody", "", "file:/not/there", "fd:x", "fd:999", "env:NOT_SET_ANYWHERE", "cmd:/not/there", "cmd:false"],
)
def test_a_source_that_gives_nothing_is_a_usage_error_that_shows_no_value(source: str) -> None:
    with pytest.raises(UsageError) as refused:
        resolve("pin", source)
    assert refused.value.what.startswith("pin: ")
    assert "tell-nobody" not in f"{refused.value} {refused.value.hint}"


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("cmd:", "no command is named"),
        ("cmd:'", "quotes are not balanced"),
        ("cmd:yes", "more than 4096 bytes"),
        ("cmd:false", "ended with status 1"),
        ("cmd:sh -c 'kill -9 $$'", "ended by signal 9"),
        ("cmd:/nonexistent/program", "No such file"),
        ("cmd:/", "Permission denied"),
        ("fd:x", "number of an open file descriptor"),
        ("fd:-1", "number of an open file descriptor"),
        ("fd:", "number of an open file descriptor"),
        ("fd:99999999999999999999", "number of an open file descriptor"),
        ("fd:" + "9" * 5000, "number of an open file descriptor"),
        ("fd:9999", "Bad file descriptor"),
        ("file:~nosuchuser/x", "user that does not exist"),
        ("file:x\0y", "NUL"),
        ("file:.", "Is a directory"),
    ],
)
def test_a_source_that_cannot_be_read_is_a_plain_error(tmp_path: Path, source: str, why: str) -> None:
    with pytest.raises(UsageError, match=why) as refused:
        resolve("pin", source, tmp_path)
    assert "Error" not in refused.value.what
    assert refused.value.keys == "nothing was started"


def test_a_command_that_does_not_end_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keyferry.secrets.COMMAND_LIMIT", 0.2)
    for source in ("cmd:sh -c 'read x < /dev/ptmx'", "cmd:sh -c 'exec >&-; read x < /dev/ptmx'"):
        with pytest.raises(UsageError, match=r"did not end within 0\.2 s"):
            resolve("pin", source, tmp_path)


def test_bytes_that_are_no_text_are_refused_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYFERRY_TEST_SECRET", "tell\udcffnobody")
    with pytest.raises(UsageError, match="cannot be typed"):
        resolve("pin", "env:KEYFERRY_TEST_SECRET", tmp_path)


def test_every_secret_that_was_read_is_removed_from_a_text(tmp_path: Path) -> None:
    secret = resolve("a pin", f"file:{_private(tmp_path / 'pin', VALUE_TO_ESCAPE)}")
    value = secret.reveal()
    text = f"{value!r} {value.decode()} {value.hex()} {value.decode()!r}"
    assert "secret" not in without_secrets(text)
    assert value.hex() not in without_secrets(text)
