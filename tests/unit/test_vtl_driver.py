from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from keyferry.errors import KeyferryError, ToolRefusedError, UnknownScreenError, UnreachableError
from keyferry.terminal.host import LocalHost
from keyferry.terminal.sessions import Sessions
from keyferry.tools.limits import Limits
from keyferry.tools.vtl.driver import list_slots

if TYPE_CHECKING:
    from pathlib import Path

    from keyferry.tools.vtl.screens import SlotRow


def _slots(directory: Path, script: str, answer: float = 20) -> tuple[SlotRow, ...]:
    tool = directory / "vtl"
    tool.write_text(f"#!{sys.executable} -IS\nimport os, sys\n{script}\n")
    tool.chmod(0o755)
    with LocalHost("source", directory) as host:
        return list_slots(Sessions(directory, "run", []), host, Limits(answer=answer))


def test_listslots_is_what_is_asked(tmp_path: Path) -> None:
    assert _slots(tmp_path, "assert sys.argv[1:] == ['listSlots']\nprint('Number of slots: 0')") == ()


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        ("sys.exit(1)", UnreachableError),
        ("print('Number of slots: 0', flush=True); os.kill(os.getpid(), 9)", UnreachableError),
        ("print('Number of slots: 0'); sys.exit(1)", UnknownScreenError),
        ("print('odd news')", UnknownScreenError),
        ("print('Error: no slots'); sys.exit(1)", ToolRefusedError),
    ],
)
def test_only_a_whole_table_and_status_0_count(tmp_path: Path, script: str, kind: type[KeyferryError]) -> None:
    with pytest.raises(kind) as refused:
        _slots(tmp_path, script)
    assert refused.value.tool == "vtl"


def test_a_tool_that_hangs_is_given_up(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match=r"within 0\.05 s"):
        _slots(tmp_path, "os.read(0, 1)", answer=0.05)
