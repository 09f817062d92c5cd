"""Secrets that are words or numbers which the tools print themselves: the record is whole, and tells nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from keyferry.emulator.classic.roles import set_pin
from keyferry.emulator.store import hide
from records import both_say
from runs import World, through

if TYPE_CHECKING:
    from pathlib import Path

PIN, PASSWORD = "partition PIN", "crypto user's password"
WARNING = "made of words or numbers that the tools print themselves"


def _with_secrets(world: World, pin: str, password: str) -> None:
    for partition in (1, 2):
        set_pin(world.store, partition, "CO", pin.encode())
    world.store.run("UPDATE cloud_user SET password = ? WHERE type = 'CU'", hide(password.encode()))
    for name, value in (("pin", pin), ("password", password)):
        (world.directory / "secrets" / name).write_text(value)


def _events(world: World) -> list[tuple[str, str]]:
    sessions = (world.directory / "run" / "sessions").glob("*.cast")
    lines = [json.loads(line) for path in sessions for line in path.read_text().splitlines()[1:]]
    return [(line[1], line[2]) for line in lines]


def _is_whole_and_tells_nothing(world: World) -> list[tuple[str, str]]:
    """The events of the record's sessions."""
    both_say("complete", world.directory / "run")
    events = _events(world)
    for code, name in (("s", PIN), ("s", PASSWORD)):
        assert (code, name) in events
    assert not [data for code, data in events if code in ("o", "i") and (f"[{PIN}]" in data or f"[{PASSWORD}]" in data)]
    texts = [(world.directory / "run" / name).read_text() for name in ("journal.jsonl", "plan.json", "run.json")]
    assert not [text for text in texts if WARNING in text or f"[{PIN}]" in text or f"[{PASSWORD}]" in text]
    return events


@pytest.mark.parametrize(
    ("luna", "tool", "pin", "password"),
    [
        ("7", "key_mgmt_util", "wrap", "2048"),
        ("7", "cloudhsm-cli", "0001", "token"),
        ("5", "key_mgmt_util", "label", "loginHSM"),
        ("7", "cloudhsm-cli", "handle", "crypto-user"),
        ("7", "key_mgmt_util", "Crypto Officer", "crypto_user"),
    ],
)
def test_words_and_numbers_of_the_tools(luna: str, tool: str, pin: str, password: str, tmp_path: Path) -> None:
    world = World.create(tmp_path / "hsm", keys=2, luna=luna)
    _with_secrets(world, pin, password)
    done = world.migrate(**through(tool))
    assert done.status == 0, done.err
    assert done.err.count(WARNING) == 1
    _is_whole_and_tells_nothing(world)


@pytest.mark.parametrize("tool", ["key_mgmt_util", "cloudhsm-cli"])
def test_a_secret_that_is_a_keys_label(tool: str, tmp_path: Path) -> None:
    """No word of the tools, so there is no warning; but the plan names it."""
    world = World.create(tmp_path / "hsm", keys=2)
    label = "Xyzzy_Plugh77"
    row = world.store.row("SELECT id, attributes FROM luna_object WHERE attributes LIKE '%\"CKA_VALUE_LEN\"%'")
    assert row is not None
    attributes = json.loads(row["attributes"]) | {"CKA_LABEL": label.encode().hex()}
    world.store.run("UPDATE luna_object SET attributes = ? WHERE id = ?", json.dumps(attributes), row["id"])
    _with_secrets(world, label, label)
    done = world.migrate(**through(tool))
    assert (done.status, WARNING in done.err) == (0, False), done.err
    assert label in {key["label"] for key in done.document["keys"]}
    events = _is_whole_and_tells_nothing(world)
    assert any(code == "i" and label in data for code, data in events)


@pytest.mark.parametrize("column", ["label", "serial"])
def test_a_secret_that_names_a_slot(column: str, tmp_path: Path) -> None:
    """The settings name the slot by neither; vtl shows both before anybody logs in."""
    world = World.create(tmp_path / "hsm", keys=1)
    world.store.run("UPDATE luna_partition SET label = 'Xyzzy_Plugh77' WHERE id = 1")
    row = world.store.row(f"SELECT {column} FROM luna_partition WHERE id = 1")  # noqa: S608 - our own names
    assert row is not None
    _with_secrets(world, row[column], "z8-Kq+41xy")
    done = world.migrate(KEYFERRY_SOURCE_SLOT="number:0")
    assert (done.status, WARNING in done.err) == (0, False), done.err
    events = _is_whole_and_tells_nothing(world)
    assert any(code == "o" and row[column] in data for code, data in events)


def test_a_password_that_is_typed_in_a_command_is_cut_from_that_command_alone(tmp_path: Path) -> None:
    world = World.create(tmp_path / "hsm", keys=1)
    _with_secrets(world, "C_Login", "user")
    done = world.migrate(KEYFERRY_DESTINATION_PASSWORD_VISIBLE="true")
    assert (done.status, done.err.count(WARNING)) == (0, 1), done.err
    both_say("complete", world.directory / "run")
    shown = [(code, data) for code, data in _events(world) if f"[{PASSWORD}]" in data]
    assert ("i", f"loginHSM -u CU -s crypto_user -p [{PASSWORD}]\r") in shown
    assert all(f"loginHSM -u CU -s crypto_user -p [{PASSWORD}]" in data for _code, data in shown)
    assert not any("-p user" in data for _code, data in _events(world))
