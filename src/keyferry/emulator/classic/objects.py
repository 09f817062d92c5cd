from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# The order in which ckdemo shows attributes (reference ckdemo, section 7).
ORDER = tuple(
    f"CKA_{name}"
    for name in (
        *("CLASS", "TOKEN", "PRIVATE", "LABEL", "APPLICATION", "VALUE", "CERTIFICATE_TYPE", "ISSUER"),
        *("SERIAL_NUMBER", "KEY_TYPE", "SUBJECT", "ID", "SENSITIVE", "ENCRYPT", "DECRYPT", "WRAP", "UNWRAP"),
        *("SIGN", "SIGN_RECOVER", "VERIFY", "VERIFY_RECOVER", "DERIVE", "START_DATE", "END_DATE", "MODULUS"),
        *("MODULUS_BITS", "PUBLIC_EXPONENT", "PRIVATE_EXPONENT", "PRIME_1", "PRIME_2", "EXPONENT_1"),
        *("EXPONENT_2", "COEFFICIENT", "PRIME", "SUBPRIME", "BASE", "VALUE_BITS", "VALUE_LEN"),
        *("ECDSA_PARAMS", "EC_POINT", "LOCAL", "MODIFIABLE", "EXTRACTABLE", "ALWAYS_SENSITIVE"),
        *("NEVER_EXTRACTABLE", "CCM_PRIVATE", "FINGERPRINT_SHA1", "PKC_TCTRUST", "PKC_CITS", "OUID"),
        "X9_31_GENERATED",
    )
)
FLAGS = tuple(
    f"CKA_{name}"
    for name in (
        *("TOKEN", "PRIVATE", "SENSITIVE", "ENCRYPT", "DECRYPT", "WRAP", "UNWRAP", "SIGN", "SIGN_RECOVER"),
        *("VERIFY", "VERIFY_RECOVER", "DERIVE", "LOCAL", "MODIFIABLE", "EXTRACTABLE", "ALWAYS_SENSITIVE"),
        *("NEVER_EXTRACTABLE", "CCM_PRIVATE", "X9_31_GENERATED"),
    )
)
# Where the emulator keeps what PKCS#11 spreads over eight attributes; never shown.
PRIVATE_DER = "private key, PKCS#8 DER"
_PLACE = {name: place for place, name in enumerate(ORDER)}
_PRIVATE_PARTS = {
    f"CKA_{name}" for name in ("PRIVATE_EXPONENT", "PRIME_1", "PRIME_2", "EXPONENT_1", "EXPONENT_2", "COEFFICIENT")
}


def number(value: int) -> bytes:
    """A CK_ULONG as a 64-bit client lays it in memory."""
    return value.to_bytes(8, "little")


def flag(value: bool) -> bytes:
    return bytes([value])


DATA, CERTIFICATE, PUBLIC_KEY, PRIVATE_KEY, SECRET_KEY = (number(value) for value in range(5))
RSA, GENERIC_SECRET, DES, DES2, DES3, AES = (number(value) for value in (0x00, 0x10, 0x13, 0x14, 0x15, 0x1F))


class Obj(NamedTuple):
    """An object as a caller sees it: the handle holds in this process and slot, attributes are in `ORDER`."""

    handle: int
    attributes: dict[str, bytes]

    @property
    def label(self) -> bytes:
        return self.attributes.get("CKA_LABEL", b"")

    def is_set(self, name: str) -> bool:
        return is_set(self.attributes, name)


def is_set(attributes: Mapping[str, bytes], name: str) -> bool:
    return attributes.get(name) == b"\x01"


def readable(attributes: Mapping[str, bytes]) -> dict[str, bytes]:
    """What the HSM gives out: a key's value only with CKA_SENSITIVE = 0, a private key's parts never."""
    hidden = _PRIVATE_PARTS | ({"CKA_VALUE"} if is_set(attributes, "CKA_SENSITIVE") else set())
    shown = [name for name in attributes if name in _PLACE and name not in hidden]
    return {name: attributes[name] for name in sorted(shown, key=_PLACE.__getitem__)}


def _flags(on: Iterable[str], off: Iterable[str] = ()) -> dict[str, bytes]:
    return {f"CKA_{name}": flag(True) for name in on} | {f"CKA_{name}": flag(False) for name in off}


def secret_key(key_type: bytes, value: bytes) -> dict[str, bytes]:
    """A symmetric key with every usage, sensitive and extractable; override with `|`."""
    return {
        "CKA_CLASS": SECRET_KEY,
        "CKA_KEY_TYPE": key_type,
        "CKA_LABEL": b"",
        "CKA_ID": b"",
        "CKA_VALUE": value,
        "CKA_VALUE_LEN": number(len(value)),
        "CKA_START_DATE": b"",
        "CKA_END_DATE": b"",
    } | _flags(
        (
            *("TOKEN", "PRIVATE", "SENSITIVE", "ENCRYPT", "DECRYPT", "WRAP", "UNWRAP", "SIGN", "VERIFY"),
            *("DERIVE", "LOCAL", "MODIFIABLE", "EXTRACTABLE", "ALWAYS_SENSITIVE"),
        ),
        ("NEVER_EXTRACTABLE",),
    )


def _rsa_half(modulus: bytes, exponent: bytes) -> dict[str, bytes]:
    return {
        "CKA_KEY_TYPE": RSA,
        "CKA_LABEL": b"",
        "CKA_ID": b"",
        "CKA_SUBJECT": b"",
        "CKA_MODULUS": modulus,
        "CKA_PUBLIC_EXPONENT": exponent,
    }


def rsa_public_key(modulus: bytes, exponent: bytes) -> dict[str, bytes]:
    """A public token key as an import makes it: it encrypts and verifies, and wraps only once that is set."""
    bits = int.from_bytes(modulus, "big").bit_length()
    half = {"CKA_CLASS": PUBLIC_KEY, "CKA_MODULUS_BITS": number(bits)} | _rsa_half(modulus, exponent)
    return half | _flags(("TOKEN", "ENCRYPT", "VERIFY", "MODIFIABLE"), ("PRIVATE", "WRAP", "DERIVE", "LOCAL"))


def rsa_private_key(modulus: bytes, exponent: bytes, der: bytes) -> dict[str, bytes]:
    """A private token key made here: sensitive, not extractable; `der` is its PKCS#8 form."""
    half = {"CKA_CLASS": PRIVATE_KEY, PRIVATE_DER: der} | _rsa_half(modulus, exponent)
    return half | _flags(
        (
            *("TOKEN", "PRIVATE", "SENSITIVE", "DECRYPT", "SIGN", "LOCAL", "MODIFIABLE", "ALWAYS_SENSITIVE"),
            "NEVER_EXTRACTABLE",
        ),
        ("UNWRAP", "DERIVE", "EXTRACTABLE"),
    )


def new_ouid(dialect: str) -> dict[str, bytes]:
    """The name that newer firmware gives each new object for good; nothing for an older one."""
    return {"CKA_OUID": os.urandom(12)} if dialect == "7" else {}


def with_odd_parity(value: bytes) -> bytes:
    """A key of the DES family with each byte's lowest bit set so that its bits are odd in number."""
    return bytes(byte & 0xFE | (byte & 0xFE).bit_count() % 2 ^ 1 for byte in value)


def pack(attributes: Mapping[str, bytes]) -> str:
    return json.dumps({name: value.hex() for name, value in attributes.items()})


def unpack(packed: str) -> dict[str, bytes]:
    return {name: bytes.fromhex(value) for name, value in json.loads(packed).items()}
