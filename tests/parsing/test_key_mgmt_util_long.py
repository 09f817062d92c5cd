"""Answers of several megabytes: nothing is timed, but what took quadratic time would not come to its end."""

from __future__ import annotations

import pytest

from keyferry.errors import UnknownScreenError
from keyferry.tools.key_mgmt_util.parsing import parse

HUGE = 5_000_000  # bytes


@pytest.mark.parametrize(
    ("verb", "line"),
    [
        ("findKey", "12345678, "),
        ("findKey", "1"),
        ("deleteKey", "Cfm3Delete returned: 0x01 "),
        ("deleteKey", "Command:\n"),
        ("listUsers", "1 2 CU a NO 1 "),
        ("getKeyInfo", "7, "),
        ("getHSMInfo", "a "),
        ("wrapKey", '" length '),
        ("attributeFile", "OBJ_ATTR_MODULUS ab"),
        ("getAttribute", "$ \t"),
    ],
)
def test_a_long_line_is_refused_to_its_end(verb: str, line: str) -> None:
    with pytest.raises(UnknownScreenError):
        parse(verb, line * (HUGE // len(line)) + "~")


def test_a_long_answer_is_read_to_its_end() -> None:
    count = HUGE // 10
    text = f"Total number of keys present: {count}\nNumber of matching keys from start index 0::{count - 1}\n"
    text += ("12345678, " * 15 + "\n") * (count // 15) + "12345678, " * (count % 15)
    found = parse("findKey", f"{text}\nCfm3FindKey returned: 0x00 : HSM Return: SUCCESS\n")
    assert found["handles"] == [12345678] * count


def test_many_results_are_read_to_its_end() -> None:
    refusals = "".join(f"Cfm3X{number} returned: 0x01 : no\n" for number in range(HUGE // 30))
    assert parse("deleteKey", refusals)["error"] == {"code": 1, "text": "no"}
