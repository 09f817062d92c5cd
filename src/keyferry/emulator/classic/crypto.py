"""What the HSM computes. Imported only when something must be computed: `cryptography` takes long to load."""

from __future__ import annotations

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

HASHES: dict[str, hashes.HashAlgorithm] = {
    "SHA-1": hashes.SHA1(),  # noqa: S303 - OAEP's default here, and sound there
    "SHA-224": hashes.SHA224(),
    "SHA-256": hashes.SHA256(),
    "SHA-384": hashes.SHA384(),
    "SHA-512": hashes.SHA512(),
}


def oaep_encrypt(modulus: bytes, exponent: bytes, hash_name: str, source: bytes, data: bytes) -> bytes:
    """RSA OAEP; the numbers are big endian, the hash is MGF1's too, `source` is the label."""
    numbers = rsa.RSAPublicNumbers(int.from_bytes(exponent, "big"), int.from_bytes(modulus, "big"))
    digest = HASHES[hash_name]
    return numbers.public_key().encrypt(data, padding.OAEP(padding.MGF1(digest), digest, source or None))


def ecb_encrypt(mechanism: str, value: bytes, data: bytes) -> bytes:
    """Whole blocks under "AES-ECB" or "DES3-ECB"; a key of two parts is used as K1, K2, K1."""
    algorithm = algorithms.AES(value) if mechanism == "AES-ECB" else TripleDES((value + value)[:24])
    context = Cipher(algorithm, modes.ECB()).encryptor()  # noqa: S305 - the mechanism that was asked for
    return context.update(data) + context.finalize()


def new_rsa(bits: int, exponent: int) -> tuple[bytes, bytes, bytes]:
    """A fresh pair: modulus and public exponent (big endian) and the private key's PKCS#8 DER."""
    key = rsa.generate_private_key(exponent, bits)
    der = key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return big_endian(key.public_key().public_numbers().n), big_endian(exponent), der


def read_rsa_public_pem(pem: bytes) -> tuple[bytes, bytes] | None:
    """Modulus and exponent (big endian) of a PEM public key; None if it is not an RSA one."""
    try:
        key = serialization.load_pem_public_key(pem)
    except ValueError:
        return None
    if not isinstance(key, rsa.RSAPublicKey):
        return None
    numbers = key.public_numbers()
    return big_endian(numbers.n), big_endian(numbers.e)


def big_endian(number: int) -> bytes:
    """An unsigned number in as few bytes as hold it; 65537 is three."""
    return number.to_bytes((number.bit_length() + 7) // 8, "big")
