"""Which secrets may stand in the tools' own output by chance."""

from __future__ import annotations

import pytest

import vocabulary
from keyferry.recording.vocabulary import is_ordinary
from keyferry.secrets import Secret

WORDS = ("wrap", "token", "Token", "loginHSM", "Enter PIN:", "crypto-user", "aws-cloudhsm >", "CKA_LABEL", "****")
NAMES = ("Cfm3LoginHSM", "rsa_2048_key", "login22HSM")
NUMBERS = ("2048", "0001", "262154", "0x00000000", "cafe", "wrap2048", "aes_key_1")


@pytest.mark.parametrize("value", WORDS + NAMES + NUMBERS)
def test_words_and_numbers_of_the_tools_are_ordinary(value: str) -> None:
    assert is_ordinary(Secret("pin", value.encode()))


OTHERS = ("correcthorse", "q7Xz-wrap", "s3cr*t!x", "zK4mPq9RtW", "1234567890123", "wrap20481", "aB3dE6gH9", "wrap1qzvx")


@pytest.mark.parametrize("value", OTHERS)
def test_others_are_not(value: str) -> None:
    assert not is_ordinary(Secret("pin", value.encode()))


def test_the_words_of_the_screens_are_known() -> None:
    """`python tests/support/vocabulary.py` writes them anew."""
    known, words = set(vocabulary.FILE.read_text().split()), vocabulary.words()
    assert len(words) > 500
    assert len(words - known) < len(words) / 50
