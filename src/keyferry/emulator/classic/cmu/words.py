"""How cmu writes classes, key types and attributes (reference cmu, sections 3 and 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyferry.emulator.classic.objects import (
    AES,
    CERTIFICATE,
    DATA,
    DES,
    DES2,
    DES3,
    FLAGS,
    GENERIC_SECRET,
    PRIVATE_KEY,
    PUBLIC_KEY,
    RSA,
    SECRET_KEY,
    number,
)

if TYPE_CHECKING:
    from keyferry.emulator.classic.objects import Obj

CLASSES = {
    DATA: "data",
    CERTIFICATE: "certificate",
    PUBLIC_KEY: "publicKey",
    PRIVATE_KEY: "privateKey",
    SECRET_KEY: "secretKey",
}
KEY_TYPES = {RSA: "RSA", GENERIC_SECRET: "GENERIC", DES: "DES", DES2: "DES2", DES3: "DES3", AES: "AES"}
# The order that a private key was seen in, with what public and secret keys have besides.
ATTRIBUTES = tuple(
    f"CKA_{name}"
    for name in (
        *(
            "CLASS",
            "TOKEN",
            "PRIVATE",
            "LABEL",
            "KEY_TYPE",
            "SUBJECT",
            "ID",
            "SENSITIVE",
            "ENCRYPT",
            "DECRYPT",
        ),
        *("WRAP", "UNWRAP", "SIGN", "VERIFY", "DERIVE", "START_DATE", "END_DATE", "MODULUS", "MODULUS_BITS"),
        *("PUBLIC_EXPONENT", "VALUE", "VALUE_LEN", "EXTRACTABLE", "LOCAL", "NEVER_EXTRACTABLE"),
        *("ALWAYS_SENSITIVE", "MODIFIABLE"),
    )
)
_NUMBERS = {"CKA_MODULUS_BITS", "CKA_VALUE_LEN"}


def word(name: str) -> str:
    """CKA_MODULUS_BITS is `modulusbits`."""
    return name.removeprefix("CKA_").replace("_", "").lower()


FLAG_OPTIONS = {word(name): name for name in FLAGS}


def key_type(obj: Obj) -> str:
    """`n/a` for what is no key."""
    return KEY_TYPES.get(obj.attributes.get("CKA_KEY_TYPE", b""), "n/a")


def value(obj: Obj, name: str) -> bytes:
    """One attribute as cmu writes it."""
    raw = obj.attributes.get(name, b"")
    if name == "CKA_CLASS":
        return CLASSES[raw].encode()
    if name == "CKA_KEY_TYPE":
        return key_type(obj).encode()
    if name in FLAGS:
        return b"true" if raw == b"\x01" else b"false"
    if name in _NUMBERS:
        return str(int.from_bytes(raw, "little")).encode()
    return raw if name == "CKA_LABEL" else raw.hex().encode()


def lines(obj: Obj) -> dict[str, bytes]:
    """`name` to value for all that the object has, in cmu's order; every key has an `id`, if an empty one."""
    attributes = {"CKA_ID": b""} | obj.attributes
    if "CKA_MODULUS" in attributes:  # cmu names the bits of private keys too
        attributes["CKA_MODULUS_BITS"] = number(int.from_bytes(attributes["CKA_MODULUS"], "big").bit_length())
    whole = type(obj)(obj.handle, attributes)
    return {word(name): value(whole, name) for name in ATTRIBUTES if name in attributes}
