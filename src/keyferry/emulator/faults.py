from __future__ import annotations

import signal
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from keyferry.emulator.store import Store


_TOO_LONG = 8.0  # seconds
_LINGERS = 3.0  # seconds


class Fault(NamedTuple):
    """What can go wrong in one tool: its name, what it does, and the verbs it can strike at (the tool's words)."""

    name: str
    effect: str
    verbs: tuple[str, ...]


def of_lines(verbs: tuple[str, ...]) -> tuple[Fault, ...]:
    """What a bad line makes of an answer, of whatever tool."""
    return (
        Fault("drip", "the answer comes one byte at a time", verbs),
        Fault("noise", "escape sequences, NUL and stray bytes instead of the answer; nothing is done", verbs),
        Fault("flood", "ten megabytes instead of the answer; nothing is done", verbs),
    )


DEAF = "the end of the terminal is ignored, and the work is done after three seconds"


def of_dialogues(verbs: tuple[str, ...]) -> tuple[Fault, ...]:
    """What can strike at any verb of a tool of the cluster."""
    return (
        Fault("garbage", "an undocumented line instead of the answer; nothing is done", verbs),
        Fault("die", "the process ends in the middle of its answer; the work is done", verbs),
        Fault("die-before", "the process ends before it does anything", verbs),
        Fault("die-after", "the process ends after its whole answer, before the prompt", verbs),
        Fault("late", "the answer comes after eight seconds; the work is done", verbs),
        *of_lines(verbs),
        Fault("two-prompts", "the prompt comes twice", verbs),
        Fault("hang", "no answer, and nothing done, until the process is ended", verbs),
    )


# Escape sequences, NUL, and bytes that are no UTF-8.
_NOISE = b"\x1b[2J\x1b[7m\x00\xff\xfe\x9b31m\x07retry \xc3\x28\x1b]0;x\x07\x1b[0m \x00\n"
_FLOOD_LINE, _FLOOD_LINES = b"cfm: trace buffer 0x3f00 rotated, 4096 entries lost\n", 200_000  # over ten megabytes


def rubbish(struck: Callable[[str], bool]) -> bytes:
    """What `noise` or `flood` writes, if one of them has struck; else nothing."""
    if struck("noise"):
        return _NOISE
    return _FLOOD_LINE * _FLOOD_LINES if struck("flood") else b""


def wait_too_long() -> None:
    """Longer than a test's limit for an answer; nothing ends it early."""
    signal.sigtimedwait([], _TOO_LONG)


def deaf(struck: Callable[[str], bool]) -> None:
    """`deaf`: wait before the command is done, whatever becomes of the terminal; only SIGTERM and SIGKILL end it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if struck("deaf"):
        signal.sigtimedwait([], _LINGERS)
    else:
        signal.signal(signal.SIGHUP, before)


def arm(store: Store, tool: str, name: str, verb: str | None, nth: int) -> None:
    """Arm one fault: it strikes once, at the `nth` chance (from 1) it gets at `verb` (any verb if None)."""
    store.run("INSERT INTO fault (tool, name, verb, nth) VALUES (?, ?, ?, ?)", tool, name, verb, nth)


def strikes(store: Store, tool: str, name: str, verb: str) -> bool:
    """Whether the fault strikes now. Each call is one chance, so a tool asks once where the fault belongs."""
    for row in store.rows(
        "SELECT * FROM fault WHERE tool = ? AND name = ? AND fired = 0 AND (verb IS NULL OR verb = ?)", tool, name, verb
    ):
        seen = int(row["seen"]) + 1
        fires = seen == int(row["nth"])
        store.run("UPDATE fault SET seen = ?, fired = ? WHERE id = ?", seen, int(fires), row["id"])
        if fires:
            return True
    return False
