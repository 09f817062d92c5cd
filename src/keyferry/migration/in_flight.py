"""Commands of an earlier process that may still be in progress: an unwrap or a generation whose end nobody saw."""

from __future__ import annotations

import select
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from keyferry.run.state import ENDS, PairStage, Stage
from keyferry.terminal import process
from keyferry.text import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from keyferry.migration.signals import Interrupts
    from keyferry.run.state import KeyState, RunState
    from keyferry.terminal.host import Host
    from keyferry.terminal.process import Process

_LOOK_EVERY: Final = 0.25  # seconds
_END_LIMIT: Final = 5.0
"""Seconds after TERM, and again after KILL, in which a tool must have ended."""


def open_tools(past: RunState) -> frozenset[Process | None]:
    """Tools that may still be at an unwrap or a generation; None stands for one that the journal does not name."""
    begun = [one.tools for one in past.keys.values() if _is_open(one)]
    if past.pair.stage is PairStage.GENERATE_INTENT:
        begun.append(past.pair.tools)
    return frozenset(tool for tools in begun for tool in tools or (None,))


def _is_open(key: KeyState) -> bool:
    """Whether an unwrap of this key has no known end, and nobody has decided about it."""
    at = key.before if key.stage in ENDS and key.open else key.stage
    return at is Stage.UNWRAP_INTENT and key.decision is None


class InFlight:
    """Waits for what an earlier process of this run left in progress.

    host: of the destination's tool. limit: seconds that an answer may take. notice: told what is waited for.
    `certain` says whether none of the earlier tools can still be at work.
    """

    def __init__(
        self, host: Callable[[], Host], limit: float, interrupts: Interrupts, notice: Callable[[str], None]
    ) -> None:
        self._host, self._limit = host, limit
        self._interrupts, self._notice = interrupts, notice
        self.certain = True

    def end_tools(self, tools: Iterable[Process | None]) -> None:
        """Wait until the tools have ended, at most as long as an answer may take; then end them, TERM before KILL.

        None among them: one that the journal does not name.
        """
        known = {one: self._runs(one) if one else None for one in tools}
        self.certain = None not in known.values()
        left = [one for one, at_work in known.items() if one and at_work]
        if not left:
            return
        pids = ", ".join(str(one.pid) for one in left)
        self._notice(
            f"{counted(len(left), 'tool')} of an earlier process of this run ({pids}) may still be at work: waiting up"
            f" to {self._limit:g} s"
        )
        left = self._until_ended(left, self._limit)
        for signal in ("TERM", "KILL"):
            for one in left:
                self._notice(f"process {one.pid} did not end by itself: it is sent SIG{signal}")
                process.end(self._host().shell, one, signal)
            left = self._until_ended(left, _END_LIMIT) if left else []
        self.certain = self.certain and not left

    def _until_ended(self, processes: list[Process], limit: float) -> list[Process]:
        """Those that still run at the end of the wait."""
        end = time.monotonic() + limit
        while processes := [one for one in processes if self._runs(one)]:
            if (left := end - time.monotonic()) <= 0:
                break
            self._rest(min(_LOOK_EVERY, left))
        return processes

    def _runs(self, tool: Process) -> bool | None:
        return process.runs(self._host().shell, tool)

    def wait(self, intended: str | None) -> bool:
        """Wait until the answer limit has passed since an intent; False if it had passed already."""
        left = min(self._limit, self._limit - _age(intended))
        if left <= 0:
            return False
        self._notice(f"a command of an earlier process may still be in progress on the HSMs: waiting {left:.0f} s")
        end = time.monotonic() + left
        while (left := end - time.monotonic()) > 0:
            self._rest(min(_LOOK_EVERY, left))
        return True

    def _rest(self, seconds: float) -> None:
        self._interrupts.check()
        select.select([], [], [], seconds)


def _age(at: str | None) -> float:
    """Seconds since a line of the journal was written; 0 where that is not known."""
    if at is None:
        return 0.0
    passed: timedelta = datetime.now(UTC) - datetime.fromisoformat(at)
    return passed.total_seconds()
