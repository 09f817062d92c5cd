"""Each rule with what it lets through and what it keeps back, and the limits between."""

from __future__ import annotations

import pytest

from keyferry.pkcs11 import Kcv, KeyClass
from keyferry.planning import rules
from keyferry.planning.rules import EvaluationOptions, Verdict
from keys import arrived, source


def _rule(verdict: Verdict | None) -> str | None:
    return verdict.rule if verdict else None


@pytest.mark.parametrize("kind", list(KeyClass))
def test_key_class(kind: KeyClass) -> None:
    wanted = None if kind is KeyClass.SECRET else "KEY-CLASS"
    assert _rule(rules.key_class(source(key_class=kind))) == wanted


@pytest.mark.parametrize(
    ("kind", "bits"),
    [("AES", 128), ("AES", 192), ("AES", 256), ("DES3", 192), ("GENERIC_SECRET", 8), ("GENERIC_SECRET", 2048)],
)
def test_key_type_crosses(kind: str, bits: int) -> None:
    assert rules.key_type(source(type=kind, bits=bits)) is None


@pytest.mark.parametrize(
    ("kind", "bits"),
    [
        ("AES", 64),
        ("AES", 512),
        ("AES", None),
        ("DES3", 128),
        ("DES2", 128),
        ("DES", 64),
        ("GENERIC_SECRET", 0),
        ("GENERIC_SECRET", None),
        ("RSA", 2048),
        ("0x80000001", 256),
        ("none", None),
    ],
)
def test_key_type_stays(kind: str, bits: int | None) -> None:
    verdict = rules.key_type(source(type=kind, bits=bits))
    assert _rule(verdict) == "KEY-TYPE"
    assert verdict is not None
    assert kind in verdict.detail
    assert rules.NEW_KEY in verdict.detail


@pytest.mark.parametrize(("extractable", "rule"), [(True, None), (False, "KEY-EXTRACTABLE"), (None, "KEY-EXTRACTABLE")])
def test_key_extractable(extractable: bool | None, rule: str | None) -> None:
    assert _rule(rules.key_extractable(source(extractable=extractable))) == rule


CAPACITY = {
    (2048, "sha1"): 214,
    (2048, "sha224"): 198,
    (2048, "sha256"): 190,
    (2048, "sha384"): 158,
    (2048, "sha512"): 126,
    (3072, "sha256"): 318,
    (4096, "sha1"): 470,
}
"""The reference's table (procedure-keystrokes.md)."""


@pytest.mark.parametrize(("modulus", "digest"), CAPACITY)
def test_oaep_capacity_to_the_byte(modulus: int, digest: str) -> None:
    wish, most = EvaluationOptions(digest=digest, modulus_bits=modulus), CAPACITY[modulus, digest]
    assert rules.fits_oaep(source(type="GENERIC_SECRET", bits=8 * most), wish) is None
    verdict = rules.fits_oaep(source(type="GENERIC_SECRET", bits=8 * (most + 1)), wish)
    assert _rule(verdict) == "OAEP-CAPACITY"
    assert verdict is not None
    assert f"{most + 1} bytes do not fit" in verdict.detail
    assert f"holds {most};" in verdict.detail


def _no_blank(text: str) -> bool:
    return bool(text) and " " not in text


@pytest.mark.parametrize(
    ("label", "rule"), [("payments", None), ("two words", "LABEL-TYPEABLE"), ("", "LABEL-TYPEABLE")]
)
def test_label_typeable(label: str, rule: str | None) -> None:
    verdict = rules.label_typeable(source(label=label), _no_blank, "new-name")
    assert _rule(verdict) == rule
    assert verdict is None or "--relabel makes it 'new-name'" in verdict.detail


@pytest.mark.parametrize(
    ("text", "shown", "why"),
    [
        ("", "", None),
        ("till-7", "till-7", None),
        ("till 7", "till 7", "cannot be typed"),
        (None, "cafe", "looks like hex"),
        (None, "0a0b0c", "is binary"),
    ],
)
def test_id_typeable(text: str | None, shown: str, why: str | None) -> None:
    verdict = rules.id_typeable(source(id=text, id_shown=shown), _no_blank, "new-id")
    assert _rule(verdict) == (None if why is None else "ID-TYPEABLE")
    assert verdict is None or (why is not None and why in verdict.detail and "'new-id'" in verdict.detail)


THERE = [arrived(label="one", kcv=Kcv("111111")), arrived(handle=7, label="two", kcv=None)]


@pytest.mark.parametrize(
    ("label", "kcv", "what"),
    [
        ("one", None, "label"),
        ("two", "222222", "key 7"),
        ("other", "111111", "check value"),
        ("other", "222222", None),
        ("other", None, None),
        ("One", None, None),
    ],
)
def test_already_there(label: str, kcv: str | None, what: str | None) -> None:
    verdict = rules.already_there(label, Kcv(kcv) if kcv else None, THERE)
    assert _rule(verdict) == (None if what is None else "ALREADY-THERE")
    assert verdict is None or (what is not None and what in verdict.detail and "--again" in verdict.detail)


@pytest.mark.parametrize(
    ("kcv", "require", "rule"),
    [("a1b2c3", True, None), ("a1b2c3", False, None), (None, False, None), (None, True, "KCV-MATCH")],
)
def test_require_kcv(kcv: str | None, *, require: bool, rule: str | None) -> None:
    verdict = rules.has_check_value(Kcv(kcv) if kcv else None, EvaluationOptions(require_kcv=require))
    assert _rule(verdict) == rule
    assert verdict is None or verdict.failed
