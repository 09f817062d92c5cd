"""Where emulated tools run in tests: silently starting interpreters again would make the suite take twice as long."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import in_fork
from keyferry.emulator.run import TOOLS
from longer import LONG
from place import ended

if TYPE_CHECKING:
    from pathlib import Path

    from place import MakePlace


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A file that exists once a program that pexpect spawned was executed, not run in the fork."""
    execute, mark = in_fork._exec, tmp_path / "executed"

    def marked(path: str, argv: list[str]) -> None:
        mark.touch()
        execute(path, argv)

    monkeypatch.setattr(in_fork, "_exec", marked)
    return mark


@pytest.mark.skipif(LONG, reason="the long form starts every tool as an executable")
@pytest.mark.parametrize("tool", sorted(TOOLS))
def test_a_tool_runs_in_the_forked_process(make_place: MakePlace, executed: Path, tool: str) -> None:
    child = make_place().spawn(tool, "help")
    child.sendeof()
    ended(child)
    assert not executed.exists()


@pytest.mark.real_exec
@pytest.mark.parametrize("tool", sorted(TOOLS))
def test_a_tool_is_executed_in_marked_tests(make_place: MakePlace, executed: Path, tool: str) -> None:
    child = make_place().spawn(tool, "help")
    child.sendeof()
    ended(child)
    assert executed.exists()
