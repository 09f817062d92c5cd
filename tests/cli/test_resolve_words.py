"""What `keyferry resolve` says of words that name no key and no handle."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from runs import keyferry, recorded

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shutil.copytree(recorded(), tmp_path_factory.mktemp("resolve") / "run")


@pytest.mark.parametrize("name", ["", "1" * 5000, "\uff11\uff16", "label:no such"])
def test_a_name_of_no_key_is_named_and_has_a_hint(run: Path, name: str) -> None:
    done = keyferry("resolve", run, "--skip", name)
    assert done.status == 2, done.err
    assert "names no key of this run" in done.err
    assert "hint: name the key by its handle" in done.err
    assert "error:  " not in done.err


@pytest.mark.parametrize("handle", ["", "1_6", "\uff11\uff16", "-1", " 16", "0x", "1" * 5000, "label:x"])
def test_only_what_a_tool_shows_as_a_handle_can_be_adopted(run: Path, handle: str) -> None:
    done = keyferry("resolve", run, f"--adopt={handle}", "16")
    assert done.status == 2, done.err
    assert "--adopt needs the handle of a key of the destination" in done.err
    assert "hint: write it as the destination's tool shows it" in done.err


def test_contradictory_answers_have_a_hint(run: Path) -> None:
    done = keyferry("resolve", run, "--skip", "--retry", "16")
    assert done.status == 2
    assert "hint: `keyferry resolve --help`" in done.err
