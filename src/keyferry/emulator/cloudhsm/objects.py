"""Keys of the cluster: what they are, who may see them, which nodes have them."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

from keyferry.emulator.cloudhsm.cluster import Cluster, Code, Refused
from keyferry.emulator.jitter import Jitter

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from keyferry.emulator.store import Store

_COUNTER, _LAST_RESERVED = "cloud_last_handle", 5  # the first key of a new HSM is 6
_COLUMNS = "handle, owner, session, class, type, label, id, value, public, flags, approvers"
_SEEN = """SELECT * FROM cloud_key WHERE session IN ('', ?) AND
    (owner = ? OR class = ? OR handle IN (SELECT handle FROM cloud_share WHERE user = ?))"""
_NO_HANDLE = 2**63  # beyond what the store can look for


class KeyClass(IntEnum):
    PUBLIC = 2
    PRIVATE = 3
    SECRET = 4


class KeyType(IntEnum):
    RSA = 0
    DSA = 1
    EC = 3
    GENERIC_SECRET = 16
    RC4 = 18
    DES3 = 21
    AES = 31


SIZES: dict[KeyType, Sequence[int]] = {  # bytes of a value
    KeyType.GENERIC_SECRET: range(1, 3584),
    KeyType.RC4: range(1, 257),
    KeyType.DES3: (24,),
    KeyType.AES: (16, 24, 32),
}
_USAGES = {
    (KeyClass.PUBLIC, KeyType.RSA): "ENCRYPT WRAP VERIFY",
    (KeyClass.PRIVATE, KeyType.RSA): "DECRYPT UNWRAP SIGN",
    (KeyClass.SECRET, KeyType.AES): "ENCRYPT DECRYPT WRAP UNWRAP",
    (KeyClass.SECRET, KeyType.DES3): "ENCRYPT DECRYPT",
    (KeyClass.SECRET, KeyType.RC4): "ENCRYPT DECRYPT",
    (KeyClass.SECRET, KeyType.GENERIC_SECRET): "SIGN VERIFY",
}


class KeyObject(NamedTuple):
    """One object. `value` is raw (secret) or PKCS#8 DER (private); both halves have `public`, SPKI DER.

    `flags` names the boolean attributes that are 1; `session` the process whose session key it is, else "".
    """

    owner: int
    key_class: KeyClass
    key_type: KeyType
    label: str
    flags: frozenset[str]
    value: bytes = b""
    public: bytes = b""
    id: str = ""
    session: str = ""
    approvers: int = 0
    handle: int = 0


def usual_flags(
    key_class: KeyClass, key_type: KeyType, *, local: bool, extractable: bool, token: bool
) -> frozenset[str]:
    """The boolean attributes that a new key gets from its class and type, and from how it came to be."""
    flags = {"PRIVATE", "DESTROYABLE", "MODIFIABLE", *_USAGES.get((key_class, key_type), "").split()}
    sensitive = key_class is not KeyClass.PUBLIC
    choices = {
        "TOKEN": token,
        "LOCAL": local,
        "SENSITIVE": sensitive,
        "EXTRACTABLE": extractable,
        "ALWAYS_SENSITIVE": local and sensitive,
        "NEVER_EXTRACTABLE": local and not extractable,
    }
    return frozenset(flags | {name for name, chosen in choices.items() if chosen})


class Keys:
    """The keys as one session sees them: session keys of another session are not there."""

    def __init__(self, store: Store, session: str) -> None:
        self._store = store
        self.session = session
        self._jitter = Jitter(store.setting("jitter"))

    def add(self, keys: Sequence[KeyObject], nodes: Iterable[int], shared: Iterable[int] = ()) -> list[KeyObject]:
        """Store keys made together, on these nodes, shared with these users; gives them with handles."""
        self._store.begin()
        handles = self.new_handles(len(keys))
        made = [key._replace(handle=handle) for key, handle in zip(keys, handles, strict=True)]
        for key in made:
            self._insert(key)
            for node in nodes:
                self._store.run("INSERT INTO cloud_copy VALUES (?, ?)", key.handle, node)
            for user in shared:
                self._store.run("INSERT INTO cloud_share VALUES (?, ?)", key.handle, user)
        self._store.commit()
        return made

    def _insert(self, key: KeyObject) -> None:
        marks = ", ".join("?" * len(_COLUMNS.split(", ")))
        self._store.run(
            f"INSERT INTO cloud_key ({_COLUMNS}) VALUES ({marks})",  # noqa: S608 - both are constant
            *_row(key),
        )

    def seen_by(self, user: int) -> list[KeyObject]:
        """The keys that this user owns or shares, and all public keys, by handle."""
        rows = self._store.rows(f"{_SEEN} ORDER BY handle", *self._who(user))
        return [_key(row) for row in rows]

    def get(self, handle: int, user: int) -> KeyObject:
        """The key, if this user sees it; else Refused, as for a handle that was never given."""
        row = self._store.row(f"{_SEEN} AND handle = ?", *self._who(user), handle) if handle < _NO_HANDLE else None
        if row is None:
            raise Refused(Code.INVALID_HANDLE)
        return _key(row)

    def _who(self, user: int) -> tuple[str | int, ...]:
        return (self.session, user, int(KeyClass.PUBLIC), user)

    def owned(self, handle: int, user: int) -> KeyObject:
        """The key, if this user may manage it."""
        key = self.get(handle, user)
        if key.owner != user:
            raise Refused(Code.ACCESS_DENIED)
        return key

    def nodes_with(self, handle: int) -> list[int]:
        return [int(row["node"]) for row in self._store.rows("SELECT node FROM cloud_copy WHERE handle = ?", handle)]

    def shared_with(self, handle: int) -> list[int]:
        rows = self._store.rows("SELECT user FROM cloud_share WHERE handle = ? ORDER BY user", handle)
        return [int(row["user"]) for row in rows]

    def delete(self, handle: int) -> None:
        for table in ("cloud_copy", "cloud_share", "cloud_key"):
            self._store.run(f"DELETE FROM {table} WHERE handle = ?", handle)  # noqa: S608 - names of our own

    def keep(self, key: KeyObject, *, token: bool) -> None:
        """Make it a token key on every node, or a session key of this session."""
        flags = key.flags | {"TOKEN"} if token else key.flags - {"TOKEN"}
        session = "" if token else self.session
        self._store.run(
            "UPDATE cloud_key SET flags = ?, session = ? WHERE handle = ?",
            " ".join(sorted(flags)),
            session,
            key.handle,
        )
        if token:
            self._store.run("INSERT OR IGNORE INTO cloud_copy SELECT ?, id FROM cloud_node", key.handle)

    def end_session(self) -> None:
        """The process ends: its session keys are gone."""
        for row in self._store.rows("SELECT handle FROM cloud_key WHERE session = ?", self.session):
            self.delete(int(row["handle"]))

    def new_handles(self, count: int) -> list[int]:
        """New handles from one node. The second of a pair is usually the next number."""
        gap = self._jitter.number("handle-gap", 1, 1, 250)
        first = self._reserve(1 + gap * (count - 1))
        nodes = Cluster(self._store).nodes()
        handles = [self._on_node(nodes[first % len(nodes)], first + gap * i) for i in range(count)]
        return handles[::-1] if self._jitter.pick("private-handle-first", False, True) else handles

    def _reserve(self, count: int) -> int:
        taken = "INSERT INTO setting VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + ? RETURNING value"
        row = self._store.rows(taken, _COUNTER, str(_LAST_RESERVED + count), count)[0]
        return int(row["value"]) - count + 1

    def _on_node(self, node: int, number: int) -> int:
        style = self._jitter.pick("handle-style", "node", "small", "large")
        return {"node": node << 18 | number, "small": number, "large": (node + 1) << 34 | number}[style]


def _row(key: KeyObject) -> tuple[int | str | bytes, ...]:
    flags = " ".join(sorted(key.flags))
    numbers = (key.handle, key.owner, key.session, int(key.key_class), int(key.key_type))
    texts = (_encoded(key.label), _encoded(key.id))
    return (*numbers, *texts, key.value, key.public, flags, key.approvers)


def _encoded(text: str) -> bytes:
    """Labels and ids are the bytes that were typed, whether they are UTF-8 or not."""
    return text.encode("utf-8", "surrogateescape")


def _decoded(stored: bytes) -> str:
    return stored.decode("utf-8", "surrogateescape")


def _key(row: sqlite3.Row) -> KeyObject:
    return KeyObject(
        handle=int(row["handle"]),
        owner=int(row["owner"]),
        session=str(row["session"]),
        key_class=KeyClass(row["class"]),
        key_type=KeyType(row["type"]),
        label=_decoded(row["label"]),
        id=_decoded(row["id"]),
        value=bytes(row["value"]),
        public=bytes(row["public"]),
        flags=frozenset(str(row["flags"]).split()),
        approvers=int(row["approvers"]),
    )
