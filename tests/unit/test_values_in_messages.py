"""Values in messages, in the words of a reader."""

from __future__ import annotations

import pytest

from keyferry.text import value


@pytest.mark.parametrize(
    ("found", "shown"),
    [
        (None, "none"),
        (True, "true"),
        (False, "false"),
        (0, "0"),
        ("", "''"),
        ("a b", "'a b'"),
        ([], "none"),
        ([41, 42], "41, 42"),
        (("x", None), "'x', none"),
        ({"planned": 3, "needs_operator": 1}, "planned 3, needs operator 1"),
    ],
)
def test_a_value_is_shown_without_the_words_of_a_programming_language(found: object, shown: str) -> None:
    assert value(found) == shown
