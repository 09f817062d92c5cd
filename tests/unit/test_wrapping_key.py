"""WRAPPING-KEY-MATCH: what is compared before anything is wrapped."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from keyferry.errors import MismatchError
from keyferry.migration.wrapping_key import Wrapping, WrappingKey, hash_of, read_pem
from keyferry.pkcs11 import DestinationHandle, KeyClass, PublicKey, Sha256, SourceHandle
from keyferry.planning.job import WrappingKeyOptions
from keyferry.tools.endpoints import Pair
from keys import arrived

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mock import MockerFixture

SPKI = PublicFormat.SubjectPublicKeyInfo
OURS = PublicKey(0xC35A5A5A5A5A5A5A5A5A01, 65537)


def test_a_pem_file_is_read_by_its_numbers(tmp_path: Path) -> None:
    key = rsa.generate_private_key(65537, 2048).public_key()
    path = tmp_path / "public.pem"
    path.write_bytes(key.public_bytes(Encoding.PEM, SPKI))
    numbers = key.public_numbers()
    digest = hashlib.sha256(key.public_bytes(Encoding.DER, SPKI)).hexdigest()
    assert read_pem(path) == (PublicKey(numbers.n, numbers.e), digest)
    ours = PublicKey(numbers.n, numbers.e)
    assert Wrapping._match({"here": ours, "there": ours}, "2.1") == {"here": digest, "there": digest}
    assert hash_of(path) == hashlib.sha256(path.read_bytes()).hexdigest() != digest


UNKNOWN_ALGORITHM = b"""-----BEGIN PUBLIC KEY-----
MA0wBwYDKgMEBQADAgAB
-----END PUBLIC KEY-----
"""


def _curve() -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(Encoding.PEM, SPKI)


@pytest.mark.parametrize(
    "content", [b"", b"garbage", UNKNOWN_ALGORITHM, _curve()], ids=["empty", "garbage", "odd", "ec"]
)
def test_a_file_without_an_rsa_key_is_a_mismatch(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "public.pem"
    path.write_bytes(content)
    with pytest.raises(MismatchError, match="is not an RSA public key") as mismatch:
        read_pem(path)
    assert mismatch.value.rule == "WRAPPING-KEY-MATCH"


@pytest.mark.parametrize(
    "other", [None, PublicKey(OURS.modulus + 2, 65537), PublicKey(OURS.modulus, 3), PublicKey(OURS.modulus << 8, 65537)]
)
def test_one_key_that_differs_is_named_with_its_place(other: PublicKey | None) -> None:
    Wrapping._match({"here": OURS, "there": PublicKey(OURS.modulus, 65537)}, "2.1")
    with pytest.raises(MismatchError) as mismatch:
        Wrapping._match({"here": OURS, "there": OURS, "elsewhere": other}, "4.2")
    assert (mismatch.value.rule, mismatch.value.step) == ("WRAPPING-KEY-MATCH", "4.2")
    here, there, elsewhere = (line.partition(": ")[2] for line in (mismatch.value.seen or "").splitlines())
    assert here == there != elsewhere


def test_no_key_anywhere_is_no_match() -> None:
    with pytest.raises(MismatchError):
        Wrapping._match({"here": None, "there": None}, "2.1")


def test_files_are_the_same_by_their_hashes() -> None:
    one, other = Sha256("1" * 64), Sha256("2" * 64)
    Wrapping._same_file({"here": one, "there": one}, "3")
    with pytest.raises(MismatchError) as mismatch:
        Wrapping._same_file({"here": one, "there": other}, "3")
    assert mismatch.value.seen == f"here: {one}\nthere: {other}"


PRIVATE = {"key_class": KeyClass.PRIVATE, "local": True, "may_unwrap": True, "extractable": False}


@pytest.mark.parametrize(
    ("change", "lacks"),
    [
        ({"local": False}, "LOCAL"),
        ({"local": None}, "LOCAL"),
        ({"may_unwrap": False}, "UNWRAP"),
        ({"may_unwrap": None}, "UNWRAP"),
        ({"extractable": True}, "not EXTRACTABLE"),
        ({"extractable": None}, "not EXTRACTABLE"),
        ({"local": False, "extractable": True}, "LOCAL, not EXTRACTABLE"),
    ],
)
def test_the_private_half_was_made_here_unwraps_and_stays(
    mocker: MockerFixture, change: dict[str, Any], lacks: str
) -> None:
    wrapping = Wrapping(mocker.Mock(), mocker.Mock(), WrappingKeyOptions())
    wrapping._check_private(arrived(**PRIVATE))
    with pytest.raises(MismatchError, match=f"is not {lacks}$"):
        wrapping._check_private(arrived(**PRIVATE | change))


def test_an_extractable_half_is_taken_only_where_the_user_wants_it(mocker: MockerFixture) -> None:
    wrapping = Wrapping(mocker.Mock(), mocker.Mock(), WrappingKeyOptions(extractable=True))
    wrapping._check_private(arrived(**PRIVATE | {"extractable": True}))
    with pytest.raises(MismatchError):
        wrapping._check_private(arrived(**PRIVATE | {"local": False}))


def test_the_result_names_all_handles() -> None:
    pair = Pair(DestinationHandle(407), DestinationHandle(408))
    key = WrappingKey("classic_wrap", pair, SourceHandle(149), OURS, Sha256("1" * 64))
    assert key.json() == {
        "label": "classic_wrap",
        "public_handle": 407,
        "private_handle": 408,
        "source_handle": 149,
        "sha256": "1" * 64,
    }
