from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keyferry.emulator.store import Store


@dataclass(frozen=True, slots=True)
class Fault:
    """What can go wrong in one tool: its name, what it does, and the verbs it can strike at (the tool's words)."""

    name: str
    effect: str
    verbs: tuple[str, ...]


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
