from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import sqlite3

    from keyferry.emulator.store import Store

_HA_DESCRIPTION = "HA Virtual Card Slot"


class Slot(NamedTuple):
    """A slot as a client sees it; an empty one has no label, no serial and partition 0.

    `partition` is the row that holds its objects.
    """

    number: int
    description: str
    label: str | None
    serial: str | None
    present: bool
    ha: bool
    partition: int


class _Numbering(NamedTuple):
    """How a client version counts slots (reference vtl)."""

    first: int
    description: str
    at_least: int  # physical slots, where empty ones are listed


_NUMBERINGS = {"5": _Numbering(1, "LunaNet Slot", 5), "7": _Numbering(0, "Net Token Slot", 0)}


def read_slots(store: Store, dialect: str, *, ha: bool, swapped: bool) -> list[Slot]:
    """Physical slots, empty ones, then the HA groups; with the setting `ha_only` these alone, as with HAOnly.

    `swapped`, as after an HA member's return: the first two partitions trade places.
    """
    count = _NUMBERINGS[dialect]
    rows: list[sqlite3.Row | None] = [*store.rows("SELECT * FROM luna_partition ORDER BY id")]
    if swapped:
        rows[:2] = rows[1::-1]
    rows += [None] * (count.at_least - len(rows))
    slots = [_physical(number, count.description, row) for number, row in enumerate(rows, count.first)]
    if ha and store.setting("ha_only"):
        slots = []
    if ha:
        groups = store.rows(
            "SELECT g.label, p.serial, p.id FROM luna_group g JOIN luna_partition p ON p.id = g.first_member"
        )
        after = count.first + len(slots)
        slots += [_group(number, row) for number, row in enumerate(groups, after)]
    return slots


def _physical(number: int, description: str, row: sqlite3.Row | None) -> Slot:
    empty = Slot(number, description, None, None, present=False, ha=False, partition=0)
    if row is None:
        return empty
    return empty._replace(label=row["label"], serial=row["serial"], present=True, partition=row["id"])


def _group(number: int, row: sqlite3.Row) -> Slot:
    return Slot(number, _HA_DESCRIPTION, row["label"], f"1{row['serial']}", present=True, ha=True, partition=row["id"])
