"""The emulated HSMs on disk.

**This store holds plaintext key material**: it stands for the inside of two HSMs, and is the only place of
this project where key values lie in the clear. It must never be made from real keys.
"""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from os import PathLike

FILE_NAME = "store.sqlite"
_SCHEMA = """
CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE fault (
    id INTEGER PRIMARY KEY, tool TEXT NOT NULL, name TEXT NOT NULL, verb TEXT, nth INTEGER NOT NULL,
    seen INTEGER NOT NULL DEFAULT 0, fired INTEGER NOT NULL DEFAULT 0
);
"""


class Store:
    """One SQLite file; every emulated tool opens it anew, as every real tool connects anew to its HSM.

    Each statement is its own transaction, so that two tools at once see each other's work at once.
    """

    def __init__(self, directory: str | PathLike[str]) -> None:
        path = os.path.join(directory, FILE_NAME)
        if not os.path.isfile(path):
            raise FileNotFoundError(f"{path}: no emulated HSM here; make one with `keyferry emulator init {directory}`")
        self._db = sqlite3.connect(path, isolation_level=None, timeout=30)
        self._db.row_factory = sqlite3.Row

    @classmethod
    def create(cls, directory: str | PathLike[str]) -> Store:
        """Make an empty store; an existing one is never overwritten (FileExistsError)."""
        os.close(os.open(os.path.join(directory, FILE_NAME), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        store = cls(directory)
        store.script(_SCHEMA)
        return store

    def script(self, sql: str) -> None:
        """Run several statements, as when a side makes its own tables."""
        self._db.executescript(sql)

    def rows(self, sql: str, *values: Any) -> list[sqlite3.Row]:  # noqa: ANN401 - whatever SQLite can bind
        return self._db.execute(sql, values).fetchall()

    def row(self, sql: str, *values: Any) -> sqlite3.Row | None:  # noqa: ANN401 - whatever SQLite can bind
        found: sqlite3.Row | None = self._db.execute(sql, values).fetchone()
        return found

    def run(self, sql: str, *values: Any) -> int:  # noqa: ANN401 - whatever SQLite can bind
        """Run one changing statement; gives the new row's id."""
        return self._db.execute(sql, values).lastrowid or 0

    def setting(self, name: str, default: str = "") -> str:
        row = self.row("SELECT value FROM setting WHERE name = ?", name)
        return default if row is None else str(row["value"])

    def set(self, name: str, value: str) -> None:
        self.run("INSERT OR REPLACE INTO setting VALUES (?, ?)", name, value)

    def begin(self) -> None:
        """Open a transaction by hand, for many inserts at once (`init`)."""
        self._db.execute("BEGIN")

    def commit(self) -> None:
        self._db.execute("COMMIT")


def hide(secret: bytes) -> str:
    """A PIN or password as the store keeps it: salted and stretched, never as itself."""
    salt = os.urandom(16)
    return f"{salt.hex()}:{_stretch(secret, salt).hex()}"


def matches(secret: bytes, hidden: str) -> bool:
    salt, wanted = (bytes.fromhex(part) for part in hidden.split(":"))
    import hmac  # noqa: PLC0415 - loads OpenSSL, which only a login needs

    return hmac.compare_digest(_stretch(secret, salt), wanted)


def _stretch(secret: bytes, salt: bytes) -> bytes:
    import hashlib  # noqa: PLC0415 - as above

    # Few rounds on purpose: this guards a rehearsal's PIN, and a rehearsal logs in six times.
    return hashlib.pbkdf2_hmac("sha256", secret, salt, 1000)
