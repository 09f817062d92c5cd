from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from keyferry.errors import UsageError
from keyferry.pkcs11 import KeyClass
from keyferry.planning.key_list import KeyListEntry, TargetSpec
from keyferry.planning.selection import Selection, select
from keys import source

KEYS = [
    source(handle=7, label="one"),
    source(handle=8, label="two"),
    source(handle=9, label="two"),
    source(handle=10, label="12"),
    source(handle=11, label="pair", key_class=KeyClass.PRIVATE),
    source(handle=12, label="label:x"),
]


def _handles(**selection: Any) -> list[int]:
    return [key.handle for key, _want in select(KEYS, Selection(**selection))]


@pytest.mark.parametrize(
    ("wanted", "handles"),
    [
        ([], [7, 8, 9, 10, 12]),
        (["8"], [8]),
        (["label:one"], [7]),
        (["label:12"], [10]),
        (["12"], [12]),
        (["label:label:x"], [12]),
        (["11"], [11]),
        (["9", "label:one", "9", "7"], [9, 7]),
    ],
)
def test_select(wanted: list[str], handles: list[int]) -> None:
    assert _handles(keys=tuple(wanted)) == handles


@pytest.mark.parametrize(
    ("name", "seen"),
    [("6", "(none)"), ("label:two", "(8, 9)"), ("label:One", "(none)"), ("one", "label:TEXT"), ("-8", "label:TEXT")],
)
def test_a_name_that_fits_not_exactly_one_key_is_refused(name: str, seen: str) -> None:
    with pytest.raises(UsageError) as refused:
        _handles(keys=("7", name))
    assert seen in refused.value.what
    assert name in refused.value.what


@pytest.mark.parametrize(
    ("globs", "exclude", "handles"),
    [
        (["t*"], [], [8, 9]),
        (["*"], [], [7, 8, 9, 10, 12]),
        (["o?e", "1[0-9]"], [], [7, 10]),
        (["t*"], ["9"], [8]),
        ([], ["label:two", "1?"], [7, 12]),
        ([], ["label:label:x", "11"], [7, 8, 9, 10]),
        (["*"], ["*e", "two"], [10, 12]),
    ],
)
def test_patterns_of_labels(globs: list[str], exclude: list[str], handles: list[int]) -> None:
    assert _handles(label_globs=tuple(globs), exclude=tuple(exclude)) == handles


@pytest.mark.parametrize(
    "selection",
    [
        {"label_globs": ("T*",)},
        {"label_globs": ("*", "tw")},
        {"exclude": ("6",)},
        {"exclude": ("label:tw",)},
        {"exclude": ("three",)},
        {"exclude": ("*",)},
        {"keys": ("7",), "exclude": ("7",)},
    ],
)
def test_a_pattern_that_fits_nothing_is_a_mistake(selection: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        _handles(**selection)


def test_rows_of_a_file_name_keys_and_say_what_is_wanted() -> None:
    rows = (KeyListEntry(9, "two", TargetSpec(label="second")), KeyListEntry(None, "one", TargetSpec(id="x")))
    chosen = select(KEYS, Selection(keys=("10",), listed=rows))
    assert {key.handle: want for key, want in chosen} == {
        7: TargetSpec(id="x"),
        9: TargetSpec(label="second"),
        10: TargetSpec(),
    }


@pytest.mark.parametrize(
    "rows",
    [
        [KeyListEntry(9, "one", TargetSpec())],
        [KeyListEntry(None, "two", TargetSpec())],
        [KeyListEntry(6, None, TargetSpec())],
        [KeyListEntry(7, None, TargetSpec()), KeyListEntry(None, "one", TargetSpec())],
    ],
)
def test_a_row_that_fits_not_exactly_one_key_is_refused(rows: list[KeyListEntry]) -> None:
    with pytest.raises(UsageError, match="--from"):
        _handles(listed=tuple(rows))


def test_a_selection_survives_the_journal() -> None:
    row = KeyListEntry(9, "two", TargetSpec("a", "b", extractable=False))
    selection = Selection(("1",), reid=True, label_globs=("x*",), exclude=("7",), listed=(row,))
    assert Selection.recalled(asdict(selection)) == selection
