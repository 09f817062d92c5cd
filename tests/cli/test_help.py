"""Every help text as a user sees it: whole, with a description of each parameter, in no words of Python."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import typer

from keyferry.cli import __main__ as entry
from keyferry.cli.output import helptexts
from runs import World, keyferry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PYTHON = re.compile(
    r"<(?:bool|str|int|path|file|list)\b|list\[|\bNone\b|\bTrue\b|\bFalse\b|Errno|<class|int\(\)|0x[0-9a-f]{9,}>"
)


def _walk(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, command
    for name, one in getattr(command, "commands", {}).items():
        yield from _walk(one, (*path, name))


@pytest.fixture(scope="module")
def commands() -> list[tuple[tuple[str, ...], Any]]:
    entry._register([])
    return list(_walk(typer.main.get_command(entry.app)))


def test_every_parameter_is_described(commands: list[tuple[tuple[str, ...], Any]]) -> None:
    without = [(path, one.name) for path, command in commands for one in command.params if not getattr(one, "help", "")]
    assert without == []
    assert len(commands) > 40


def test_help_shows_each_text_whole(commands: list[tuple[tuple[str, ...], Any]], capsys: Any) -> None:
    """Rich takes words in brackets for markup unless they are escaped."""
    helptexts.name_values()
    for path, command in commands:
        with pytest.raises(SystemExit):
            command.main(args=["--help"], prog_name="keyferry")
        shown = capsys.readouterr().out
        assert not PYTHON.search(shown), (path, PYTHON.search(shown))
        squeezed = re.sub(r"[\s│]", "", shown)
        for one in command.params:
            for word in re.sub(r"\\(?=\[)", "", getattr(one, "help", "") or "").split():
                assert word in squeezed, (path, one.name, word)


@pytest.mark.parametrize(
    "words", [("cloudhsm-cli", "key-delete", "abc"), ("cloudhsm-cli", "key-list", "--handle", "0xg")]
)
def test_a_handle_that_is_none_is_named_in_plain_words(words: tuple[str, ...]) -> None:
    done = keyferry(*words)
    assert (done.status, PYTHON.search(done.err)) == (2, None), done.err
    assert "is neither a handle in decimal nor a key reference" in done.err


def test_a_table_has_no_words_of_python(tmp_path: Path) -> None:
    world = World.create(tmp_path / "hsm", keys=1)
    for words in (("kmu", "list-users"), ("cloudhsm-cli", "user-list"), ("cloudhsm-cli", "key-list")):
        done = keyferry(*words, "--config", world.config)
        assert (done.status, PYTHON.search(done.out + done.err)) == (0, None), done.out + done.err
