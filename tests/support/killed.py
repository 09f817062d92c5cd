"""Keyferry in a process of its own that kills itself at a chosen moment; and what both sides hold in the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

from runs import LIMIT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runs import World

_AFTER_LINE = """
import os, signal, sys
from keyferry.procedure.journal import Journal
wanted, append = int(sys.argv.pop(1)), Journal._append
def counted(self, line, *, durable):
    append(self, line, durable=durable)
    if self._count == wanted:
        os.kill(os.getpid(), signal.SIGKILL)
Journal._append = counted
from keyferry.cli.__main__ import main
main()
"""


def killed_after_line(world: World, line: int, *arguments: object) -> bool:
    """Run a command that dies by SIGKILL right after the journal's line of this number; False if it ended before."""
    return killed(world, _AFTER_LINE, [line, *arguments])


def killed(world: World, script: str, arguments: Sequence[object]) -> bool:
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=LIMIT,
        env=os.environ | world.environment,
        check=False,
    )
    assert done.returncode in (-signal.SIGKILL, 0), done.stderr
    return done.returncode != 0


def holds(world: World) -> Counter[tuple[Any, ...]]:
    """Every key of the new side with what it is, less its handle and what differs from run to run."""
    rows = world.store.rows("SELECT class, type, label, length(value) AS size, value, flags, session FROM cloud_key")
    return Counter(_plain(row) for row in rows)


def _plain(row: Any) -> tuple[Any, ...]:
    value = row["value"] if row["class"] == _SECRET else None  # every pair is another
    return row["class"], row["type"], row["label"], row["size"] if value else None, value, row["flags"], row["session"]


_SECRET = 4
