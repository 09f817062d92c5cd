from __future__ import annotations

import secrets
import string
from typing import TYPE_CHECKING, NamedTuple

from keyferry.emulator.cloudhsm.cluster import CRYPTO_USER, Cluster, User
from keyferry.emulator.cloudhsm.objects import KeyClass, KeyObject, Keys, KeyType, usual_flags
from keyferry.emulator.jitter import Jitter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keyferry.emulator.store import Store


class CloudAccess(NamedTuple):
    """What the crypto user logs in with. The store itself knows the password only hidden."""

    user: str
    password: str


def populate(store: Store, nodes: int) -> CloudAccess:
    """A cluster of so many nodes: our crypto user, who has no key yet, and somebody else's users and keys."""
    jitter = Jitter(store.setting("jitter"))
    cluster = Cluster.create(store, _node_ids(jitter, nodes))
    access = CloudAccess(jitter.pick("user-name", "crypto_user", "migration", "cu01"), _password())
    store.set(CRYPTO_USER, access.user)
    first = jitter.number("first-user-id", 1, 1, 40)
    cluster.add_user(first, "CO", "admin", _password())
    cluster.add_user(first + 1, "AU", "app_user", _password())
    cluster.add_user(first + 2, "CU", access.user, access.password)
    other = cluster.add_user(first + 3, "CU", "payments", _password())
    _keys_of(store, other, cluster.nodes())
    return access


def _node_ids(jitter: Jitter, nodes: int) -> list[int]:
    odd = jitter.number("node-step", 1, 1, 7)
    start = jitter.number("node-start", 0, 0, 5)
    return jitter.shuffled("node-order", [start + odd * i for i in range(nodes)])


def _password() -> str:
    letters = string.ascii_letters + string.digits
    return "".join(secrets.choice(letters) for _ in range(12 + secrets.randbelow(5)))


def _keys_of(store: Store, owner: User, nodes: Sequence[int]) -> None:
    keys = Keys(store, "")
    secrets_of = (
        ("payments-2019", KeyType.AES, 32),
        ("card-mac", KeyType.GENERIC_SECRET, 20),
        ("batch-2020", KeyType.AES, 16),
    )
    for label, key_type, size in secrets_of:
        keys.add([_secret(owner, label, key_type, size)], nodes)
    keys.add(_pair(owner, "payments-signing"), nodes)
    keys.add([_secret(owner, "session-scratch", KeyType.AES, 32, session="elsewhere")], nodes[:1])


def _secret(owner: User, label: str, key_type: KeyType, size: int, session: str = "") -> KeyObject:
    flags = usual_flags(KeyClass.SECRET, key_type, local=True, extractable=False, token=not session)
    value = secrets.token_bytes(size)
    return KeyObject(owner.id, KeyClass.SECRET, key_type, label, flags, value=value, session=session)


def _pair(owner: User, label: str) -> list[KeyObject]:
    from keyferry.emulator.cloudhsm.crypto import generate_rsa  # noqa: PLC0415 - slow to load, needed here only

    public, private = generate_rsa(2048, 65537)
    return [
        KeyObject(
            owner.id,
            key_class,
            KeyType.RSA,
            label,
            usual_flags(key_class, KeyType.RSA, local=True, extractable=key_class is KeyClass.PUBLIC, token=True),
            value=private if key_class is KeyClass.PRIVATE else b"",
            public=public,
        )
        for key_class in (KeyClass.PUBLIC, KeyClass.PRIVATE)
    ]
