from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from keyferry.errors import UsageError
from keyferry.planning import key_list
from keyferry.planning.key_list import KeyListEntry, TargetSpec
from keyferry.tools.endpoints import KeySharing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

HEADER = "handle,label,new_label,id,extractable,session,quorum,shared_users\n"
ROWS = (
    KeyListEntry(42, None, TargetSpec()),
    KeyListEntry(43, "a, b", TargetSpec("b", "till-7", False, KeySharing(("3", "4"), 2))),
    KeyListEntry(None, "é", TargetSpec(extractable=True)),
)


def _read(tmp_path: Path, text: str) -> Sequence[KeyListEntry]:
    path = tmp_path / "keys"
    path.write_text(text)
    return key_list.read(path)


@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_a_table(tmp_path: Path, start: str) -> None:
    rows = '42,,,,,,,\r\n43,"a, b",b,till-7,FALSE,false,2,3;4\r\n\r\n,é,,,true,,,\r\n'
    assert _read(tmp_path, start + HEADER + rows) == ROWS


def test_an_array_of_objects(tmp_path: Path) -> None:
    more = {"new_label": "b", "id": "till-7", "extractable": False, "quorum": 2, "shared_users": ["3", "4"]}
    rows = [
        {"handle": 42},
        {"handle": 43, "label": "a, b", **more},
        {"label": "é", "handle": None, "extractable": True},
    ]
    assert _read(tmp_path, json.dumps(rows)) == ROWS


@pytest.mark.parametrize(
    ("rows", "seen"),
    [
        ([{"handle": 1, "color": "red"}], "unknown column 'color'"),
        ([{"new_label": "x"}], "neither a handle nor a label"),
        ([{"handle": "1"}], "handle: '1'"),
        ([{"handle": True}], "handle: True"),
        ([{"handle": 1, "extractable": "true"}], "extractable: 'true'"),
        ([{"handle": 1, "session": True}], "session: True"),
        ([{"handle": 1, "quorum": 0}], "quorum: 0"),
        ([{"label": "\ud800"}], "label"),
        ([{"handle": 1, "new_label": "a\udfff"}], "new_label"),
        ([{"handle": 1, "shared_users": ["3", "3"]}], "shared_users"),
        ([{"handle": 1, "shared_users": "3"}], "shared_users"),
        ([{"handle": 1, "new_label": ""}], "new_label"),
        ([{"handle": 1}, {"handle": 1, "label": "x"}], "2 rows have the handle '1'"),
        ([{"label": "x"}, {"label": "x"}], "2 rows have the label 'x'"),
        ([{"handle": 1, "new_label": "x"}, {"handle": 2, "new_label": "x"}], "2 rows have the new_label 'x'"),
        ([], "names no key"),
        ({"keys": []}, "array"),
        ([7], "array"),
    ],
)
def test_a_fault_in_objects_is_named(tmp_path: Path, rows: Any, seen: str) -> None:
    with pytest.raises(UsageError) as refused:
        _read(tmp_path, json.dumps(rows))
    assert seen in (refused.value.seen or "")


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("handle,color\n1,\n", "unknown column 'color'"),
        ("handle,label\n1\n", "line 2: 1 cells"),
        ("handle,handle\n1,1\n", "'handle' twice"),
        ("handle\n0x1\n", "line 2: handle: '0x1'"),
        ("label,extractable\nx,yes\n", "extractable: 'yes'"),
        ('label\n"x\n', "unexpected end"),
        ("42\n43\n", "unknown column '42'"),
        ("", "names no key"),
        ('[{"handle": 1, "handle": 2}]', "'handle' twice"),
        ("[", "not JSON"),
    ],
)
def test_a_fault_in_a_table_is_named(tmp_path: Path, text: str, seen: str) -> None:
    with pytest.raises(UsageError) as refused:
        _read(tmp_path, text)
    assert seen in (refused.value.seen or "")


def test_every_fault_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        _read(tmp_path, "handle,quorum\nx,1\n2,many\n2,3\n")
    assert (refused.value.seen or "").splitlines() == [
        "line 2: handle: 'x' is not a number",
        "line 3: quorum: 'many' is not a number of users, 1 or more",
        "2 rows have the handle '2'",
    ]


def test_a_file_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="keys"):
        key_list.read(tmp_path / "keys")
    (tmp_path / "keys").write_bytes(b"\xff")
    with pytest.raises(UsageError, match="keys"):
        key_list.read(tmp_path / "keys")
