"""What keeps a run from going well is found and named before it; nothing is changed and nothing logged in to."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

import pytest

from runs import DESTINATIONS, World, keyferry, through

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from runs import Done


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.create(tmp_path / "hsm", keys=2)


def _doctor(world: World, *arguments: object, **environment: str) -> Done:
    return keyferry("doctor", "--json", "--config", world.config, *arguments, **world.environment | environment)


def _found(done: Done, host: str, check: str) -> dict[str, Any]:
    """The strongest finding of a check."""
    found = [one for one in done.document["checks"] if (one["host"], one["check"]) == (host, check)]
    return max(found, key=lambda one: ("ok", "warn", "fail").index(one["verdict"]))


@pytest.mark.parametrize("tool", DESTINATIONS)
def test_all_is_well(world: World, tool: str) -> None:
    world.store.run("INSERT INTO fault (tool, name, verb, nth) VALUES ('x', 'x', NULL, 1)")  # the store is another's
    before = (world.directory / "store.sqlite").read_bytes()
    done = _doctor(world, **through(tool))
    assert done.status == 0, done.err
    assert done.document["ready"] is True
    assert {one["verdict"] for one in done.document["checks"]} <= {"ok", "warn"}
    looked_at = {(one["host"], one["check"]) for one in done.document["checks"]}
    both = ("reachable", "shell", "umask", "free space", "clock", "configuration", "failure counter")
    assert looked_at >= {(host, check) for host in ("source", "destination") for check in both}
    tools = ("vtl", "cmu", "ckdemo", "slots", "slot", "dialect", "authentication", "token")
    assert looked_at >= {("source", check) for check in tools}
    assert looked_at >= {("destination", check) for check in (tool, "FIPS", "user")}
    assert (world.directory / "store.sqlite").read_bytes() == before


def test_the_dialect_is_guessed_from_what_the_tools_say(tmp_path: Path) -> None:
    older = World.create(tmp_path / "older", luna="5", keys=1)
    assert "like 5" in _found(_doctor(older), "source", "dialect")["text"]


def test_a_login_is_made_when_asked_for(world: World) -> None:
    done = _doctor(world, "--login")
    assert done.status == 0, done.err
    assert {_found(done, host, "login")["verdict"] for host in ("source", "destination")} == {"ok"}
    (world.directory / "secrets/password").write_text("not-the-password")
    refused = _doctor(world, "--login")
    assert refused.status == 8
    assert "refused" in _found(refused, "destination", "login")["text"]


def test_haonly_is_told(world: World, tmp_path: Path) -> None:
    (tmp_path / "Chrystoki.conf").write_text("HAConfiguration = {\n  HAOnly = 1;\n}\n")
    done = _doctor(world, KEYFERRY_SOURCE_CONFIGURATION=str(tmp_path / "Chrystoki.conf"))
    assert "HAOnly is on" in _found(done, "source", "configuration")["text"]


def test_the_tool_of_the_cluster_is_guessed_where_none_is_chosen(world: World) -> None:
    world.config.write_text(world.config.read_text().replace('tool = "key_mgmt_util"\n', ""))
    found = _found(_doctor(world), "destination", "tool")
    assert found["verdict"] == "warn"
    assert '"cloudhsm-cli"' in found["hint"]
    (world.directory / "bin/cloudhsm-cli").unlink()
    assert "tool" not in {one["check"] for one in _doctor(world).document["checks"]}


Seed = tuple[tuple[str, ...], dict[str, str]]
"""Further arguments and environment."""


def _unreachable(world: World) -> Seed:
    arguments = ("--destination-bin", str(world.directory / "bin"))
    return arguments, {"KEYFERRY_DESTINATION_HOST": "host", "KEYFERRY_DESTINATION_SSH_OPTIONS": "ProxyCommand=false"}


def _tool_missing(world: World) -> Seed:
    (world.directory / "bin/cmu").unlink()
    return (), {}


def _tool_not_executable(world: World) -> Seed:
    (world.directory / "bin/ckdemo").chmod(0o644)
    return (), {}


def _configuration_unreadable(world: World) -> Seed:
    return (), {"KEYFERRY_SOURCE_CONFIGURATION": str(world.directory)}  # a folder: root, too, cannot read it


def _other_slot(_world: World) -> Seed:
    return ("--slot", "label:nobody"), {}


def _other_user(_world: World) -> Seed:
    return ("--user", "nobody"), {}


def _one_hsm(world: World) -> Seed:
    world.store.run("DELETE FROM cloud_node WHERE id = (SELECT MAX(id) FROM cloud_node)")
    return (), through("cloudhsm-cli")


def _armed(tool: str, fault: str, at: str) -> Callable[[World], Seed]:
    def seed(world: World) -> Seed:
        world.arm(tool, fault, at)
        return (), through(tool)

    return seed


def _in_front(command: str, script: str) -> Callable[[World], Seed]:
    """Another command stands on the PATH of the destination client before the system's."""

    def seed(world: World) -> Seed:
        path = world.directory / "front" / command
        path.parent.mkdir()
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return (), {"KEYFERRY_DESTINATION_PREFIX": shlex.join(["env", f"PATH={path.parent}:/usr/bin:/bin"])}

    return seed


def _noise(_world: World) -> Seed:
    return (), {"KEYFERRY_SOURCE_PREFIX": shlex.join(["/bin/sh", "-c", 'echo "Have a nice day"; exec "$@"', "x"])}


FULL = "echo 'Filesystem 1024-blocks Used Available Capacity Mounted on'; echo '/dev/sda 9 9 12 99% /'"


@pytest.mark.parametrize(
    ("seed", "host", "check", "verdict", "says"),
    [
        (_unreachable, "destination", "reachable", "fail", "cannot be reached"),
        (_noise, "source", "shell", "warn", "Have a nice day"),
        (_tool_missing, "source", "cmu", "fail", "is not there"),
        (_tool_not_executable, "source", "ckdemo", "fail", "may not be run"),
        (_configuration_unreadable, "source", "configuration", "fail", "cannot be read"),
        (_armed("key_mgmt_util", "daemon-down", "startup"), "destination", "daemon", "fail", "ended at its start"),
        (_armed("ckdemo", "no-library", "startup"), "source", "ckdemo starts", "fail", "cannot open shared object"),
        (_other_slot, "source", "slot", "fail", "0 slots match"),
        (_other_user, "destination", "user", "fail", "no crypto user 'nobody'"),
        (_armed("ckdemo", "pin-count-low", "tokenInfo"), "source", "failure counter", "fail", "PIN_COUNT_LOW"),
        (_armed("key_mgmt_util", "counter-raised", "listUsers"), "destination", "failure counter", "fail", "3 failed"),
        (_armed("cloudhsm-cli", "user-locked", "user-list"), "destination", "failure counter", "fail", "is locked"),
        (_armed("cloudhsm-cli", "not-configured", "startup"), "destination", "cluster", "fail", "ended at its start"),
        (_one_hsm, "destination", "availability", "fail", "DESTINATION-AVAILABILITY"),
        (_in_front("date", "echo 2020-01-01T00:00:00Z"), "destination", "clock", "warn", "s from ours"),
        (_in_front("df", FULL), "destination", "free space", "fail", "12 KiB"),
    ],
)
def test_a_seeded_fault_is_found_and_named(
    world: World, seed: Callable[[World], Seed], host: str, check: str, verdict: str, says: str
) -> None:
    arguments, environment = seed(world)
    done = _doctor(world, *arguments, **environment)
    assert done.status == (8 if verdict == "fail" else 0), done.err + done.out
    finding = _found(done, host, check)
    assert finding["verdict"] == verdict
    assert says in finding["text"]
    assert finding["hint"]
    other = "destination" if host == "source" else "source"
    assert all(one["verdict"] != "fail" for one in done.document["checks"] if one["host"] == other)


@pytest.mark.parametrize(("command", "script"), [("df", "echo hello"), ("wc", "echo many"), ("od", "echo hello")])
def test_a_command_of_the_host_that_is_not_understood(world: World, command: str, script: str) -> None:
    arguments, environment = _in_front(command, script)(world)
    done = _doctor(world, *arguments, **environment)
    assert done.status == 10, done.err
    found = [one for one in done.document["checks"] if one["verdict"] == "fail"]
    assert {one["host"] for one in found} == {"destination"}
    assert any(f"{command}: its answer is not understood" in one["text"] for one in found)


def test_people_get_lines_with_hints(world: World) -> None:
    (world.directory / "bin/cmu").unlink()
    done = keyferry("doctor", "--config", world.config)
    assert done.status == 8
    [line] = [line for line in done.out.splitlines() if line.startswith("fail")]
    assert line.split()[:3] == ["fail", "source", "cmu"]
    assert "hint: name its folder" in done.out
    with pytest.raises(json.JSONDecodeError):
        json.loads(done.out)
