"""What CloudHSM CLI prints, and what it parses to: our own screens, the published ones, and cuts and bends of both."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixture_files import FIXTURES, Fixture, check_cases, check_document, of_tool
from keyferry.errors import UnknownScreenError
from keyferry.tools.cloudhsm_cli.destination import described
from keyferry.tools.cloudhsm_cli.parsing import VERBS, parse
from keyferry.tools.cloudhsm_cli.screens import Key, keys, locked, users

SAMPLES = Path(__file__).parents[3] / "shared/reference/samples/cloudhsm_cli"
NOT_ANSWERS = {
    "FAIL-key-availability-2-hsms": "no answer",
    "key-list-default-paginated": "no JSON",
    "key-unwrap-rsa-oaep-data": "not one answer",
    "login-password-flag-and-token-generate": "two commands",
}
"""Pages with an error in their JSON, or more or less than one answer."""

AN_ANSWER = (FIXTURES / "cloudhsm-cli/sdk5/key-unwrap-rsa-oaep--answered.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("fixture", of_tool("cloudhsm-cli"))
def test_a_screen_parses_to_what_was_written_beside_it(fixture: Fixture) -> None:
    check_document(fixture, parse)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_its_cases(verb: str) -> None:
    check_cases("cloudhsm-cli", "sdk5", verb)


def _sample(path: Path) -> str:
    return "".join(line for line in path.read_text().splitlines(keepends=True) if not line.startswith("# "))


def _verb(name: str) -> str:
    known = (verb for verb in sorted(VERBS, key=len, reverse=True) if name.removeprefix("FAIL-").startswith(verb))
    return next(known, "key-list")


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the samples of the AWS guide are not beside this repository")
def test_what_the_guide_shows_is_understood_or_refused_for_its_own_fault() -> None:
    seen = 0
    for path in sorted(SAMPLES.glob("*.txt")):
        if "help" in path.stem:
            continue
        if path.stem in NOT_ANSWERS:
            with pytest.raises(UnknownScreenError, match=NOT_ANSWERS[path.stem]):
                parse(_verb(path.stem), _sample(path))
        else:
            assert parse(_verb(path.stem), _sample(path))["ok"] == (not path.stem.startswith("FAIL"))
        seen += 1
    assert seen > len(NOT_ANSWERS)


@given(st.integers(min_value=0, max_value=AN_ANSWER.rindex("}")))
def test_an_answer_that_is_cut_short_is_never_one(place: int) -> None:
    with pytest.raises(UnknownScreenError):
        parse("key-unwrap-rsa-oaep", AN_ANSWER[:place])


@pytest.mark.parametrize(
    ("id_shown", "text"),
    [("", ""), ("0x", ""), ("0x61393466", "a94f"), ("0xff00", "0xff00"), ("a94f", "a94f"), ("0x0a41", "0x0a41")],
)
def test_an_id_is_told_as_its_text_where_it_is_one(id_shown: str, text: str) -> None:
    assert described(_listed(f'"id": "{id_shown}"')).id == text


@pytest.mark.parametrize(
    ("attributes", "kcv"),
    [('"check-value": "0x4FD21B"', "4fd21b"), ('"check-value": ""', None), ('"sign": true', None)],
)
def test_a_check_value_may_be_absent(attributes: str, kcv: str | None) -> None:
    assert described(_listed(attributes)).kcv == kcv


@pytest.mark.parametrize("value", ["0x4fd2", "0x4fd21b00", "0x4fd21g"])
def test_a_check_value_of_another_length_is_not_understood(value: str) -> None:
    with pytest.raises(UnknownScreenError):
        described(_listed(f'"check-value": "{value}"'))


_ADMIN = '{"username": "admin", "role": "admin", "locked": "false"}'


@pytest.mark.parametrize(
    ("ours", "told"),
    [
        ('{"username": "cu1", "role": "crypto-user", "locked": "false"}', False),
        ('{"username": "CU1", "role": "crypto-user", "locked": true}', True),
        ('{"username": "cu1", "role": "crypto-user"}', None),
        ('{"username": "cu1", "role": "crypto-user", "locked": null}', None),
        ('{"username": "cu1", "role": "crypto-user", "locked": "temporarily"}', None),
        ('{"username": "cu1", "locked": {}}', None),
        ('{"role": "crypto-user", "locked": "false"}', None),
        ('"cu1"', None),
        (_ADMIN, False),
    ],
)
def test_our_own_user_is_not_locked_only_where_that_is_told(ours: str, told: bool | None) -> None:
    assert locked("cu1", users(f'{{"error_code": 0, "data": {{"users": [{_ADMIN}, {ours}]}}}}')) is told


@pytest.mark.parametrize(
    ("before", "behind"),
    [
        ("$ cloudhsm-cli login\n", "$ "),
        ("[ec2-user@ip ~]$ /opt/cloudhsm/bin/cloudhsm-cli login\n", "[ec2-user@ip ~]$ "),
        (
            "aws-cloudhsm > login mfa-token-sign --token t\nEnter password:\nEnter signed token file path: \n",
            "aws-cloudhsm > ",
        ),
    ],
)
def test_what_was_typed_before_an_answer_means_nothing(before: str, behind: str) -> None:
    answer = '{"error_code": 0, "data": {"username": "cu1", "role": "crypto-user"}}\n'
    assert parse("login", f"{before}{answer}{behind}")["info"] == {"username": "cu1", "role": "crypto-user"}
    with pytest.raises(UnknownScreenError):
        parse("login", f"{before}{answer}$ \nwhat?")


@pytest.mark.parametrize(
    "other", ['{"username": "admin"}', '{"username": "admin", "locked": 7}', "{}", "null", '"x"', "[]"]
)
def test_odd_entries_of_other_users_are_let_stand(other: str) -> None:
    ours = '{"username": "cu1", "role": "crypto-user", "locked": "false"}'
    assert locked("cu1", users(f'{{"error_code": 0, "data": {{"users": [{other}, {ours}]}}}}')) is False


def _listed(attributes: str) -> Key:
    text = f"""\
{{"error_code": 0, "data": {{"matched_keys": [{{"key-reference": "0x00000000000003d5",
  "key-info": {{"key-owners": [], "shared-users": [], "cluster-coverage": "full"}},
  "attributes": {{"key-type": "aes", "label": "x", "class": "secret-key", "key-length-bytes": 16, {attributes}}}}}],
  "total_key_count": 1, "returned_key_count": 1}}}}"""
    return keys(text).keys[0]
