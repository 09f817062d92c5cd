from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from keyferry.emulator.cloudhsm.cluster import LOCK_AFTER, Cluster, Code, Refused
from keyferry.emulator.cloudhsm.objects import KeyClass, KeyObject, Keys, KeyType, usual_flags
from keyferry.emulator.cloudhsm.population import populate
from keyferry.emulator.store import Store

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path)


def _secret(owner: int, label: str = "a", session: str = "") -> KeyObject:
    flags = usual_flags(KeyClass.SECRET, KeyType.AES, local=True, extractable=True, token=not session)
    return KeyObject(owner, KeyClass.SECRET, KeyType.AES, label, flags, value=bytes(16), session=session)


def _other(store: Store, name: str) -> int:
    return next(user.id for user in Cluster(store).users() if user.type == "CU" and user.name != name)


def _ours(store: Store, name: str) -> int:
    return next(user.id for user in Cluster(store).users() if user.name == name)


@pytest.mark.parametrize("jitter", ["", "1", "2", "3"])
def test_the_crypto_user_begins_without_a_key_of_its_own(store: Store, jitter: str) -> None:
    store.set("jitter", jitter)
    access = populate(store, 3)
    seen = Keys(store, "me").seen_by(_ours(store, access.user))
    assert [key.key_class for key in seen] == [KeyClass.PUBLIC]
    assert len(set(Cluster(store).nodes())) == 3


def test_a_password_is_random_and_only_hidden_in_the_store(store: Store, tmp_path: Path) -> None:
    access = populate(store, 2)
    assert access.password.isalnum()
    assert 12 <= len(access.password) <= 16
    assert access.password.encode() not in (tmp_path / "store.sqlite").read_bytes()


def test_a_user_is_locked_after_the_limit_and_counted_until_then(store: Store) -> None:
    access = populate(store, 2)
    cluster = Cluster(store)
    for _ in range(LOCK_AFTER + 1):
        with pytest.raises(Refused) as refused:
            cluster.login("CU", access.user, b"wrong")
        assert refused.value.code is Code.LOGIN_FAILURE
    assert {user.name: user.failures for user in cluster.users()}[access.user] == LOCK_AFTER
    with pytest.raises(Refused):
        cluster.login("CU", access.user, access.password.encode())


def test_a_right_password_sets_the_counter_back(store: Store) -> None:
    access = populate(store, 2)
    cluster = Cluster(store)
    with pytest.raises(Refused):
        cluster.login("CU", access.user, b"wrong")
    cluster.login("CU", access.user, access.password.encode())
    assert all(user.failures == 0 for user in cluster.users())


@pytest.mark.parametrize(("kind", "name"), [("CU", "nobody"), ("CU", "admin"), ("CO", "payments")])
def test_a_user_is_known_by_type_and_name(store: Store, kind: str, name: str) -> None:
    populate(store, 1)
    with pytest.raises(Refused) as refused:
        Cluster(store).login(kind, name, b"whatever")
    assert refused.value.code is Code.NO_SUCH_USER


def test_keys_are_seen_by_owner_and_sharers_and_managed_by_the_owner(store: Store) -> None:
    us = _ours(store, populate(store, 2).user)
    them = _other(store, "crypto_user")
    keys = Keys(store, "")
    private = keys.add([_secret(them, "private")], [0, 1])[0]
    shared = keys.add([_secret(them, "shared")], [0, 1], [us])[0]
    assert keys.get(shared.handle, us) == shared
    for handle, code, ask in (
        (private.handle, Code.INVALID_HANDLE, keys.get),
        (shared.handle, Code.ACCESS_DENIED, keys.owned),
    ):
        with pytest.raises(Refused) as refused:
            ask(handle, us)
        assert refused.value.code is code


def test_a_session_key_is_its_sessions_and_ends_with_it(store: Store) -> None:
    us = _ours(store, populate(store, 2).user)
    mine, yours = Keys(store, "mine"), Keys(store, "yours")
    handle = mine.add([_secret(us, session="mine")], [0])[0].handle
    assert mine.get(handle, us).session == "mine"
    with pytest.raises(Refused):
        yours.get(handle, us)
    kept = mine.add([_secret(us, session="mine")], [0])[0]
    mine.keep(kept, token=True)
    mine.end_session()
    assert mine.nodes_with(handle) == []
    assert "TOKEN" in yours.get(kept.handle, us).flags
    assert yours.nodes_with(kept.handle) == [0, 1]


@pytest.mark.parametrize("jitter", ["", "1", "2", "3", "4", "5"])
def test_handles_are_never_given_twice(store: Store, jitter: str) -> None:
    store.set("jitter", jitter)
    us = _ours(store, populate(store, 3).user)
    keys = Keys(store, "")
    handles = [key.handle for _ in range(20) for key in keys.add([_secret(us), _secret(us)], [0])]
    assert len(set(handles)) == 40
    if not jitter:
        assert all(private == public + 1 for public, private in zip(handles[::2], handles[1::2], strict=True))


def test_labels_are_bytes(store: Store) -> None:
    us = _ours(store, populate(store, 1).user)
    label = b"\xff\xfe".decode("utf-8", "surrogateescape")
    assert Keys(store, "").add([_secret(us, label)], [0])[0].label == label
    assert label in [key.label for key in Keys(store, "").seen_by(us)]
