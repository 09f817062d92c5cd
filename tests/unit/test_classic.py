"""How an object of the source partition is described from what ckdemo shows of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyferry.errors import UnknownScreenError
from keyferry.pkcs11 import KeyClass, SourceHandle
from keyferry.tools.ckdemo.screens import ObjectListing, Shown
from keyferry.tools.classic.source import describe, told
from keyferry.tools.endpoints import SourceKey

HANDLE = SourceHandle(42)
AES = {
    "CKA_CLASS": "0400000000000000",
    "CKA_KEY_TYPE": "1f00000000000000",
    "CKA_VALUE_LEN": "2000000000000000",
    "CKA_ID": "till-7",
    "CKA_EXTRACTABLE": "01",
    "CKA_ENCRYPT": "01",
}


def _described(attributes: dict[str, str]) -> SourceKey:
    return describe(ObjectListing(HANDLE, "two words"), Shown(HANDLE, attributes))


def _without(*names: str) -> dict[str, str]:
    return {name: value for name, value in AES.items() if name not in names}


def test_all_of_a_key() -> None:
    assert _described(AES) == SourceKey(
        handle=HANDLE,
        label="two words",
        key_class=KeyClass.SECRET,
        type="AES",
        bits=256,
        id="till-7",
        id_shown="till-7",
        extractable=True,
        may_encrypt=True,
        attributes=AES,
    )


@pytest.mark.parametrize(
    ("key_type", "length", "name", "bits"),
    [
        ("1500000000000000", None, "DES3", 192),
        ("14000000", None, "DES2", 128),
        ("13000000", None, "DES", 64),
        ("1500000000000000", "1800000000000000", "DES3", 192),
        ("10000000", "d7000000", "GENERIC_SECRET", 1720),
        ("10000000", None, "GENERIC_SECRET", None),
        ("1f00000000000000", None, "AES", None),
        ("01000080", "10000000", "0x80000001", 128),
        ("00000000", None, "RSA", None),
    ],
)
def test_type_and_size(key_type: str, length: str | None, name: str, bits: int | None) -> None:
    sizes = {"CKA_VALUE_LEN": length} if length else {}
    key = _described(_without("CKA_VALUE_LEN") | sizes | {"CKA_KEY_TYPE": key_type})
    assert (key.type, key.bits) == (name, bits)


@pytest.mark.parametrize(
    ("key_type", "length"),
    [
        ("1f00000000000000", "0088526a74000000"),
        ("1f00000000000000", "0000000000000000"),
        ("1f00000000000000", "1400000000000000"),
        ("15000000", "10000000"),
        ("10000000", "00000000"),
        ("10000000", "ffffffffffffffff"),
        ("01000080", "01000100"),
    ],
)
def test_a_length_that_no_key_of_its_type_has_is_not_understood(key_type: str, length: str) -> None:
    with pytest.raises(UnknownScreenError, match=r"no \w+ key has a CKA_VALUE_LEN of \d+ bytes"):
        _described(AES | {"CKA_KEY_TYPE": key_type, "CKA_VALUE_LEN": length})


@pytest.mark.parametrize(
    ("shown", "kind"),
    [
        ("00000000", KeyClass.DATA),
        ("02000000", KeyClass.PUBLIC),
        ("0300000000000000", KeyClass.PRIVATE),
        ("04000000", KeyClass.SECRET),
        ("00000004", KeyClass.OTHER),
        ("01000080", KeyClass.OTHER),
    ],
)
def test_class(shown: str, kind: KeyClass) -> None:
    assert _described(AES | {"CKA_CLASS": shown}).key_class is kind


def test_what_is_not_shown_is_not_known() -> None:
    key = _described(_without("CKA_EXTRACTABLE", "CKA_ENCRYPT", "CKA_ID", "CKA_KEY_TYPE"))
    assert (key.extractable, key.may_encrypt, key.id, key.id_shown, key.type) == (None, None, "", "", "none")


@pytest.mark.parametrize(
    "change", [{"CKA_EXTRACTABLE": "2"}, {"CKA_VALUE_LEN": "32"}, {"CKA_KEY_TYPE": "AES"}, {"CKA_CLASS": ""}]
)
def test_what_is_shown_in_another_form_is_unknown(change: dict[str, Any]) -> None:
    with pytest.raises(UnknownScreenError):
        _described(AES | change)


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        ("", ""),
        ("till-7", "till-7"),
        ("abc", "abc"),
        ("CAFE", "CAFE"),
        ("6162", "6162"),  # the bytes `ab` would have been shown as `ab`
        ("61620", "61620"),
        ("cafe", None),
        ("0a", None),
        ("7f", None),
        ("6162ff", None),
    ],
)
def test_told(shown: str, text: str | None) -> None:
    assert told(shown) == text


@given(st.binary())
def test_told_is_the_text_or_says_that_it_does_not_know(value: bytes) -> None:
    printable = all(0x20 <= byte < 0x7F for byte in value)
    shown = value.decode("ascii") if printable else value.hex()
    assert told(shown) in ({value.decode("ascii"), None} if printable else {None})
