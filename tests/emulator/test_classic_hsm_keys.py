"""What leaves the emulated HSM, against openssl, and what its policy keeps in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from keyferry.emulator.classic import crypto
from keyferry.emulator.classic.hsm import Hsm
from keyferry.emulator.classic.objects import AES, DES2, DES3, GENERIC_SECRET, rsa_public_key, secret_key
from place import labelled, openssl, refused

if TYPE_CHECKING:
    from pathlib import Path

    from keyferry.emulator.classic.session import Session
    from place import MakePlace, Place

ON, OFF = b"\x01", b"\x00"


def wrapping_key(session: Session, pem: Path, wrap: bytes = ON) -> int:
    numbers = crypto.read_rsa_public_pem(pem.read_bytes())
    assert numbers is not None
    return session.create(rsa_public_key(*numbers) | {"CKA_WRAP": wrap})


def stored_value(place: Place, handle: int) -> bytes:
    attributes = Hsm(place.store, "test").shelf.get(1, handle)
    assert attributes is not None
    return attributes["CKA_VALUE"]


class TestWrap:
    @pytest.mark.parametrize(("name", "digest"), [("SHA-1", "sha1"), ("SHA-256", "sha256"), ("SHA-512", "sha512")])
    def test_openssl_opens_it(
        self, make_place: MakePlace, rsa_files: tuple[Path, Path], tmp_path: Path, name: str, digest: str
    ) -> None:
        place = make_place()
        session = place.session()
        key = labelled(session, "orders-0001")
        blob = tmp_path / "wrapped"
        blob.write_bytes(session.wrap("RSA_OAEP", wrapping_key(session, rsa_files[1]), key, name, b"src"))
        options = (f"rsa_oaep_md:{digest}", f"rsa_mgf1_md:{digest}", f"rsa_oaep_label:{b'src'.hex()}")
        chosen = (word for option in ("rsa_padding_mode:oaep", *options) for word in ("-pkeyopt", option))
        opened = openssl("pkeyutl", "-decrypt", "-inkey", str(rsa_files[0]), "-in", str(blob), *chosen)
        assert blob.stat().st_size == 256
        assert opened == stored_value(place, key)

    @pytest.mark.parametrize(
        ("label", "ckr"),
        [("vault-0004", "CKR_KEY_UNEXTRACTABLE"), ("hmac-0008", "CKR_DATA_LEN_RANGE")],
    )
    def test_keys_that_stay(self, make_place: MakePlace, rsa_files: tuple[Path, Path], label: str, ckr: str) -> None:
        session = make_place().session()
        with refused(ckr):
            session.wrap("RSA_OAEP", wrapping_key(session, rsa_files[1]), labelled(session, label))

    def test_capacity_is_exact(self, make_place: MakePlace, rsa_files: tuple[Path, Path]) -> None:
        session = make_place().session()
        wrapping = wrapping_key(session, rsa_files[1])
        longest, too_long = (session.create(secret_key(GENERIC_SECRET, bytes(size))) for size in (214, 215))
        assert session.wrap("RSA_OAEP", wrapping, longest)
        for key, hash_name in ((too_long, "SHA-1"), (longest, "SHA-256")):
            with refused("CKR_DATA_LEN_RANGE"):
                session.wrap("RSA_OAEP", wrapping, key, hash_name)

    def test_policy_on_the_wrapping_key(self, make_place: MakePlace, rsa_files: tuple[Path, Path]) -> None:
        session = make_place().session()
        key, wrapping = labelled(session, "orders-0001"), wrapping_key(session, rsa_files[1], OFF)
        with refused("CKR_KEY_FUNCTION_NOT_PERMITTED"):
            session.wrap("RSA_OAEP", wrapping, key)
        session.set(wrapping, {"CKA_WRAP": ON})
        with refused("CKR_WRAPPING_KEY_TYPE_INCONSISTENT"):
            session.wrap("RSA_OAEP", key, wrapping)
        with refused("CKR_WRAPPING_KEY_HANDLE_INVALID"):
            session.wrap("RSA_OAEP", 9999, key)
        with refused("CKR_KEY_HANDLE_INVALID"):
            session.wrap("RSA_OAEP", wrapping, 9999)
        with refused("CKR_KEY_NOT_WRAPPABLE"):
            session.wrap("RSA_OAEP", wrapping, wrapping)
        with refused("CKR_MECHANISM_INVALID"):
            session.wrap("AES-CBC", wrapping, key)

    def test_older_firmware_knows_one_hash(self, make_place: MakePlace) -> None:
        with refused("CKR_MECHANISM_PARAM_INVALID"):
            make_place("5").session().wrap("RSA_OAEP", 1, 2, "SHA-256")


class TestEncrypt:
    @pytest.mark.parametrize(
        ("key_type", "length", "mechanism", "cipher"),
        [
            (AES, 16, "AES-ECB", "-aes-128-ecb"),
            (AES, 24, "AES-ECB", "-aes-192-ecb"),
            (AES, 32, "AES-ECB", "-aes-256-ecb"),
            (DES3, 24, "DES3-ECB", "-des-ede3-ecb"),
            (DES2, 16, "DES3-ECB", "-des-ede-ecb"),
        ],
    )
    def test_openssl_agrees(
        self, make_place: MakePlace, key_type: bytes, length: int, mechanism: str, cipher: str
    ) -> None:
        place = make_place()
        session = place.session()
        handle = session.generate_secret(key_type, length, {})
        value = stored_value(place, handle).hex()
        expected = openssl("enc", cipher, "-K", value, "-nopad", data=bytes(32))
        assert session.encrypt(mechanism, handle, bytes(32)) == expected

    @pytest.mark.parametrize(
        ("label", "mechanism", "size", "error"),
        [
            ("mac-0006", "AES-ECB", 16, "C_EncryptInit returned CKR_KEY_FUNCTION_NOT_PERMITTED"),
            ("orders-0001", "DES3-ECB", 16, "C_EncryptInit returned CKR_KEY_TYPE_INCONSISTENT"),
            ("orders-0001", "RAW-RSA", 16, "C_EncryptInit returned CKR_MECHANISM_INVALID"),
            ("orders-0001", "AES-ECB", 15, "C_EncryptFinal returned CKR_DATA_LEN_RANGE"),
        ],
    )
    def test_refusals(self, make_place: MakePlace, label: str, mechanism: str, size: int, error: str) -> None:
        session = make_place().session()
        with refused(error):
            session.encrypt(mechanism, labelled(session, label), bytes(size))
