from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from keyferry.errors import UsageError
from keyferry.pkcs11 import KeyClass, SourceHandle
from keyferry.planning import plan as planfile
from keyferry.planning.key_list import TargetSpec
from keyferry.planning.rules import Verdict
from keyferry.text import canonical
from keyferry.tools.endpoints import KeySharing
from keys import planned, source
from plans import make

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


ATTRIBUTES = {"CKA_CLASS": "0400000000000000", "CKA_LABEL": "payments", "CKA_WRAP": "00"}
KEYS = (
    planned(source(attributes=ATTRIBUTES)),
    planned(source(handle=43, label="\udcff\x1b[2J é", id=None, id_shown="cafe"), new_label="k-43", kcv=None),
    planned(want=TargetSpec("payments", extractable=False, sharing=KeySharing(("3", "4"), 2))),
    planned(verdict=Verdict("KEY-TYPE", "no such type"), new_label="", new_id="", kcv=None),
    planned(source(bits=None, may_encrypt=None), known_as=None, id_given=True, new_id="kf-1-42"),
    planned(
        source(key_class=KeyClass.PRIVATE), verdict=Verdict("KCV-MATCH", "x", failed=True), new_label="", new_id=""
    ),
)


def test_what_was_written_is_read_again() -> None:
    plan = make(*KEYS)
    assert planfile.loads(plan.canonical()) == plan
    assert plan.canonical().isascii()


def test_the_handle_of_the_record_is_the_one_written() -> None:
    elsewhere = planned(source(handle=7), known_as=SourceHandle(42))
    [key] = planfile.loads(make(elsewhere).canonical()).keys
    assert (key.handle, key.key.handle, key.known_as) == (42, 42, None)


def test_a_key_has_the_fields_of_the_contract() -> None:
    document = json.loads(make(*KEYS).canonical())
    assert document["schema"] == "keyferry.plan/2"
    first = document["keys"][0]
    del first["source"], first["id_given"], first["wanted"]
    assert first == {
        "source_handle": 42,
        "label": "payments",
        "new_label": "payments",
        "id": "till-7",
        "type": "AES",
        "bits": 256,
        "state": "planned",
        "rule": None,
        "detail": None,
        "proof": None,
        "kcv": "a1b2c3",
        "destination_handle": None,
    }
    assert [key["state"] for key in document["keys"]] == [
        "planned",
        "planned",
        "planned",
        "skipped",
        "planned",
        "failed",
    ]


def test_no_value_of_a_key_is_in_it() -> None:
    shown = planned(source(attributes={"CKA_VALUE": "00112233", "CKA_WRAP": "01"}))
    assert b"00112233" not in make(shown).canonical()


def _set(*path: str | int, to: object) -> Callable[[dict[str, Any]], None]:
    def change(document: Any) -> None:
        *before, last = path
        for name in before:
            document = document[name]
        document[last] = to

    return change


def _delete(name: str) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        del document[name]

    return change


@pytest.mark.parametrize(
    "change",
    [
        _set("more", to=1),
        _set("keys", 0, "more", to=1),
        _set("keys", 0, "source", "more", to=1),
        _set("selection", "more", to=True),
        _set("settings", "destination.password", to="x"),
        _delete("keys"),
        _delete("made"),
        _set("schema", to="keyferry.plan/1"),
        _set("schema", to="keyferry.plan/3"),
        _set("steps", 3, "number", to="9"),
        _set("selection", "again", to=1),
        _set("selection", "keys", 0, to=7),
        _set("source", "serial", to=7),
        _set("settings", "wrapping.bits", to=2048.0),
        _set("keys", 0, "source_handle", to=True),
        _set("keys", 0, "bits", to=256.0),
        _set("keys", 0, "label", to="another"),
        _set("keys", 0, "kcv", to="A1B2C3"),
        _set("keys", 0, "rule", to="KEY-TYPE"),
        _set("keys", 0, "state", to="verified"),
        _set("keys", 0, "new_label", to=None),
        _set("keys", 0, "source", "class", to="key"),
        _set("keys", 0, "source", "attributes", "CKA_WRAP", to=None),
        _set("keys", 3, "new_label", to="x"),
        _set("keys", 3, "rule", to=None),
        _set("keys", 2, "wanted", "quorum", to=True),
        _set("keys", 2, "wanted", "shared_users", 0, to=3),
        _set("keys", 2, "wanted", "more", to=None),
        _set("selection", "exclude", to=[7]),
    ],
)
def test_an_edited_plan_is_refused(change: Callable[[Any], None]) -> None:
    document = make(*KEYS).document()
    again = json.loads(canonical(document))
    change(again)
    with pytest.raises(UsageError) as refused:
        planfile.loads(canonical(again))
    assert refused.value.keys == "nothing was started"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[:-1],
        lambda data: data + b"\n",
        lambda data: b" " + data,
        lambda data: data.replace(b'"made"', b'"made":"","made"', 1),
        lambda data: data.replace(b"par43", b"p\\u0061r43"),
        lambda data: b"[" * 100_000 + data,
        lambda _: b"\xff",
        lambda _: b"null",
    ],
)
def test_bytes_that_are_not_canonical_are_refused(spoil: Callable[[bytes], bytes]) -> None:
    with pytest.raises(UsageError):
        planfile.loads(spoil(make(*KEYS).canonical()))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"plan\.json: No such file"):
        planfile.read(tmp_path / "plan.json")


@pytest.mark.parametrize(
    ("side", "name"), [("source", "label"), ("source", "serial"), ("source", "kind"), ("destination", "user")]
)
def test_a_plan_that_does_not_say_who_the_sides_were_is_no_plan(side: str, name: str) -> None:
    document = json.loads(make(*KEYS).canonical())
    del document[side][name]
    with pytest.raises(UsageError, match=f"{side} has no {name}"):
        planfile.loads(canonical(document))
