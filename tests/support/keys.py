"""Keys as the two sides describe them, for tests of what judges them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from keyferry.pkcs11 import DestinationHandle, Kcv, KeyClass, SourceHandle
from keyferry.planning.evaluate import PlannedKey
from keyferry.tools.endpoints import DestinationKey, SourceKey

_SOURCE = SourceKey(
    handle=SourceHandle(42),
    label="payments",
    key_class=KeyClass.SECRET,
    type="AES",
    bits=256,
    id="till-7",
    id_shown="till-7",
    extractable=True,
    may_encrypt=True,
    attributes={},
)
_DESTINATION = DestinationKey(
    handle=DestinationHandle(262150),
    label="payments",
    key_class=KeyClass.SECRET,
    type="AES",
    bits=256,
    id="till-7",
    token=True,
    extractable=True,
    local=False,
    may_unwrap=None,
    kcv=Kcv("a1b2c3"),
    public_key=None,
    attributes={},
)


def source(**changes: Any) -> SourceKey:
    """An AES-256 key that crosses, less or more `changes`."""
    return replace(_SOURCE, **changes)


def arrived(**changes: Any) -> DestinationKey:
    """What `source()` is on the destination."""
    return replace(_DESTINATION, **changes)


def planned(key: SourceKey | None = None, **changes: Any) -> PlannedKey:
    """`source()` with the verdict that it crosses under its own label and id."""
    key = key or source()
    plain = PlannedKey(key, None, key.label, key.id or "", id_given=False, kcv=Kcv("a1b2c3"))
    return replace(plain, **changes)
