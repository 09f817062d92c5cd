"""Input that nobody would write on purpose ends in an error that says what is wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from commands import defect
from runs import keyferry

if TYPE_CHECKING:
    from pathlib import Path

LONG_NAME = "x" * 5000


@pytest.mark.parametrize(
    "words",
    [
        ("status", LONG_NAME),
        ("report", LONG_NAME),
        ("verify", LONG_NAME),
        ("resolve", LONG_NAME, "x", "--skip"),
        ("config", "show", "--config", LONG_NAME),
        ("ckdemo", "wrap", "1", "--wrapping-key", "2", "--out", LONG_NAME),
        ("transcript", "show", LONG_NAME),
    ],
    ids=lambda words: words[0],
)
def test_a_name_that_is_too_long_is_an_error_of_its_own(words: tuple[str, ...]) -> None:
    assert defect(words) is None
    done = keyferry(*words)
    assert done.status == 2
    assert done.err.startswith(("error: ", "Usage"))
    assert "itself" not in done.err


@pytest.mark.parametrize("text", ["a = " + "[" * 5000, "\x00", "a = 1\na = 2", "[classic\n", "\udcff", "folder"])
def test_a_configuration_that_is_none_is_refused_in_words(tmp_path: Path, text: str) -> None:
    file = tmp_path / "keyferry.toml"
    if text == "folder":
        file.mkdir()
    else:
        file.write_text(text, "utf-8", "surrogateescape")
    assert defect(["config", "show", "--config", file]) is None
    assert keyferry("config", "show", "--config", file).status == 2


@pytest.mark.parametrize("text", ['{"error_code": 0, "data": ' + "[" * 100_000, '{"error_code":' * 100_000])
def test_an_answer_that_is_nested_too_deeply_is_not_understood(tmp_path: Path, text: str) -> None:
    screen = tmp_path / "screen"
    screen.write_text(text)
    done = keyferry("parse", "cloudhsm-cli", "key-list", screen)
    assert done.status == 10
    assert "Traceback" not in done.err
