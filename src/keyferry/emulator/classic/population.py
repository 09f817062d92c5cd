from __future__ import annotations

import os
import secrets
import string
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from keyferry.emulator.classic import crypto
from keyferry.emulator.classic.object_store import SCHEMA
from keyferry.emulator.classic.objects import (
    AES,
    DES2,
    DES3,
    GENERIC_SECRET,
    new_ouid,
    pack,
    rsa_private_key,
    rsa_public_key,
    secret_key,
    with_odd_parity,
)
from keyferry.emulator.classic.roles import set_pin
from keyferry.emulator.jitter import Jitter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from keyferry.emulator.store import Store

Attributes = dict[str, bytes]

LABEL, SPARE_LABEL, GROUP_LABEL = "par43", "par40", "classic_ha"
# HSM serial and three digits of the partition in 5.x; up to thirteen digits in 7.x.
_SERIALS = {"5": ("157541008", "157562011"), "7": ("1582163089435", "1582163089471")}
_OFF, _ON = b"\x00", b"\x01"


class ClassicAccess(NamedTuple):
    """What a caller needs to reach the first partition; the store knows the PIN only in hidden form."""

    label: str
    pin: str


def populate(store: Store, keys: int, luna: str) -> ClassicAccess:
    """Make two partitions with one PIN, an HA group of both, and `keys` symmetric keys in the first."""
    store.script(SCHEMA)
    length = 12 + secrets.randbelow(5)
    pin = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(length))
    store.begin()
    for partition, (label, serial) in enumerate(zip((LABEL, SPARE_LABEL), _SERIALS[luna], strict=True), 1):
        store.run("INSERT INTO luna_partition VALUES (?, ?, ?)", partition, label, serial)
        set_pin(store, partition, "CO", pin.encode())
    store.run("INSERT INTO luna_group VALUES (?, 1)", GROUP_LABEL)
    _fill(store, 1, luna, [*_rsa_pair(), *(_key(n) for n in range(1, keys + 1))])
    _fill(store, 2, luna, [_aes("orders-0001", 16), _aes("spare-0001", 32)])
    store.commit()
    return ClassicAccess(LABEL, pin)


def _fill(store: Store, partition: int, luna: str, objects: list[Attributes]) -> None:
    jitter = Jitter(store.setting("jitter"))
    drop_id = jitter.pick("key without an ID", "empty", "absent") == "absent"
    for handle, attributes in zip(_handles(jitter, partition, len(objects)), objects, strict=False):
        if drop_id and not attributes["CKA_ID"]:
            del attributes["CKA_ID"]
        store.run(
            "INSERT INTO luna_object (partition, handle, attributes) VALUES (?, ?, ?)",
            *(partition, handle, pack(attributes | new_ouid(luna))),
        )


def _handles(jitter: Jitter, partition: int, objects: int) -> Iterator[int]:
    """Rising handles with gaps, all within the 10,000 that ckdemo takes as long as the objects allow it."""
    handle = jitter.number(f"first handle {partition}", 12, 2, 600)
    gap = max(1, min(5, 9000 // (objects + 1)))
    for n in count():
        yield handle
        handle += jitter.number(f"gap {partition} {n}", 1 + n * 7 % gap, 1, gap)


def _rsa_pair() -> Iterable[Attributes]:
    modulus, exponent, der = crypto.new_rsa(2048, 65537)
    label = {"CKA_LABEL": b"web-signer", "CKA_ID": b"\x01"}
    yield rsa_public_key(modulus, exponent) | {"CKA_LOCAL": _ON} | label
    yield rsa_private_key(modulus, exponent, der) | label


def _secret(label: str, key_type: bytes, length: int) -> Attributes:
    value = os.urandom(length)
    if key_type in (DES2, DES3):
        value = with_odd_parity(value)
    return secret_key(key_type, value) | {"CKA_LABEL": label.encode()}


def _aes(label: str, length: int) -> Attributes:
    return _secret(label, AES, length)


def _key(n: int) -> Attributes:
    """The nth key: ten chosen ones first, then of each five four plain ones and an odd one in its turn."""
    if n <= len(_FIRST):
        return _FIRST[n - 1](n)
    return _ODD[(n // 5) % len(_ODD)](n) if n % 5 == 0 else _plain(n)


def _plain(n: int) -> Attributes:
    kinds = (
        (AES, 16),
        (DES3, 24),
        (AES, 32),
        (GENERIC_SECRET, 16 + n % 185),
        (AES, 24),
        (GENERIC_SECRET, 64),
    )
    key_type, length = kinds[n % len(kinds)]
    key = _secret(f"app-key-{n:04d}", key_type, length)
    return key | {"CKA_ID": f"id-{n:04d}".encode()} if n % 3 == 0 else key


def _not_extractable(n: int) -> Attributes:
    return _aes(f"vault-{n:04d}", 32) | {"CKA_EXTRACTABLE": _OFF, "CKA_NEVER_EXTRACTABLE": _ON}


def _des2(n: int) -> Attributes:
    return _secret(f"pos-{n:04d}", DES2, 16)


def _no_encrypt(n: int) -> Attributes:
    return _aes(f"mac-{n:04d}", 24) | {"CKA_ENCRYPT": _OFF, "CKA_DECRYPT": _OFF}


def _exposed(n: int) -> Attributes:
    """Not sensitive: the HSM gives its value to whoever looks."""
    return _aes(f"tenant={n:04d}", 16) | {"CKA_SENSITIVE": _OFF, "CKA_ALWAYS_SENSITIVE": _OFF}


def _too_long(n: int) -> Attributes:
    return _secret(f"hmac-{n:04d}", GENERIC_SECRET, 256)


def _blank_in_label(n: int) -> Attributes:
    return _aes(f"payroll key {n:04d}", 32)


def _no_label(_: int) -> Attributes:
    return _aes("", 24)


def _binary_id(n: int) -> Attributes:
    return _aes(f"batch-{n:04d}", 32) | {"CKA_ID": b"\x00\xf1" + n.to_bytes(3, "big")}


def _twin(_: int) -> Attributes:
    return _aes("twin", 16)


_ODD: tuple[Callable[[int], Attributes], ...] = (
    *(_not_extractable, _des2, _no_encrypt, _exposed, _too_long),
    *(_blank_in_label, _no_label, _binary_id, _twin),
)
_FIRST: tuple[Callable[[int], Attributes], ...] = (
    lambda n: _aes(f"orders-{n:04d}", 32) | {"CKA_ID": b"id-0001"},
    lambda _: _secret("terminal", DES3, 24),
    lambda n: _secret(f"seed-{n:04d}", GENERIC_SECRET, 32) | {"CKA_ID": b"id-0003"},
    _not_extractable,
    lambda _: _secret("terminal", DES2, 16),
    _no_encrypt,
    _exposed,
    _too_long,
    _blank_in_label,
    lambda _: _no_label(10) | {"CKA_ID": b"\x00\xf1\x0a"},
)
