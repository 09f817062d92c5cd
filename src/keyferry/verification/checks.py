"""What proves one key after it was unwrapped: ATTRIBUTES-MATCH and KCV-MATCH, pure functions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from keyferry.errors import MismatchError
from keyferry.pkcs11 import KeyClass
from keyferry.text import value
from keyferry.tools.endpoints import USAGES

if TYPE_CHECKING:
    from keyferry.pkcs11 import Kcv
    from keyferry.planning.evaluate import PlannedKey
    from keyferry.tools.endpoints import DestinationKey, KeySharing

_HEX = re.compile(r"(?:0x)?[0-9a-fA-F]{1,16}")
_HISTORY = ("CKA_LOCAL", "CKA_ALWAYS_SENSITIVE", "CKA_NEVER_EXTRACTABLE")
_FLAGS = (*USAGES, "SENSITIVE", "PRIVATE", "MODIFIABLE")


def attributes_match(
    planned: PlannedKey, arrived: DestinationKey, *, extractable: bool, settable: frozenset[str] = frozenset()
) -> dict[str, list[str]]:
    """ATTRIBUTES-MATCH: the arrived key is what was wanted; MismatchError names every difference.

    settable: usages that the unwrapping tool was told to set, so they are wanted too.
    Gives three lists: `equal`, `cannot_be_set` (usages that the unwrapping tool widened or narrowed), and
    `history_lost` (what PKCS#11 never lets a key take along).
    """
    key = planned.key
    wanted = {
        "class": (KeyClass.SECRET, arrived.key_class),
        "type": (key.type, arrived.type),
        "length": (key.bits, arrived.bits),
        "label": (planned.new_label, arrived.label),
        "id": (planned.new_id, arrived.id),
        "TOKEN": (True, arrived.token),
        "EXTRACTABLE": (extractable, arrived.extractable),
    }
    wanted |= {name: (was, _now(arrived, name)) for name, was in key.usages.items() if name in settable}
    if wrong := [
        f"{name}: {value(got)} instead of {value(want)}" for name, (want, got) in wanted.items() if want != got
    ]:
        raise MismatchError(
            f"the unwrapped key {arrived.handle} is not what was wanted",
            rule="ATTRIBUTES-MATCH",
            seen="\n".join(wrong),
            keys=f"key {arrived.handle} is on the destination but must not be used",
        )
    return _usages(planned, arrived) | {"history_lost": [name for name in _HISTORY if name in key.attributes]}


def holding_match(wanted: KeySharing, told: KeySharing) -> None:
    """ATTRIBUTES-MATCH: the new key is shared with whom it shall be, and as many must approve its use."""
    if (set(wanted.shared_users), wanted.quorum) != (set(told.shared_users), told.quorum):
        raise MismatchError(
            "the unwrapped key is not shared as was wanted",
            rule="ATTRIBUTES-MATCH",
            seen=f"wanted: {_sharing(wanted)}\nshown: {_sharing(told)}",
            keys="the key is on the destination; others than those wanted may use it, or fewer must approve",
        )


def _sharing(sharing: KeySharing) -> str:
    shared = f"shared with {value(sharing.shared_users)}"
    return f"{shared}, approvals needed: {value(sharing.quorum)}"


def _usages(planned: PlannedKey, arrived: DestinationKey) -> dict[str, list[str]]:
    equal, other = ["class", "type", "length", "label", "id", "TOKEN", "EXTRACTABLE"], []
    for name in _FLAGS:
        before, now = planned.key.attributes.get(f"CKA_{name}"), _now(arrived, name)
        if before is None or not arrived.attributes.get(name):
            continue
        if now is None:
            other.append(f"{name} not readable")
            continue
        was = before == "01"
        if was == now:
            equal.append(name)
        else:
            other.append(f"{name} {'narrowed' if was else 'widened'}")
    return {"equal": equal, "cannot_be_set": other}


def _now(arrived: DestinationKey, name: str) -> bool | None:
    """Whether the flag is set; None where the key does not say so in a number, as where the HSMs disagree."""
    shown = arrived.attributes.get(name, "")
    return int(shown, 16) != 0 if _HEX.fullmatch(shown) else None


def kcv_match(ours: Kcv | None, theirs: Kcv | None, *, handle: int, require: bool) -> str:
    """KCV-MATCH: both check values are equal (`kcv`); where a side gives none the proof is `length`."""
    if ours is not None and theirs is not None:
        if ours != theirs:
            raise MismatchError(
                f"the check values differ: {ours} before, {theirs} after",
                rule="KCV-MATCH",
                keys=f"key {handle} on the destination has another value than the source key, and must not be used",
                hint="compare both keys with their applications' data; the source key is unchanged",
            )
        return "kcv"
    if require:
        raise MismatchError("a side gives no check value, and --require-kcv asks for one", rule="KCV-MATCH")
    return "length"
