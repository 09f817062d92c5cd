"""A refused secret is typed once, whatever commands and however many processes follow (LOGIN-ONCE)."""

from __future__ import annotations

import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runs import DESTINATIONS, World, keyferry, through

if TYPE_CHECKING:
    from runs import Done

PASSWORD, PIN = "--password", "--pin"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.create(tmp_path / "hsm", keys=1)


def _wrong(world: World) -> str:
    path = world.directory / "secrets" / "wrong"
    path.write_text("not-the-secret-1")
    path.chmod(0o600)
    return f"file:{path}"


def _failures(world: World, table: str) -> int:
    return sum(row["failures"] for row in world.store.rows(f"SELECT failures FROM {table}"))  # noqa: S608 - our own names


def _command(world: World, *words: object, **environment: str) -> Done:
    return keyferry(*words, "--config", world.config, **world.environment | environment)


@pytest.mark.parametrize("tool", DESTINATIONS)
def test_six_commands_with_a_wrong_password_type_it_once(world: World, tool: str, tmp_path: Path) -> None:
    wrong = (PASSWORD, _wrong(world))
    assert world.migrate(*wrong, **through(tool)).status == 4
    single = ("kmu", "find-key") if tool == "key_mgmt_util" else ("cloudhsm-cli", "key-list")
    for words in (
        ("migrate", "--all", *wrong),
        ("plan", "--all", "--out", tmp_path / "plan", *wrong),
        ("inventory", "destination"),  # with the right secret: it is the user who must not be tried again
        (*single, *wrong),
        ("doctor", "--login", *wrong),
        ("resume", world.directory / "run", *wrong),
    ):
        done = _command(world, *words, **through(tool))
        if words[0] == "doctor" and done.status == 8:  # the counter is raised, so it does not come to a login
            assert tool == "key_mgmt_util"
            continue
        assert (done.status, "LOGIN-ONCE" in done.err) == (4, True), (words, done.err)
    assert _failures(world, "cloud_user") == 1


def test_a_wrong_pin_is_typed_once_by_every_command_of_the_partition(world: World) -> None:
    wrong = (PIN, _wrong(world))
    assert world.migrate(*wrong).status == 4
    for words in (("ckdemo", "list"), ("cmu", "list"), ("inventory", "source"), ("migrate", "--all")):
        done = _command(world, *words, *wrong)
        assert (done.status, "LOGIN-ONCE" in done.err) == (4, True), (words, done.err)
    assert _failures(world, "luna_role") == 1


@pytest.mark.parametrize(("side", "tool"), [("source", "ckdemo"), *(("destination", tool) for tool in DESTINATIONS)])
def test_six_processes_at_once_type_a_wrong_secret_once(world: World, side: str, tool: str) -> None:
    option, table = (PIN, "luna_role") if side == "source" else (PASSWORD, "cloud_user")
    call = ("inventory", side, option, _wrong(world), "--config", world.config)
    with ThreadPoolExecutor(6) as threads:
        several = [threads.submit(keyferry, *call, **through(tool)) for _ in range(6)]
    assert {done.result().status for done in several} == {4}, several
    assert _failures(world, table) == 1


def test_doctor_types_neither_secret_where_one_is_forbidden(world: World) -> None:
    environment = through("cloudhsm-cli")
    assert world.migrate(PASSWORD, _wrong(world), **environment).status == 4
    done = _command(world, "doctor", "--login", PIN, _wrong(world), **environment)
    assert (done.status, "LOGIN-ONCE" in done.err) == (4, True), done.err
    table = done.out.splitlines()
    assert any(line.startswith("ok    source ") and "reachable" in line for line in table)
    [row] = [line for line in table if line.startswith("fail")]
    assert row.startswith(
        "fail  destination login            the crypto user's password was refused by an earlier login"
    )
    assert "hint: find the right secret by other means" in table[table.index(row) + 1]
    done = _command(world, "doctor", "--login", "--json", PIN, _wrong(world), **environment)
    [finding] = [one for one in done.document["checks"] if one["verdict"] == "fail"]
    assert (done.status, done.document["ready"], finding["check"], finding["host"]) == (
        4,
        False,
        "login",
        "destination",
    )
    assert _failures(world, "luna_role") == 0


def test_type_again_clears_the_entry_and_its_reason_is_on_record(world: World) -> None:
    environment = through("cloudhsm-cli")
    assert world.migrate(PASSWORD, _wrong(world), **environment).status == 4
    assert world.migrate(run="second", **environment).status == 4
    again = ("--type-again", "--reason", "the vault had an old password")
    done = world.migrate(*again, run="third", **environment)
    assert done.status == 0, done.err
    journal = map(json.loads, (world.directory / "third" / "journal.jsonl").read_text().splitlines())
    (order,) = [line for line in journal if line["kind"] == "type again"]
    assert (order["secret"], order["outcome"], order["reason"]) == ("crypto user's password", "refused", again[2])
    assert world.migrate("--again", "--dry-run", run="fourth", **environment).status == 0


@pytest.mark.parametrize("words", [("--reason", "because"), ("--type-again", "--reason", " ")])
def test_a_reason_goes_with_type_again(world: World, words: tuple[str, ...]) -> None:
    done = world.migrate(*words)
    assert (done.status, "--reason" in done.err) == (2, True)


def test_an_unfinished_login_blocks_where_no_failure_counter_can_be_read(world: World) -> None:
    for tool in DESTINATIONS:
        world.arm(tool, "die", "login" if tool == "cloudhsm-cli" else "loginHSM")
        assert world.migrate(run=f"{tool}-1", **through(tool)).status == 9
        status = world.migrate("--dry-run", run=f"{tool}-2", **through(tool)).status
        assert status == (4 if tool == "cloudhsm-cli" else 0)


def test_another_emulator_folder_is_another_cluster(world: World, tmp_path: Path) -> None:
    assert world.migrate(PASSWORD, _wrong(world)).status == 4
    other = World.create(tmp_path / "other", keys=1)
    assert other.migrate("--dry-run").status == 0


def test_an_emulator_folder_is_the_same_by_every_path(world: World, tmp_path: Path) -> None:
    wrong = _wrong(world)
    assert world.migrate(PASSWORD, wrong).status == 4
    (tmp_path / "link").symlink_to(world.directory)
    for path in (world.directory / "secrets" / ".." / "bin", tmp_path / "link" / "bin"):
        done = _command(
            world, "inventory", "destination", PASSWORD, wrong, "--destination-bin", path, "--allow-raised-counter"
        )
        assert (done.status, "LOGIN-ONCE" in done.err) == (4, True), done.err
    assert _failures(world, "cloud_user") == 1


def test_a_refused_password_names_what_the_next_login_needs(world: World) -> None:
    """The command and the options that the hint names are all that is needed."""
    done = world.migrate(PASSWORD, _wrong(world))
    (command,) = set(re.findall("`keyferry (kmu .*?)`", done.err))
    assert _command(world, *command.split()).status == 0
    named = set(re.findall("--[a-z-]+", done.err))
    assert named == {"--type-again", "--allow-raised-counter"}
    assert _command(world, "inventory", "destination", *named).status == 0


def test_the_ledger_holds_no_secret_and_nobody_else_can_read_it(world: World, tmp_path: Path) -> None:
    assert world.migrate(PASSWORD, _wrong(world), XDG_STATE_HOME=str(tmp_path / "state")).status == 4
    path = tmp_path / "state" / "keyferry" / "logins-destination.json"
    assert path.stat().st_mode & 0o077 == path.parent.stat().st_mode & 0o077 == 0
    (entry,) = json.loads(path.read_text())["entries"]
    assert (entry["outcome"], entry["account"]["user"]) == ("refused", "crypto_user")
    assert "not-the-secret" not in path.read_text()


@pytest.mark.parametrize(
    "damage", ["", "{}", '{"schema": "keyferry.logins/2", "entries": [{"account": 1}]}', "[" * 9999]
)
def test_a_ledger_that_is_not_understood_lets_nothing_be_typed(world: World, tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "state" / "keyferry"
    folder.mkdir(parents=True)
    (folder / "logins-destination.json").write_text(damage)
    done = _command(world, "inventory", "destination", XDG_STATE_HOME=str(tmp_path / "state"))
    assert (done.status, "is not a ledger of logins" in done.err) == (8, True), done.err


def test_a_ledger_that_cannot_be_written_lets_nothing_be_typed(world: World, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    done = _command(world, "inventory", "destination", XDG_STATE_HOME=str(tmp_path / "state"))
    assert (done.status, "the ledger of refused logins cannot be used" in done.err) == (12, True), done.err


def test_the_tests_have_a_state_home_of_their_own() -> None:
    assert "keyferry-state-" in os.environ["XDG_STATE_HOME"]
    assert Path(os.environ["XDG_STATE_HOME"]).parent.is_dir()
