"""Puts recordings in the place of the tools: a folder of executables that replay a folder of sessions."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import replay
from replay import FAILED, Player

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TOOLS = ("vtl", "cmu", "ckdemo", "key_mgmt_util", "cloudhsm-cli")

_SCRIPT = """#!{python}
import sys
from pathlib import Path
sys.path.insert(0, {here!r})
import player
sys.exit(player.play_next(Path({directory!r}), {tool!r}, sys.argv[1:]))
"""


def install(
    sessions: Path, directory: Path, secrets: Mapping[str, str], deaths: Mapping[str, int] | None = None
) -> Path:
    """Make an executable for each tool; gives their folder.

    Each start of a tool plays the next of its recordings `NNN-TOOL.cast` in `sessions`, and demands its
    arguments too. directory: an existing folder of the test's own, where it is kept how far they came.
    deaths: recordings whose player is killed after so many bytes of its output.
    """
    folder = directory / "bin"
    folder.mkdir()
    (directory / "setup.json").write_text(
        json.dumps({"sessions": str(sessions), "secrets": dict(secrets), "deaths": dict(deaths or {})})
    )
    for tool in TOOLS:
        script = folder / tool
        here = str(Path(__file__).parent)
        script.write_text(_SCRIPT.format(python=sys.executable, here=here, directory=str(directory), tool=tool))
        script.chmod(0o755)
    return folder


def not_played(directory: Path) -> list[str]:
    """The recordings that no start of a tool asked for."""
    setup = json.loads((directory / "setup.json").read_bytes())
    return [
        path.name for tool in TOOLS for path in _recordings(Path(setup["sessions"]), tool)[_played(directory, tool) :]
    ]


def play_next(directory: Path, tool: str, arguments: Sequence[str]) -> int:
    """What an installed executable does."""
    setup = json.loads((directory / "setup.json").read_bytes())
    number = _played(directory, tool)
    recordings = _recordings(Path(setup["sessions"]), tool)
    if number == len(recordings):
        sys.stdout.write(f"REPLAY: no recording of {tool} is left\n")
        return FAILED
    (directory / f"{tool}.count").write_text(str(number + 1))
    if recordings[number].name in setup["deaths"]:
        _die_after(setup["deaths"][recordings[number].name])
    return Player(recordings[number], setup["secrets"]).play(arguments)


def _die_after(left: int) -> None:
    """Have this process killed as soon as it has written so many bytes."""
    write = replay._write

    def counted(data: bytes) -> None:
        nonlocal left
        write(data[:left])
        left -= len(data)
        if left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    replay._write = counted


def _recordings(sessions: Path, tool: str) -> list[Path]:
    return sorted(sessions.glob(f"[0-9]*-{tool}.cast"), key=lambda path: int(path.name.partition("-")[0]))


def _played(directory: Path, tool: str) -> int:
    count = directory / f"{tool}.count"
    return int(count.read_text()) if count.exists() else 0
