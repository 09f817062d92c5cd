from __future__ import annotations

from typing import Any

import pytest

from keyferry.errors import Exit, MismatchError
from keyferry.pkcs11 import Kcv, KeyClass
from keyferry.verification.checks import attributes_match, kcv_match
from keys import arrived, planned, source

ALWAYS = ["class", "type", "length", "label", "id", "TOKEN", "EXTRACTABLE"]


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        ({"key_class": KeyClass.PRIVATE}, "class: "),
        ({"type": "GENERIC_SECRET"}, "type: 'GENERIC_SECRET' instead of 'AES'"),
        ({"bits": 128}, "length: 128 instead of 256"),
        ({"bits": None}, "length: none"),
        ({"label": "payments "}, "label: 'payments ' instead of 'payments'"),
        ({"id": ""}, "id: '' instead of 'till-7'"),
        ({"token": False}, "TOKEN: false"),
        ({"token": None}, "TOKEN: none"),
        ({"extractable": False}, "EXTRACTABLE: false instead of true"),
    ],
)
def test_every_difference_is_named(change: dict[str, Any], seen: str) -> None:
    with pytest.raises(MismatchError) as differs:
        attributes_match(planned(), arrived(**change), extractable=True)
    assert differs.value.rule == "ATTRIBUTES-MATCH"
    assert seen in (differs.value.seen or "")
    assert len((differs.value.seen or "").splitlines()) == 1


def test_it_is_the_new_names_that_count() -> None:
    renamed = planned(new_label="new", new_id="kf-1")
    assert attributes_match(renamed, arrived(label="new", id="kf-1"), extractable=True)["equal"] == ALWAYS
    with pytest.raises(MismatchError) as differs:
        attributes_match(renamed, arrived(), extractable=True)
    assert len((differs.value.seen or "").splitlines()) == 2


def test_not_extractable_is_wanted_where_the_user_says_so() -> None:
    closed = arrived(extractable=False)
    assert attributes_match(planned(), closed, extractable=False)["equal"] == ALWAYS
    with pytest.raises(MismatchError):
        attributes_match(planned(), arrived(), extractable=False)


def test_the_three_lists() -> None:
    before = {
        "ENCRYPT": "01",
        "DECRYPT": "01",
        "SIGN": "00",
        "WRAP": "00",
        "DERIVE": "01",
        "VERIFY": "01",
        "LOCAL": "01",
    }
    after = {"ENCRYPT": "0x01", "DECRYPT": "0x00", "SIGN": "0x00", "WRAP": "0x01", "VERIFY": "", "LOCAL": "0x00"}
    key = source(attributes={f"CKA_{name}": value for name, value in before.items()} | {"CKA_ALWAYS_SENSITIVE": "01"})
    assert attributes_match(planned(key), arrived(attributes=after), extractable=True) == {
        "equal": [*ALWAYS, "ENCRYPT", "SIGN"],
        "cannot_be_set": ["DECRYPT narrowed", "WRAP widened"],
        "history_lost": ["CKA_LOCAL", "CKA_ALWAYS_SENSITIVE"],
    }


OURS, OTHER = Kcv("a1b2c3"), Kcv("a1b2c4")


@pytest.mark.parametrize("require", [True, False])
def test_equal_check_values_are_the_proof(*, require: bool) -> None:
    assert kcv_match(OURS, OURS, handle=7, require=require) == "kcv"


@pytest.mark.parametrize("require", [True, False])
def test_other_check_values_are_a_mismatch(*, require: bool) -> None:
    with pytest.raises(MismatchError, match="a1b2c3 before, a1b2c4 after") as differs:
        kcv_match(OURS, OTHER, handle=7, require=require)
    assert (differs.value.rule, differs.value.exit_code) == ("KCV-MATCH", Exit.MISMATCH)


@pytest.mark.parametrize(("ours", "theirs"), [(None, OURS), (OURS, None), (None, None)])
def test_where_a_side_gives_none_the_proof_is_the_length(ours: Kcv | None, theirs: Kcv | None) -> None:
    assert kcv_match(ours, theirs, handle=7, require=False) == "length"
    with pytest.raises(MismatchError, match="--require-kcv"):
        kcv_match(ours, theirs, handle=7, require=True)


def test_a_usage_that_the_tool_was_told_to_set_is_wanted() -> None:
    key = planned(source(attributes={"CKA_ENCRYPT": "01", "CKA_SIGN": "00"}))
    as_wanted, widened = ({"ENCRYPT": "1", "SIGN": sign} for sign in ("0", "1"))
    settable = frozenset({"ENCRYPT", "SIGN", "WRAP"})
    notes = attributes_match(key, arrived(attributes=as_wanted), extractable=True, settable=settable)
    assert notes["equal"] == [*ALWAYS, "ENCRYPT", "SIGN"]
    assert notes["cannot_be_set"] == []
    with pytest.raises(MismatchError) as differs:
        attributes_match(key, arrived(attributes=widened), extractable=True, settable=settable)
    assert differs.value.seen == "SIGN: true instead of false"
    assert attributes_match(key, arrived(attributes=widened), extractable=True)["cannot_be_set"] == ["SIGN widened"]
    with pytest.raises(MismatchError, match="not what was wanted"):
        attributes_match(key, arrived(attributes={"ENCRYPT": "1"}), extractable=True, settable=settable)
