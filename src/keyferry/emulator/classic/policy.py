from __future__ import annotations

import os
from typing import TYPE_CHECKING

from keyferry.emulator.classic.errors import CkrError
from keyferry.emulator.classic.objects import (
    AES,
    DES2,
    DES3,
    FLAGS,
    GENERIC_SECRET,
    PUBLIC_KEY,
    RSA,
    SECRET_KEY,
    is_set,
    with_odd_parity,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


_HASH_BYTES = {"SHA-1": 20, "SHA-224": 28, "SHA-256": 32, "SHA-384": 48, "SHA-512": 64}
_VALUE_BYTES = {AES: (16, 24, 32), DES3: (24,), DES2: (16,), GENERIC_SECRET: range(1, 513)}
_CIPHERS = {"AES-ECB": ((AES,), 16), "DES3-ECB": ((DES2, DES3), 8)}  # key types, block bytes

_SET = "C_SetAttributeValue"
_TEXTS = {f"CKA_{name}" for name in ("LABEL", "APPLICATION", "ID", "SUBJECT", "START_DATE", "END_DATE")}
_USAGES = {f"CKA_{name}" for name in ("ENCRYPT", "DECRYPT", "WRAP", "UNWRAP", "SIGN", "VERIFY", "DERIVE")}
# These go one way only, to the value given here.
_ONE_WAY = {"CKA_SENSITIVE": b"\x01", "CKA_EXTRACTABLE": b"\x00", "CKA_MODIFIABLE": b"\x00"}


def check_changes(attributes: Mapping[str, bytes], changes: Mapping[str, bytes], *, unmodifiable: str) -> None:
    """CkrError where an object may not take these values; `unmodifiable` answers for CKA_MODIFIABLE = 0."""
    if changes and not is_set(attributes, "CKA_MODIFIABLE"):
        raise CkrError(_SET, unmodifiable)
    for name, value in changes.items():
        _check_change(attributes, name, value)


def _check_change(attributes: Mapping[str, bytes], name: str, value: bytes) -> None:
    if name not in attributes and name not in _TEXTS:
        raise CkrError(_SET, "CKR_ATTRIBUTE_TYPE_INVALID")
    if name in FLAGS and value not in (b"\x00", b"\x01"):
        raise CkrError(_SET, "CKR_ATTRIBUTE_VALUE_INVALID")
    one_way = name in _ONE_WAY and value in (_ONE_WAY[name], attributes[name])
    if not (one_way or name in _USAGES or name in _TEXTS):
        raise CkrError(_SET, "CKR_ATTRIBUTE_READ_ONLY")


def check_wrapping_key(wrapping_key: Mapping[str, bytes]) -> None:
    """CkrError unless it is an RSA public key that may wrap."""
    if (wrapping_key.get("CKA_CLASS"), wrapping_key.get("CKA_KEY_TYPE")) != (PUBLIC_KEY, RSA):
        raise CkrError("C_WrapKey", "CKR_WRAPPING_KEY_TYPE_INCONSISTENT")
    if not is_set(wrapping_key, "CKA_WRAP"):
        raise CkrError("C_WrapKey", "CKR_KEY_FUNCTION_NOT_PERMITTED")


def check_wrapped_key(
    key: Mapping[str, bytes], wrapping_key: Mapping[str, bytes], hash_name: str, *, too_long: str
) -> None:
    """CkrError unless the key may leave, and fits: k - 2h - 2 bytes at most (`too_long` is that answer)."""
    if key.get("CKA_CLASS") != SECRET_KEY:
        raise CkrError("C_WrapKey", "CKR_KEY_NOT_WRAPPABLE")
    if not is_set(key, "CKA_EXTRACTABLE"):
        raise CkrError("C_WrapKey", "CKR_KEY_UNEXTRACTABLE")
    if len(key["CKA_VALUE"]) > len(wrapping_key["CKA_MODULUS"]) - 2 * _HASH_BYTES[hash_name] - 2:
        raise CkrError("C_WrapKey", too_long)


def check_cipher(mechanism: str, key: Mapping[str, bytes], length: int) -> None:
    """CkrError unless the key may encrypt `length` bytes with this mechanism."""
    if mechanism not in _CIPHERS:
        raise CkrError("C_EncryptInit", "CKR_MECHANISM_INVALID")
    key_types, block = _CIPHERS[mechanism]
    if not is_set(key, "CKA_ENCRYPT"):
        raise CkrError("C_EncryptInit", "CKR_KEY_FUNCTION_NOT_PERMITTED")
    if key.get("CKA_KEY_TYPE") not in key_types:
        raise CkrError("C_EncryptInit", "CKR_KEY_TYPE_INCONSISTENT")
    if length % block:
        raise CkrError("C_EncryptFinal", "CKR_DATA_LEN_RANGE")


def new_value(key_type: bytes, length: int) -> bytes:
    """A random key; the DES family has odd parity. CkrError where the type has no such length (bytes)."""
    if length not in _VALUE_BYTES.get(key_type, ()):
        raise CkrError("C_GenerateKey", "CKR_KEY_SIZE_RANGE")
    value = os.urandom(length)
    return with_odd_parity(value) if key_type in (DES2, DES3) else value


def check_rsa(bits: int, exponent: int) -> None:
    """CkrError for a pair that the HSM does not make."""
    if bits not in range(1024, 8193, 64):
        raise CkrError("C_GenerateKeyPair", "CKR_KEY_SIZE_RANGE")
    if exponent not in (3, 65537):  # all that the emulator's RSA makes; a real HSM takes others too
        raise CkrError("C_GenerateKeyPair", "CKR_ATTRIBUTE_VALUE_INVALID")
