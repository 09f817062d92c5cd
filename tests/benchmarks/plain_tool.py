"""A tool's recorded dialogue without crypto and memory, on a terminal or a pipe, each answer after a delay."""

from __future__ import annotations

import os
import select
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from replay import Player

if TYPE_CHECKING:
    from collections.abc import Mapping

_SCRIPT = """#!{python} -I
import sys
sys.path[:0] = {path!r}
import plain_tool
sys.exit(plain_tool.play({sessions!r}, {state!r}, {tool!r}, {secrets!r}, {delay!r}))
"""


class SlowPlayer(Player):
    """Plays a recording; as an HSM or a link has it, what is typed is answered after a while."""

    def __init__(self, path: Path, secrets: Mapping[str, str], delay: float) -> None:
        super().__init__(path, secrets)
        self._delay = delay

    def _demand(self, line: int, code: str, data: bytes) -> None:
        super()._demand(line, code, data)
        if self._delay:
            select.select([], [], [], self._delay)

    def converse(self) -> int:
        """Play to the end of what is typed, terminal or not."""
        self._converse()
        return self._end()


def install(sessions: Path, folder: Path, secrets: Mapping[str, str], delay: float = 0) -> Path:
    """An executable for each tool that was recorded; each start plays the tool's next session. Gives their folder."""
    tools, state = folder / "bin", folder / "state"
    for each in (tools, state):
        each.mkdir(parents=True)
    path = [str(Path(__file__).parent), *(entry for entry in sys.path if entry)]
    for tool in {cast.stem.partition("-")[2] for cast in sessions.glob("*.cast")}:
        text = _SCRIPT.format(
            python=sys.executable,
            path=path,
            sessions=str(sessions),
            state=str(state),
            tool=tool,
            secrets=dict(secrets),
            delay=delay,
        )
        (tools / tool).write_text(text)
        (tools / tool).chmod(0o755)
    return tools


def play(sessions: str, state: str, tool: str, secrets: Mapping[str, str], delay: float) -> int:
    """What an installed executable does."""
    started = Path(state) / tool
    number = int(started.read_text()) if started.exists() else 0
    started.write_text(str(number + 1))
    player = SlowPlayer(sorted(Path(sessions).glob(f"*-{tool}.cast"))[number], secrets, delay)
    return player.play() if os.isatty(0) else player.converse()
