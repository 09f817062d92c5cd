from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from keyferry.config import DEFAULTS, load
from keyferry.errors import UsageError
from keyferry.pkcs11 import account

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mock import MockerFixture

BITS = ("wrapping", "bits")


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory and a home without settings."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_without_sources_everything_is_its_default() -> None:
    config = load(None, {})
    assert config.number(*BITS) == 2048
    assert config.text("source", "cmu_public_key_option") == "-pubkey=rsa"
    assert config.flag("destination", "password_visible") is False
    assert config.folder("source", "bin") is None
    assert {config.origin(section, key) for section, keys in DEFAULTS.items() for key in keys} == {"default"}


def test_each_source_beats_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def settled(file: Path | None = None, flag: int | None = None) -> tuple[int, str]:
        config = load(file, {BITS: flag})
        return config.number(*BITS), config.origin(*BITS)

    _write(tmp_path / "home/keyferry/config.toml", "[wrapping]\nbits = 1\nlabel = 'mine'\n")
    assert settled()[0] == 1
    _write(tmp_path / "here/keyferry.toml", "[wrapping]\nbits = 2\n")
    assert settled() == (2, "keyferry.toml")
    assert load(None, {}).text("wrapping", "label") == "mine"
    named = _write(tmp_path / "named.toml", "[wrapping]\nbits = 3\n")
    assert settled(named) == (3, str(named))
    assert load(named, {}).text("wrapping", "label") == ""
    monkeypatch.setenv("KEYFERRY_WRAPPING_BITS", "4")
    assert settled(named) == (4, "KEYFERRY_WRAPPING_BITS")
    assert settled(named, 5) == (5, "flag")


def test_a_folder_is_relative_to_the_file_that_names_it(tmp_path: Path) -> None:
    named = _write(tmp_path / "deep/named.toml", "[source]\nbin = 'tools'\n[destination]\nbin = '/opt'\n")
    config = load(named, {})
    assert config.folder("source", "bin") == tmp_path / "deep/tools"
    assert str(config.folder("destination", "bin")) == "/opt"
    assert config.base("source", "bin") == tmp_path / "deep"


@pytest.mark.parametrize(
    ("text", "shown", "hint"),
    [
        ("[wraping]\nbits = 1\n", "unknown section: wraping", "did you mean wrapping?"),
        ("[wrapping]\nbit = 1\n", "unknown key in [wrapping]: bit", "did you mean bits?"),
        ("[wrapping]\nzzzz = 1\n", "unknown key in [wrapping]: zzzz", "known: label, bits, hash, extractable"),
        ("[wrapping]\nbits = '2048'\n", "bits must be a whole number", None),
        ("[wrapping]\nbits = true\n", "bits must be a whole number", None),
        ("[wrapping]\nextractable = 1\n", "extractable must be true or false", None),
        ("[wrapping]\nlabel = ['x']\n", "label must be text", None),
        ("wrapping = 1\n", "[wrapping] is not a table", None),
        ("[wrapping\n", "named.toml", None),
    ],
)
def test_what_is_not_known_is_an_error_that_names_its_place(
    tmp_path: Path, text: str, shown: str, hint: str | None
) -> None:
    with pytest.raises(UsageError) as refused:
        load(_write(tmp_path / "named.toml", text), {})
    assert shown in refused.value.what
    assert "named.toml" in refused.value.what
    assert refused.value.hint == hint


def test_a_named_file_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such configuration file"):
        load(tmp_path / "nowhere.toml", {})


@pytest.mark.parametrize(("text", "value"), [("1", True), ("TRUE", True), ("false", False), ("0", False)])
def test_a_flag_in_the_environment(monkeypatch: pytest.MonkeyPatch, text: str, *, value: bool) -> None:
    monkeypatch.setenv("KEYFERRY_WRAPPING_EXTRACTABLE", text)
    assert load(None, {}).flag("wrapping", "extractable") is value


@pytest.mark.parametrize(("name", "text"), [("WRAPPING_BITS", "many"), ("WRAPPING_EXTRACTABLE", "perhaps")])
def test_a_value_of_another_type_in_the_environment(monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    monkeypatch.setenv(f"KEYFERRY_{name}", text)
    with pytest.raises(UsageError, match=f"KEYFERRY_{name}: '{text}' is not (?:a whole number|true or false)"):
        load(None, {})


def test_an_account_that_the_host_does_not_know(monkeypatch: pytest.MonkeyPatch, mocker: MockerFixture) -> None:
    """As in a container that is given a number to run as: neither a name nor a home."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME", "HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    mocker.patch("pwd.getpwuid", side_effect=KeyError("uid not found"))
    assert account() == f"uid {os.getuid()}"
    assert load(None, {}).text("source", "slot") == ""


@pytest.mark.parametrize("place", [("wrapping", "extractable"), ("run", "allow_raised_counter")])
def test_a_truth_is_written_as_a_configuration_file_has_it(place: tuple[str, str]) -> None:
    config = load(None, {})
    told = [config.with_value(place, value).text(*place) for value in (True, False)]
    assert told == ["true", "false"]
