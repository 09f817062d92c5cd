"""The rules that judge one key before anything is changed, each a pure function with its name in its docstring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keyferry.pkcs11 import KeyClass, oaep_capacity
from keyferry.tools.endpoints import TYPES_THAT_CROSS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from keyferry.pkcs11 import Kcv
    from keyferry.tools.endpoints import DestinationKey, SourceKey

NEW_KEY = "make a new key on the destination, decrypt with the old one and encrypt with the new"
"""The document's own way for a key that cannot cross."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why a key does not cross: the rule's name and what it found. failed: it counts as failed, not skipped."""

    rule: str
    detail: str
    failed: bool = False


@dataclass(frozen=True, slots=True)
class EvaluationOptions:
    """What the user asked for, as far as it judges single keys."""

    digest: str = "sha1"
    modulus_bits: int = 2048
    relabel: bool = False
    reid: bool = False
    again: bool = False
    require_kcv: bool = False
    extractable: bool = True


def key_class(key: SourceKey) -> Verdict | None:
    """KEY-CLASS: only a secret (symmetric) key crosses."""
    if key.key_class is KeyClass.SECRET:
        return None
    return Verdict("KEY-CLASS", f"a {key.key_class} key cannot be migrated this way; {NEW_KEY}")


def object_readable(key: SourceKey) -> Verdict | None:
    """OBJECT-UNREADABLE: the tools print the label as it is."""
    if key.readable:
        return None
    return Verdict(
        "OBJECT-UNREADABLE",
        "its label contains a line break or a NUL character, so the tools' screens do not describe it reliably; "
        "give it another label with `cmu setattribute`",
    )


def key_type(key: SourceKey) -> Verdict | None:
    """KEY-TYPE: the destination can make this type in this size by unwrapping."""
    sizes = TYPES_THAT_CROSS.get(key.type)
    if sizes is None:
        return Verdict("KEY-TYPE", f"the destination cannot unwrap a key of type {key.type}; {NEW_KEY}")
    if key.bits is None or key.bits == 0 or (sizes and key.bits not in sizes):
        size = f"{key.bits} bits" if key.bits else "unknown size"
        return Verdict("KEY-TYPE", f"the destination cannot unwrap {key.type} of {size}; {NEW_KEY}")
    return None


def key_extractable(key: SourceKey) -> Verdict | None:
    """KEY-EXTRACTABLE: CKA_EXTRACTABLE is 1; it can never be set back from 0."""
    if key.extractable:
        return None
    return Verdict("KEY-EXTRACTABLE", f"CKA_EXTRACTABLE is not 1 and cannot be set back; {NEW_KEY}")


def fits_oaep(key: SourceKey, wish: EvaluationOptions) -> Verdict | None:
    """OAEP-CAPACITY: the value fits into one block of the wrapping key."""
    room = oaep_capacity(wish.modulus_bits, wish.digest)
    if (key.bits or 0) // 8 <= room:
        return None
    return Verdict(
        "OAEP-CAPACITY",
        f"{(key.bits or 0) // 8} bytes do not fit: RSA {wish.modulus_bits} with {wish.digest} holds {room};"
        " set a larger `[wrapping] bits`",
    )


def label_typeable(key: SourceKey, can_type: Callable[[str], bool], suggestion: str) -> Verdict | None:
    """LABEL-TYPEABLE: the label is not empty and can be typed to the destination's tool."""
    if can_type(key.label):
        return None
    return Verdict("LABEL-TYPEABLE", f"this label cannot be typed; --relabel makes it {suggestion!r}")


def id_typeable(key: SourceKey, can_type: Callable[[str], bool], suggestion: str) -> Verdict | None:
    """ID-TYPEABLE: the CKA_ID, if there is one, can be typed, and is known for sure."""
    if key.id_shown == "" or (key.id is not None and can_type(key.id)):
        return None
    why = "is binary, or text that looks like hex" if key.id is None else "cannot be typed"
    return Verdict("ID-TYPEABLE", f"this CKA_ID {why}; --reid makes it the text {suggestion!r}")


def already_there(label: str, kcv: Kcv | None, there: Sequence[DestinationKey]) -> Verdict | None:
    """ALREADY-THERE: no key of the destination has this label or this check value."""
    for key in there:
        if key.label == label:
            return Verdict(
                "ALREADY-THERE", f"key {key.handle} of the destination has this label; --again migrates it anyway"
            )
        if kcv is not None and key.kcv == kcv:
            return Verdict(
                "ALREADY-THERE",
                f"key {key.handle} of the destination has this check value; --again migrates it anyway",
            )
    return None


def has_check_value(kcv: Kcv | None, wish: EvaluationOptions) -> Verdict | None:
    """KCV-MATCH, under --require-kcv: the source gives a check value to compare."""
    if kcv is not None or not wish.require_kcv:
        return None
    return Verdict(
        "KCV-MATCH",
        "the source gives no check value for this key, and --require-kcv asks for one",
        failed=True,
    )
