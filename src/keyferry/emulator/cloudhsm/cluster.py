"""A CloudHSM cluster: its nodes, its users, and what its firmware refuses, whatever tool speaks to it."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

from keyferry.emulator.store import hide, matches

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keyferry.emulator.store import Store

CRYPTO_USER = "cloud_user"  # the setting that holds the name of the crypto user a migration logs in as
LOCK_AFTER = 5  # wrong passwords, on clusters made after February 2018
_SCHEMA = """
CREATE TABLE cloud_node (position INTEGER PRIMARY KEY, id INTEGER NOT NULL UNIQUE);
CREATE TABLE cloud_user (
    id INTEGER PRIMARY KEY, type TEXT NOT NULL, name TEXT NOT NULL UNIQUE, password TEXT NOT NULL,
    failures INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE cloud_key (
    handle INTEGER PRIMARY KEY, owner INTEGER NOT NULL, session TEXT NOT NULL, class INTEGER NOT NULL,
    type INTEGER NOT NULL, label BLOB NOT NULL, id BLOB NOT NULL, value BLOB NOT NULL, public BLOB NOT NULL,
    flags TEXT NOT NULL, approvers INTEGER NOT NULL
);
CREATE TABLE cloud_copy (handle INTEGER NOT NULL, node INTEGER NOT NULL, PRIMARY KEY (handle, node));
CREATE TABLE cloud_share (handle INTEGER NOT NULL, user INTEGER NOT NULL, PRIMARY KEY (handle, user));
"""


class Code(IntEnum):
    """Return codes of firmware and client; numbers that the reference does not give are marked."""

    SUCCESS = 0x00
    OPEN_FILE_FAILED = 0x06  # number inferred
    BAD_PKCS_DATA = 0x1B
    INVALID_COMMAND = 0x82
    INVALID_SESSION = 0x90
    ALREADY_LOGGED_IN = 0x9F
    NOT_LOGGED_IN = 0xA0
    USER_NOT_INITIALIZED = 0x9D
    LOGIN_FAILURE = 0xA3
    INVALID_HANDLE = 0xA8
    INVALID_INPUT = 0xB2  # number inferred
    POLICY_MISMATCH = 0xB3
    BUSY = 0xBB
    ACCESS_DENIED = 0xC6
    NO_SUCH_USER = 0xCE
    INVALID_USER_TYPE = 0xDB
    OPERATION_INCOMPLETE = 0x30000080  # done on some nodes only; number inferred
    NODE_UNAVAILABLE = 0x30000085
    DAEMON_UNREACHABLE = 0x40000040
    LOGIN_FAILURE_AT_CLIENT = 0x40000049


class NodeState(NamedTuple):
    """What one node answered."""

    node: int
    code: Code


class User(NamedTuple):
    """A user as every node knows it; `failures` counts wrong passwords since the last right one."""

    id: int
    type: str
    name: str
    failures: int


class Refused(Exception):  # noqa: N818 - an answer of the cluster, not a mistake of ours
    """The cluster said no. Without `states` every node that was asked gave the same code."""

    def __init__(self, code: Code, states: Sequence[NodeState] | None = None) -> None:
        super().__init__(f"0x{code:02x} {code.name}")
        self.code = code
        self.states = states


class Cluster:
    """Nodes and users."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @classmethod
    def create(cls, store: Store, nodes: Sequence[int]) -> Cluster:
        """Make the tables, with nodes of these ids, listed in this order."""
        store.script(_SCHEMA)
        for node in nodes:
            store.run("INSERT INTO cloud_node (id) VALUES (?)", node)
        return cls(store)

    def nodes(self) -> list[int]:
        """Node ids in the order in which the cluster lists them."""
        return [int(row["id"]) for row in self._store.rows("SELECT id FROM cloud_node ORDER BY position")]

    def add_user(self, number: int, kind: str, name: str, password: str) -> User:
        self._store.run(
            "INSERT INTO cloud_user (id, type, name, password) VALUES (?, ?, ?, ?)",
            number,
            kind,
            name,
            hide(password.encode()),
        )
        return User(number, kind, name, 0)

    def users(self) -> list[User]:
        rows = self._store.rows("SELECT id, type, name, failures FROM cloud_user ORDER BY id")
        return [User(int(row["id"]), str(row["type"]), str(row["name"]), int(row["failures"])) for row in rows]

    def login(self, kind: str, name: str, password: bytes) -> User:
        """The user, counter set back. A wrong password counts; a locked user's right one is refused too."""
        user = next((user for user in self.users() if (user.type, user.name) == (kind, name)), None)
        if user is None:
            raise Refused(Code.NO_SUCH_USER)
        if user.failures >= LOCK_AFTER:
            raise Refused(Code.LOGIN_FAILURE)
        if not matches(password, self._hidden(user)):
            self._store.run("UPDATE cloud_user SET failures = failures + 1 WHERE id = ?", user.id)
            raise Refused(Code.LOGIN_FAILURE)
        self._store.run("UPDATE cloud_user SET failures = 0 WHERE id = ?", user.id)
        return user

    def _hidden(self, user: User) -> str:
        row = self._store.row("SELECT password FROM cloud_user WHERE id = ?", user.id)
        return "" if row is None else str(row["password"])
