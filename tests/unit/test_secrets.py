from __future__ import annotations

import copy
import os
import pickle
import stat
import sys
from typing import TYPE_CHECKING

import pytest

from keyferry.errors import UsageError
from keyferry.secrets import Secret, named_variable, resolve

if TYPE_CHECKING:
    from pathlib import Path

VALUE = b"tell-nobody"


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
