"""What CloudHSM CLI prints, and what it parses to: our own screens, the published ones, and cuts and bends of both."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixture_files import FIXTURES, Fixture, check_cases, check_document, of_tool
from keyferry.errors import KeyferryError, LockoutNearError, UnknownScreenError
from keyferry.tools.cloudhsm_cli.destination import described
from keyferry.tools.cloudhsm_cli.parsing import VERBS, parse
from keyferry.tools.cloudhsm_cli.screens import ListedKey, hsms, keys
from keyferry.tools.cloudhsm_cli.users import obstacle, users

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


_ADMIN = '{"username": "admin", "role": "admin", "locked": "false", "mfa": [], "cluster-coverage": "full"}'
_OURS = {"username": "cu1", "role": "crypto-user", "locked": "false", "mfa": [], "cluster-coverage": "full"}
_TOKEN_SIGN = {"strategy": "token-sign", "status": "enabled"}


def _obstacle(*entries: object, allow_raised: bool = False) -> KeyferryError | None:
    listed = json.dumps({"error_code": 0, "data": {"users": [json.loads(_ADMIN), *entries]}})
    return obstacle("CU1", users(listed), allow_raised=allow_raised)


@pytest.mark.parametrize("change", [{}, {"quorum": [_TOKEN_SIGN]}, {"locked": False}, {"username": "Cu1"}])
def test_a_crypto_user_who_can_log_in_with_a_password(change: dict[str, object]) -> None:
    assert _obstacle(_OURS | change) is None


@pytest.mark.parametrize(
    ("change", "why", "acceptable"),
    [
        ({"locked": "true"}, "is locked after", True),
        ({"locked": True}, "is locked after", True),
        ({"locked": "inconsistent"}, "locked on some HSMs", True),
        ({"role": "inconsistent"}, "role of the user 'cu1' is inconsistent", False),
        ({"role": "admin"}, "not a crypto user: its role is admin", False),
        ({"username": "cu2"}, "no crypto user 'CU1'", False),
        ({"cluster-coverage": "inconsistent"}, "cluster-coverage: inconsistent", False),
        ({"cluster-coverage": "partial"}, "cluster-coverage: partial", False),
        ({"mfa": [_TOKEN_SIGN]}, "MFA) enabled: a password alone", False),
        ({"mfa": [{"strategy": "token-sign", "status": "inconsistent"}]}, "MFA) enabled on some HSMs", False),
        ({"mfa": "inconsistent"}, "MFA) enabled on some HSMs", False),
    ],
)
def test_a_user_who_cannot_log_in_is_refused_with_the_cause(
    change: dict[str, object], why: str, acceptable: bool
) -> None:
    refusal = _obstacle(_OURS | change)
    assert isinstance(refusal, LockoutNearError)
    assert why in refusal.what
    assert (_obstacle(_OURS | change, allow_raised=True) is None) is acceptable


@pytest.mark.parametrize(
    "entry",
    [
        {"username": "cu1", "role": "crypto-user"},
        *(_OURS | {name: odd} for name in ("locked", "mfa", "role") for odd in (None, [7], 7)),
        _OURS | {"locked": "temporarily"},
        _OURS | {"mfa": [{"strategy": "token-sign", "status": "pending"}]},
        _OURS | {"mfa": ["token-sign"]},
        _OURS | {"username": None},
        "cu1",
    ],
)
def test_a_state_that_is_not_shown_is_not_taken_for_a_good_one(entry: object) -> None:
    error = _obstacle(entry)
    assert isinstance(error, UnknownScreenError)
    assert error.rule == "LOCKOUT-NEAR"


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


@pytest.mark.parametrize("other", [{"username": "admin"}, {"username": "admin", "locked": 7}, {}, None, "x", []])
def test_odd_entries_of_other_users_are_let_stand(other: object) -> None:
    assert _obstacle(other, _OURS) is None


CASES = Path(__file__).parents[3] / "shared/cases"
_OWNER = '{"username": "cu1", "key-coverage": "full"}'
_FLAGS = ("sign", "token", "extractable", "wrap-with-trusted")


@pytest.mark.parametrize("name", [*_FLAGS, "key-length-bytes", "check-value", "id", "class", "key-type"])
def test_an_inconsistent_value_is_named_and_never_taken_for_one(name: str) -> None:
    key = _listed(f'"{name}": "inconsistent"')
    assert (key.covered, key.inconsistent) == (False, (name,))
    told = described(key)
    assert told.attributes[name.upper().replace("-", "_")] == "inconsistent"
    shown = {"token": told.token, "extractable": told.extractable, "key-length-bytes": told.bits}
    assert shown.get(name) is None
    assert told.kcv is None or name != "check-value"


def test_a_key_without_an_owner_is_not_covered() -> None:
    assert (_listed('"sign": true').covered, _listed('"sign": true', owner="").covered) == (True, False)


def test_inconsistent_may_be_a_label() -> None:
    key = _listed('"label": "inconsistent"')
    assert (key.covered, key.inconsistent, key.label) == (True, (), "inconsistent")


@pytest.mark.parametrize("member", ["manage-key-quorum-value", "use-key-quorum-value"])
def test_an_inconsistent_quorum_value_is_found_too(member: str) -> None:
    key = _listed('"sign": true', info=f'"key-quorum-values": {{"{member}": "inconsistent"}},')
    assert (key.covered, key.inconsistent) == (False, (member,))


@pytest.mark.parametrize("odd", ['"sign": "yes"', '"sign": 1', '"key-length-bytes": true', '"key-length-bytes": "16"'])
def test_a_value_of_another_kind_is_not_understood(odd: str) -> None:
    with pytest.raises(UnknownScreenError, match=r"is not (?:true or false|a number)"):
        _listed(odd)


@pytest.mark.parametrize("name", ["total_key_count", "returned_key_count", "matched_keys"])
def test_an_inconsistent_count_is_said_to_be_one(name: str) -> None:
    answer: dict[str, object] = {"matched_keys": [], "total_key_count": 0, "returned_key_count": 0}
    with pytest.raises(UnknownScreenError, match=f"the HSMs of the cluster disagree about {name}"):
        keys(json.dumps({"error_code": 0, "data": answer | {name: "inconsistent"}}))


@pytest.mark.skipif(not CASES.is_dir(), reason="the cases are not beside this repository")
def test_the_public_cases() -> None:
    listed: Any = parse("key-list", (CASES / "cloudhsm-cli-key-list-inconsistent.txt").read_text())
    [key] = listed["keys"]
    assert (key["covered"], key["attributes"]["sign"]) == (False, "inconsistent")
    told: Any = parse("user-list", (CASES / "cloudhsm-cli-user-list-locked-inconsistent.txt").read_text())
    [user] = told["users"]
    assert user["locked"] == "inconsistent"


@pytest.mark.parametrize("prompt", ["aws-cloudhsm > ", "aws-cloudhsm >", "cu1@cluster-1234abcdefg > "])
def test_every_documented_prompt_may_stand_around_an_answer(prompt: str) -> None:
    answer = '{"error_code": 0, "data": "Logout successful"}\n'
    assert parse("logout", f"{prompt}logout\n{answer}{prompt}")["ok"] is True
    with pytest.raises(UnknownScreenError, match="two commands"):
        parse("logout", f"{prompt}logout\n{answer}{prompt}logout\n{answer}")


def test_another_prompt_is_not_understood() -> None:
    with pytest.raises(UnknownScreenError):
        parse("logout", 'cu1@host-7 > logout\n{"error_code": 0, "data": "Logout successful"}\n')


@pytest.mark.parametrize("serials", [["5.1G1"], ["", "5.1G1"], ["5.1G1", "5.1G1"], ["5.1G1", "inconsistent"], [7]])
def test_hsms_are_told_apart_by_their_serial_numbers(serials: list[object]) -> None:
    text = json.dumps({"error_code": 0, "data": {"hsms": [{"serial-number": one, "count": 3} for one in serials]}})
    if serials == ["5.1G1"]:
        assert hsms(text) == ({"serial-number": "5.1G1"},)
    else:
        with pytest.raises(UnknownScreenError):
            hsms(text)


def _listed(attributes: str, info: str = "", owner: str = _OWNER) -> ListedKey:
    """A key with these attributes beside, or in place of, the usual ones."""
    usual = {"key-type": "aes", "label": "x", "class": "secret-key", "key-length-bytes": 16}
    every = json.dumps(usual | json.loads(f"{{{attributes}}}"))
    text = f"""\
{{"error_code": 0, "data": {{"matched_keys": [{{"key-reference": "0x00000000000003d5",
  "key-info": {{"key-owners": [{owner}], "shared-users": [], {info} "cluster-coverage": "full"}},
  "attributes": {every}}}],
  "total_key_count": 1, "returned_key_count": 1}}}}"""
    return keys(text).keys[0]
