from __future__ import annotations

from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import pytest

from keyferry.errors import CheckFailedError, Exit
from keyferry.pkcs11 import Kcv, KeyClass
from keyferry.planning.evaluate import Judge, PlannedKey, reject_named, reject_too_many
from keyferry.planning.rules import EvaluationOptions, Verdict
from keyferry.tools.cloudhsm_cli.commands import can_type
from keyferry.tools.cloudhsm_cli.destination import CloudHsmCliDestination
from keyferry.tools.key_mgmt_util.destination import KeyMgmtUtilDestination
from keys import arrived, planned, source

if TYPE_CHECKING:
    from keyferry.tools.endpoints import SourceKey


class Classic:
    """A source that gives every key the same check value, and notes who was asked."""

    def __init__(self, kcv: str | None = "a1b2c3") -> None:
        self.asked: list[int] = []
        self._kcv = Kcv(kcv) if kcv else None

    def check_value(self, key: SourceKey) -> Kcv | None:
        self.asked.append(key.handle)
        return self._kcv


def _can_type(text: str) -> bool:
    return bool(text) and text.isascii() and text.isprintable() and " " not in text


def _judge(key: SourceKey, classic: Classic | None = None, there: Any = (), **wish: Any) -> PlannedKey:
    return Judge(EvaluationOptions(**wish), "run1", _can_type, there, (classic or Classic()).check_value).judge(key)


def _rule(one: PlannedKey) -> str | None:
    return one.verdict.rule if one.verdict else None


def test_a_key_that_crosses_keeps_its_names() -> None:
    key = source()
    assert _judge(key) == PlannedKey(key, None, "payments", "till-7", id_given=False, kcv=Kcv("a1b2c3"))


def test_a_key_without_an_id_is_given_one_of_this_run() -> None:
    one = _judge(source(id="", id_shown=""))
    assert (one.new_id, one.id_given, one.verdict) == ("kf-run1-42", True, None)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"key_class": KeyClass.PUBLIC, "type": "RSA"}, "KEY-CLASS"),
        ({"type": "DES2", "extractable": False}, "KEY-TYPE"),
        ({"extractable": False, "label": "a b"}, "KEY-EXTRACTABLE"),
        ({"type": "GENERIC_SECRET", "bits": 8 * 215}, "OAEP-CAPACITY"),
        ({"label": "a b", "id": None, "id_shown": "cafe"}, "LABEL-TYPEABLE"),
        ({"id": None, "id_shown": "cafe"}, "ID-TYPEABLE"),
    ],
)
def test_a_key_that_stays_is_not_asked_for_a_check_value(changes: dict[str, Any], rule: str) -> None:
    classic = Classic()
    one = _judge(source(**changes), classic)
    assert (_rule(one), one.kcv, classic.asked) == (rule, None, [])


@pytest.mark.parametrize(
    ("label", "new"),
    [("two words", "two_words-42"), ("", "key-42"), ("  ", "key-42"), ("clé\n1", "cl_1-42"), ("plain", "plain")],
)
def test_relabel(label: str, new: str) -> None:
    one = _judge(source(label=label), relabel=True)
    assert (one.verdict, one.new_label) == (None, new)
    assert _can_type(one.new_label)


@pytest.mark.parametrize(
    ("text", "shown", "new"),
    [(None, "cafe", "cafe"), ("two words", "two words", "two_words"), ("till-7", "till-7", "till-7")],
)
def test_reid(text: str | None, shown: str, new: str) -> None:
    one = _judge(source(id=text, id_shown=shown), reid=True)
    assert (one.verdict, one.new_id, one.id_given) == (None, new, False)


def test_relabel_does_not_excuse_the_id() -> None:
    both = source(label="a b", id=None, id_shown="cafe")
    assert _rule(_judge(both, relabel=True)) == "ID-TYPEABLE"
    assert _rule(_judge(both, reid=True)) == "LABEL-TYPEABLE"


def test_what_is_there_is_compared_with_the_new_name() -> None:
    there = [arrived(label="two_words-42", kcv=None)]
    assert _rule(_judge(source(label="two words"), there=there, relabel=True)) == "ALREADY-THERE"
    assert _rule(_judge(source(label="two words"), there=there, relabel=True, again=True)) is None


def test_what_is_there_is_compared_by_check_value() -> None:
    there = [arrived(label="another", kcv=Kcv("a1b2c3"))]
    assert _rule(_judge(source(), there=there)) == "ALREADY-THERE"
    assert _rule(_judge(source(), Classic("000000"), there)) is None


def test_require_kcv_fails_a_key_that_has_none() -> None:
    assert _rule(_judge(source(), Classic(None))) is None
    one = _judge(source(), Classic(None), require_kcv=True)
    assert one.verdict is not None
    assert (one.verdict.rule, one.verdict.failed) == ("KCV-MATCH", True)


def test_a_named_key_that_stays_ends_the_command() -> None:
    stays = planned(verdict=Verdict("KEY-TYPE", "no such type"))
    reject_named([stays], [])
    reject_named([planned()], ["42"])
    with pytest.raises(CheckFailedError, match="no such type") as refused:
        reject_named([planned(), stays], ["42", "43"])
    assert (refused.value.rule, refused.value.exit_code) == ("KEY-TYPE", Exit.CHECK_FAILED)


def test_a_keys_name_moves_no_cursor() -> None:
    assert planned(source(label="a\x1b[2Jb")).name == "a\\x1b[2Jb"
    assert planned(source(label="")).name == "(handle 42)"


@pytest.mark.parametrize(
    ("label", "new"),
    [
        ("l" * 126, "l" * 126),
        ("l" * 127, "l" * 123 + "-42"),
        ("-dash first", "key-42"),
        ('it\'s "quoted"', "it_s_quoted-42"),
    ],
)
def test_a_label_is_suggested_that_cloudhsm_cli_takes(label: str, new: str) -> None:
    key = source(label=label)
    judge = Judge(EvaluationOptions(), "run1", can_type, (), Classic().check_value, 126)
    one = judge.judge(key)
    assert (one.new_label, _rule(one)) == (new, None if label == new else "LABEL-TYPEABLE")
    assert can_type(one.new_label)


@pytest.mark.parametrize(("room", "refused"), [(None, False), (4, False), (3, True), (-1, True)])
def test_keys_and_the_pair_must_have_room(room: int | None, refused: bool) -> None:
    keys = [planned(), planned(), planned(verdict=Verdict("KEY-TYPE", "no"))]
    if not refused:
        reject_too_many(keys, room)
        return
    with pytest.raises(CheckFailedError) as full:
        reject_too_many(keys, room)
    assert full.value.rule == "DESTINATION-QUOTA"


def test_the_quota_is_that_of_the_hsms_type_unless_the_site_says_another() -> None:
    around: Any = (Mock(), Mock(), Mock(), Mock())
    for model, quota, room in (
        ("NITROX-III CNN35XX-NFBE", 0, 3293),
        ("LS2 Family", 0, 16659),
        ("", 0, 3293),  # the smaller one, where no model is shown
        ("LS2", 50, 43),
    ):
        cli = CloudHsmCliDestination(*around, user="cu", password=Mock(), quota=quota)
        cli._session, cli._hsms = Mock(count=lambda: 7), [{"model": model} if model else {}]
        assert cli.room() == room
    for quota, room in ((0, 3298), (9002, 9000)):
        kmu = KeyMgmtUtilDestination(*around, user="cu", password=Mock(), quota=quota)
        kmu._session = Mock(find_keys=Mock(return_value=(11, 12)))
        assert (kmu.room(), kmu.secret_keys(), kmu.room()) == (room, (11, 12), room)


def test_where_nothing_crosses_no_room_is_needed() -> None:
    reject_too_many([planned(verdict=Verdict("KEY-TYPE", "no"))], 0)
