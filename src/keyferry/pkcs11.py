"""The field's own types, so that a handle of the source never stands where one of the destination belongs."""

from __future__ import annotations

import getpass
import os
from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

SourceHandle = NewType("SourceHandle", int)
DestinationHandle = NewType("DestinationHandle", int)
Slot = NewType("Slot", int)
Kcv = NewType("Kcv", str)
"""A key check value: six lower-case hex digits, the first three bytes of the encryption of a zero block."""
Sha256 = NewType("Sha256", str)
"""64 lower-case hex digits."""

KCV_BYTES = 3


class KeyClass(StrEnum):
    """PKCS#11's object classes (CKA_CLASS), by the numbers that both sides use."""

    DATA = "data"
    CERTIFICATE = "certificate"
    PUBLIC = "public"
    PRIVATE = "private"
    SECRET = "secret"  # noqa: S105 - an object class
    OTHER = "other"

    @classmethod
    def of(cls, number: int) -> KeyClass:
        return dict(enumerate((cls.DATA, cls.CERTIFICATE, cls.PUBLIC, cls.PRIVATE, cls.SECRET))).get(number, cls.OTHER)


KEY_TYPES = {
    0x00: "RSA",
    0x01: "DSA",
    0x02: "DH",
    0x03: "EC",
    0x10: "GENERIC_SECRET",
    0x11: "RC2",
    0x12: "RC4",
    0x13: "DES",
    0x14: "DES2",
    0x15: "DES3",
    0x16: "CAST",
    0x17: "CAST3",
    0x18: "CAST128",
    0x19: "RC5",
    0x1A: "IDEA",
    0x1F: "AES",
    0x20: "BLOWFISH",
    0x21: "TWOFISH",
    0x25: "CAMELLIA",
    0x26: "ARIA",
    0x2F: "SEED",
}
"""PKCS#11's CKA_KEY_TYPE numbers and the names that results carry."""

FIXED_BITS = {"DES": 64, "DES2": 128, "DES3": 192}
"""Sizes of the types that have no CKA_VALUE_LEN: 8 times the value's bytes, parity bits included."""

LONGEST_VALUE = 65536
"""Bytes of a secret key's value. No HSM has one nearly as long."""

VALUE_BYTES = {"AES": (16, 24, 32), "DES": (8,), "DES2": (16,), "DES3": (24,)}
"""The only lengths of a value that keys of these types have by their standards."""

MODULUS_STRENGTH = {2048: 112, 3072: 128, 4096: 152}
"""Bits of security of an RSA modulus (NIST SP 800-57 part 1)."""

DIGEST_BYTES = {"sha1": 20, "sha224": 28, "sha256": 32, "sha384": 48, "sha512": 64}


def key_type(number: int) -> str:
    return KEY_TYPES.get(number, f"0x{number:x}")


def can_have(kind: str, length: int) -> bool:
    """Whether there can be a secret key of this type whose value has so many bytes."""
    return length in VALUE_BYTES.get(kind, range(1, LONGEST_VALUE + 1))


def oaep_capacity(modulus_bits: int, digest: str) -> int:
    """The longest key, in bytes, that OAEP carries: modulus - 2 digests - 2 (RFC 8017, 7.1.1)."""
    return modulus_bits // 8 - 2 * DIGEST_BYTES[digest] - 2


@dataclass(frozen=True, slots=True)
class PublicKey:
    """An RSA public key by its numbers: the form in which all four places can be compared."""

    modulus: int
    exponent: int

    @property
    def bits(self) -> int:
        return self.modulus.bit_length()


def account() -> str:
    """Whose process this is: by name, or by number where the host knows none for it, as in many a container."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # OSError from Python 3.13 on
        return f"uid {os.getuid()}"
