from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from keyferry.errors import CheckFailedError, Exit
from keyferry.pkcs11 import Kcv
from keyferry.planning.evaluate import Judge, PlannedKey
from keyferry.planning.match import Matcher, judged_again, same_endpoints
from keyferry.planning.rules import EvaluationOptions, Verdict
from keys import planned, source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keyferry.tools.endpoints import SourceKey

STAYS = Verdict("KEY-TYPE", "x")


def match(keys: Sequence[SourceKey], *wanted: PlannedKey, stable: bool, **kcvs: str) -> list[tuple[int, int]]:
    """Handles of the session and of the record; kcvs: check values by `k` and the session's handle."""

    def check_value(key: SourceKey) -> Kcv | None:
        return Kcv(kcvs[f"k{key.handle}"]) if f"k{key.handle}" in kcvs else None

    found = Matcher(keys, check_value, stable=stable).match(wanted)
    return [(one.key.handle, one.handle) for one in found]


def _refused(*arguments: Any, **more: Any) -> CheckFailedError:
    with pytest.raises(CheckFailedError) as refused:
        match(*arguments, **more)
    assert (refused.value.rule, refused.value.exit_code) == ("PLAN-MATCH", Exit.CHECK_FAILED)
    return refused.value


@pytest.mark.parametrize("stable", [True, False])
def test_keys_that_are_as_they_were(stable: bool) -> None:
    keys = [source(handle=7, label="a"), source(handle=8, label="b"), source(handle=9, label="c")]
    wanted = [planned(keys[1]), planned(keys[0], verdict=STAYS)]
    assert match(keys, *wanted, stable=stable) == [(8, 8), (7, 7)]


@pytest.mark.parametrize(
    ("changes", "seen"),
    [
        ({"label": "other"}, "label: 'other' instead of 'payments'"),
        ({"type": "DES3"}, "type: 'DES3'"),
        ({"bits": 128}, "bits: 128"),
        ({"id": "x", "id_shown": "x"}, "id: 'x'"),
        ({"extractable": False}, "extractable: false"),
        ({"attributes": {"CKA_WRAP": "01"}}, "CKA_WRAP: '01' instead of none"),
    ],
)
@pytest.mark.parametrize("verdict", [None, STAYS])
def test_a_key_that_was_changed(changes: dict[str, Any], seen: str, verdict: Verdict | None) -> None:
    now = [source(**changes)]
    assert seen in (_refused(now, planned(verdict=verdict), stable=True).seen or "")
    _refused(now, planned(verdict=verdict), stable=False)


def test_a_key_that_is_gone_or_has_another_handle() -> None:
    assert "gone" in _refused([], planned(), stable=True).what
    assert "gone" in _refused([], planned(), stable=False).what
    assert "gone" in _refused([source(handle=43)], planned(), stable=True).what
    assert match([source(handle=43)], planned(), stable=False) == [(43, 42)]


def test_keys_that_look_the_same_are_told_apart_by_their_check_values() -> None:
    wanted = [planned(source(handle=1), kcv=Kcv("aaaaaa")), planned(source(handle=2), kcv=Kcv("bbbbbb"))]
    keys = [source(handle=71), source(handle=72)]
    assert match(keys, *wanted, stable=False, k71="bbbbbb", k72="aaaaaa") == [(72, 1), (71, 2)]
    _refused(keys, *wanted, stable=False, k71="aaaaaa", k72="aaaaaa")


def test_keys_without_check_values_that_look_the_same_cannot_be_named() -> None:
    keys = [source(handle=71), source(handle=72)]
    wanted = [planned(source(handle=1), kcv=None), planned(source(handle=2), kcv=None)]
    assert "look the same" in _refused(keys, *wanted, stable=False).what
    assert match(keys, *(replace(one, verdict=STAYS) for one in wanted), stable=False) == [(71, 1), (72, 2)]


def test_a_key_that_crosses_chooses_before_one_that_stays() -> None:
    keys = [source(handle=71), source(handle=72)]
    wanted = [planned(source(handle=1), verdict=STAYS, kcv=None), planned(source(handle=2), kcv=Kcv("aaaaaa"))]
    assert match(keys, *wanted, stable=False, k71="aaaaaa", k72="bbbbbb") == [(72, 1), (71, 2)]


def test_one_key_is_not_two() -> None:
    wanted = [planned(source(handle=1), verdict=STAYS), planned(source(handle=2), verdict=STAYS)]
    _refused([source(handle=71)], *wanted, stable=False)


class _Judging:
    """Judges under the plan's own settings; kcv: what every key has."""

    def __init__(self, kcv: str | None = "a1b2c3", **wish: Any) -> None:
        self._judge = Judge(
            EvaluationOptions(**wish), "run1", lambda text: " " not in text, (), lambda _: Kcv(kcv) if kcv else None
        )

    def again(self, one: PlannedKey) -> None:
        judged_again([one], self._judge)


def test_the_names_given_are_of_the_plans_handle() -> None:
    given = planned(source(handle=7, id="", id_shown=""), known_as=source().handle, new_id="kf-run1-42", id_given=True)
    _Judging().again(given)
    with pytest.raises(CheckFailedError) as refused:
        _Judging().again(replace(given, known_as=None))
    assert "new id: 'kf-run1-7' instead of 'kf-run1-42'" in (refused.value.seen or "")


@pytest.mark.parametrize(
    ("one", "seen"),
    [
        (planned(kcv=Kcv("000000")), "check value: 'a1b2c3' instead of '000000'"),
        (planned(new_label="elsewhere"), "new label: 'payments' instead of 'elsewhere'"),
        (planned(source(extractable=False)), "KEY-EXTRACTABLE"),
        (planned(verdict=STAYS, kcv=None), "verdict: none instead of 'KEY-TYPE'"),
    ],
)
def test_a_key_that_is_judged_otherwise(one: PlannedKey, seen: str) -> None:
    with pytest.raises(CheckFailedError) as refused:
        _Judging().again(one)
    assert seen in (refused.value.seen or "")


def test_the_parties_are_those_of_the_plan() -> None:
    same_endpoints({"serial": "1"}, {"serial": "1", "slot": "4"}, "source")
    for now in ({"serial": "2"}, {}):
        with pytest.raises(CheckFailedError, match="source side"):
            same_endpoints({"serial": "1"}, now, "source")
