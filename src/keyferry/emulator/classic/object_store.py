from __future__ import annotations

from typing import TYPE_CHECKING

from keyferry.emulator.classic.objects import is_set, pack, unpack

if TYPE_CHECKING:
    from collections.abc import Mapping

    from keyferry.emulator.store import Store

SCHEMA = """
CREATE TABLE luna_partition (id INTEGER PRIMARY KEY, label TEXT NOT NULL, serial TEXT NOT NULL);
CREATE TABLE luna_role (
    partition INTEGER NOT NULL, role TEXT NOT NULL, pin TEXT NOT NULL, failures INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (partition, role)
);
CREATE TABLE luna_group (label TEXT NOT NULL, first_member INTEGER NOT NULL);
CREATE TABLE luna_object (
    id INTEGER PRIMARY KEY, partition INTEGER NOT NULL, handle INTEGER NOT NULL, attributes TEXT NOT NULL,
    UNIQUE (partition, handle)
);
"""
# Session objects belong to the process that made them, as a temporary table belongs to its connection.
_SESSION_SCHEMA = """
CREATE TEMP TABLE session_object (
    id INTEGER PRIMARY KEY, partition INTEGER NOT NULL, handle INTEGER NOT NULL, attributes TEXT NOT NULL
);
CREATE TEMP VIEW visible_object AS
    SELECT 0 AS session, * FROM main.luna_object UNION ALL SELECT 1 AS session, * FROM session_object;
"""
_TABLES = ("luna_object", "session_object")
_HIGHEST = 2**63 - 1


class Shelf:
    """The objects of all partitions, token and session ones, by the partition's own stable handles."""

    def __init__(self, store: Store) -> None:
        self._store = store
        store.script(_SESSION_SCHEMA)

    def all(self, partition: int) -> dict[int, dict[str, bytes]]:
        """All objects by handle, lowest handle first."""
        rows = self._store.rows("SELECT * FROM visible_object WHERE partition = ? ORDER BY handle", partition)
        return {int(row["handle"]): unpack(row["attributes"]) for row in rows}

    def get(self, partition: int, handle: int) -> dict[str, bytes] | None:
        """None where no object has this handle, as none has one that SQLite cannot hold."""
        if handle > _HIGHEST:
            return None
        row = self._store.row(
            "SELECT attributes FROM visible_object WHERE partition = ? AND handle = ?", partition, handle
        )
        return None if row is None else unpack(row["attributes"])

    def add(self, partition: int, attributes: Mapping[str, bytes]) -> int:
        table = "luna_object" if is_set(attributes, "CKA_TOKEN") else "session_object"
        row_id = self._store.run(
            f"INSERT INTO {table} (partition, handle, attributes) "  # noqa: S608 - one of our own two names
            "SELECT ?, coalesce(max(handle), 0) + 2, ? FROM visible_object WHERE partition = ?",
            *(partition, pack(attributes), partition),
        )
        row = self._store.row(f"SELECT handle FROM {table} WHERE id = ?", row_id)  # noqa: S608 - as above
        assert row is not None  # noqa: S101 - inserted one line above
        return int(row["handle"])

    def change(self, partition: int, handle: int, attributes: Mapping[str, bytes]) -> None:
        for table in _TABLES:
            self._store.run(
                f"UPDATE {table} SET attributes = ? WHERE partition = ? AND handle = ?",  # noqa: S608 - as above
                *(pack(attributes), partition, handle),
            )

    def remove(self, partition: int, handle: int) -> None:
        for table in _TABLES:
            self._store.run(
                f"DELETE FROM {table} WHERE partition = ? AND handle = ?",  # noqa: S608 - as above
                *(partition, handle),
            )
