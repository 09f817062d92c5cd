"""The arithmetic inside the HSM. Slow to load, so imported only where a key is made or looked into."""

from __future__ import annotations

import hashlib
import math

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
    load_pem_public_key,
)

from keyferry.emulator.cloudhsm.objects import KeyClass, KeyObject, KeyType

_HASHES: dict[str, type[hashes.HashAlgorithm]] = {
    "sha1": hashes.SHA1,
    "sha224": hashes.SHA224,
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}


def generate_rsa(bits: int, exponent: int) -> tuple[bytes, bytes]:
    """A new pair: SubjectPublicKeyInfo DER and PKCS#8 DER. The exponent is odd and at least 65537."""
    key = rsa.generate_private_key(65537, bits)
    while exponent != 65537 and math.gcd(exponent, _totient(key)) != 1:
        key = rsa.generate_private_key(65537, bits)
    return _der(key if exponent == 65537 else _with_exponent(key, exponent))


def _totient(key: rsa.RSAPrivateKey) -> int:
    numbers = key.private_numbers()
    return math.lcm(numbers.p - 1, numbers.q - 1)


def _with_exponent(key: rsa.RSAPrivateKey, exponent: int) -> rsa.RSAPrivateKey:
    """The same primes with another exponent: the library itself generates with 65537 only."""
    p, q = key.private_numbers().p, key.private_numbers().q
    d = pow(exponent, -1, _totient(key))
    public = rsa.RSAPublicNumbers(exponent, p * q)
    parts = (rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q))
    return rsa.RSAPrivateNumbers(p, q, d, *parts, public).private_key()


def _der(key: rsa.RSAPrivateKey) -> tuple[bytes, bytes]:
    private = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return _public_der(key.public_key()), private


def _public_der(key: rsa.RSAPublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _load(public: bytes) -> rsa.RSAPublicKey:
    key = load_der_public_key(public)
    if not isinstance(key, rsa.RSAPublicKey):
        raise TypeError(f"only RSA keys are kept here, not {type(key).__name__}")
    return key


def to_pem(public: bytes) -> bytes:
    return _load(public).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def from_pem(pem: bytes) -> bytes:
    """SubjectPublicKeyInfo DER of an RSA public key in PEM; ValueError for anything else."""
    key = load_pem_public_key(pem)
    if not isinstance(key, rsa.RSAPublicKey):
        raise ValueError("not an RSA public key")  # noqa: TRY004 - the data is wrong, not the call
    return _public_der(key)


def rsa_numbers(public: bytes) -> tuple[int, int]:
    """Modulus and public exponent."""
    numbers = _load(public).public_numbers()
    return numbers.n, numbers.e


def unwrap_oaep(private: bytes, blob: bytes, hash_name: str) -> bytes:
    """What was wrapped with RSA-OAEP, MGF1 over the same hash, empty label; ValueError if it was not."""
    key = load_der_private_key(private, None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError(f"only RSA keys are kept here, not {type(key).__name__}")
    digest = _HASHES[hash_name]()
    return key.decrypt(blob, padding.OAEP(padding.MGF1(digest), digest, None))


def check_value(key: KeyObject) -> bytes | None:
    """Three bytes: of a zero block's encryption, or of the public key's SHA-1; None if there is none."""
    if key.key_class is not KeyClass.SECRET:
        return hashlib.sha1(key.public, usedforsecurity=False).digest()[:3]
    if key.key_type is KeyType.AES:
        return _encrypt(algorithms.AES(key.value), bytes(16))[:3]
    if key.key_type is KeyType.DES3:
        return _encrypt(TripleDES(key.value), bytes(8))[:3]
    return None


def _encrypt(cipher: algorithms.AES | TripleDES, block: bytes) -> bytes:
    encryptor = Cipher(cipher, modes.ECB()).encryptor()  # noqa: S305 - a check value is one ECB block by definition
    return encryptor.update(block) + encryptor.finalize()
