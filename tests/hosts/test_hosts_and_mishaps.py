"""Between two real sshd's each mishap has its end: exit code, record, and what it means for the keys."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from keyferry.recording.reader import read
from keyferry.terminal.remote.ssh import hint
from relay import Relay
from runs import LIMIT, Done, keyferry, through
from sshd import SSHD, two_hosts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sshd import SshHost, TwoHosts

pytestmark = [
    pytest.mark.real_exec,
    pytest.mark.skipif(not os.access(SSHD, os.X_OK), reason="no sshd here (Debian: openssh-server)"),
]


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[TwoHosts]:
    with two_hosts(tmp_path) as found:
        yield found


def _through(relay: Relay, hosts: TwoHosts, host: SshHost) -> None:
    """Reach one host through a relay; its key is known by the name of the other port."""
    host.options |= {"Port": str(relay.port), "HostKeyAlias": f"[127.0.0.1]:{host.port}"}
    hosts.write_config()


_INTENTS = {"5.2": "wrap", "7.2": "unwrap"}
"""The act of a step, before which the step may ask questions."""


def _intended(run: Path, act: str | None) -> None:
    """Wait until the journal says that this is about to be done."""
    until, pause = time.monotonic() + LIMIT, threading.Event()
    while act and not re.search(rf'"kind":"intent",[^\n]*"act":"{act}"', (run / "journal.jsonl").read_text()):
        assert time.monotonic() < until
        pause.wait(0.02)


def _migrate_until(hosts: TwoHosts, step: str, then: Callable[[], None], **environment: str) -> Done:
    """Run a migration, and do something when a step is told."""
    call = ["migrate", "--all", "--json", "--config", str(hosts.config), "--run-dir", str(hosts.folder / "run")]
    child = subprocess.Popen(
        [sys.executable, "-m", "keyferry.cli", *call],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    )
    assert child.stderr is not None
    told = []
    for line in child.stderr:
        told.append(line)
        if line.strip().startswith(step):
            _intended(hosts.folder / "run", _INTENTS.get(step))
            then()
            break
    out, err = child.communicate(timeout=LIMIT)
    return Done(child.returncode, out, "".join(told) + err)


def _record_is_intact(hosts: TwoHosts) -> bool:
    """Every session's record is closed, and the manifest is there."""
    sessions = [read(path) for path in (hosts.folder / "run/sessions").glob("*.cast")]
    assert all("x" in [event.code for event in session.events] for session in sessions)
    return (hosts.folder / "run/manifest.json").exists()


@pytest.mark.parametrize(
    ("side", "tool", "at", "step", "state", "means"),
    [
        ("source", "ckdemo", "wrapKey", "5.2", "failed", "this key is unchanged on the source"),
        ("destination", "key_mgmt_util", "unWrapKey", "7.2", "needs_operator", "was unwrapped is not known"),
        ("destination", "cloudhsm-cli", "key-unwrap-rsa-oaep", "7.2", "needs_operator", "was unwrapped is not known"),
    ],
)
def test_a_connection_cut_in_the_middle_of_a_command(
    hosts: TwoHosts, side: str, tool: str, at: str, step: str, state: str, means: str
) -> None:
    host: SshHost = getattr(hosts, side)
    host.world.arm(tool, "hang", at)
    with Relay(host.port) as relay:
        _through(relay, hosts, host)
        done = _migrate_until(hosts, step, relay.cut, **through(tool))
    assert done.status == 9, done.err
    assert done.states[state] == 1
    assert "verified" not in done.states
    assert done.rules & {"OUTCOME-UNKNOWN"}
    assert f"the connection to the {side} host was lost" in done.err
    assert means in done.err
    assert f"host {side}" in done.err
    assert _record_is_intact(hosts)
    # The shell there notices that nobody is left, and cleans up after itself.
    assert hosts.leftovers == []


def test_a_connection_that_is_half_open_is_noticed(hosts: TwoHosts) -> None:
    hosts.destination.world.arm("key_mgmt_util", "hang", "unWrapKey")
    with Relay(hosts.destination.port) as relay:
        _through(relay, hosts, hosts.destination)
        done = _migrate_until(hosts, "7.2", relay.fall_silent, KEYFERRY_LIMITS_ANSWER="2")
    assert done.status == 9, done.err
    assert done.states["needs_operator"] == 1
    assert "the connection to the destination host was lost" in done.err
    assert _record_is_intact(hosts)


def test_a_slow_link_that_trickles_is_only_slow(hosts: TwoHosts) -> None:
    with Relay(hosts.source.port, delay=0.002, piece=200) as relay:
        _through(relay, hosts, hosts.source)
        done = hosts.migrate()
    assert done.status == 0, done.err
    assert done.states["verified"] >= 3


def test_a_wrong_host_key_is_never_passed_over(hosts: TwoHosts) -> None:
    other = (hosts.destination.folder / "host_key.pub").read_text().split()
    known = hosts.source.folder / "known_hosts"
    known.write_text(f"[127.0.0.1]:{hosts.source.port} {other[0]} {other[1]}\n")
    hosts.source.options["StrictHostKeyChecking"] = "no"
    hosts.write_config()
    overridden = hosts.migrate()
    assert overridden.status == 2
    assert "StrictHostKeyChecking=no has no effect" in overridden.err
    del hosts.source.options["StrictHostKeyChecking"]
    hosts.write_config()
    done = hosts.migrate()
    assert done.status == 9
    assert "Host key verification failed" in done.err
    assert "do not remove the known key" in done.err
    assert "nothing was changed" in done.err
    assert hosts.source.connections == 0


def test_the_doctor_names_a_host_key_that_is_not_known(hosts: TwoHosts) -> None:
    well = keyferry("doctor", "--json", "--config", hosts.config)
    assert well.status == 0, well.out
    (hosts.source.folder / "known_hosts").write_text("")
    done = keyferry("doctor", "--json", "--config", hosts.config)
    assert done.status == 8
    [finding] = [one for one in done.document["checks"] if one["verdict"] == "fail"]
    assert (finding["host"], finding["check"]) == ("source", "host key")
    assert "compare its fingerprint" in finding["hint"]
    keys = [one["text"] for one in well.document["checks"] if one["check"] == "host key"]
    assert len(set(keys)) == 2
    assert hosts.leftovers == []


def _broken_by_both(hosts: TwoHosts) -> dict[str, str]:
    (hosts.source.world.directory / "bin/ckdemo").chmod(0o644)
    front = hosts.folder / "front"
    front.mkdir()
    for command, says in (("date", "echo 2020-01-01T00:00:00Z"), ("df", "echo x; echo '/dev/sda 9 9 12 99% /'")):
        (front / command).write_text(f"#!/bin/sh\n{says}\n")
        (front / command).chmod(0o755)
    return {
        "KEYFERRY_SOURCE_CONFIGURATION": str(hosts.folder),
        "KEYFERRY_DESTINATION_PREFIX": f"env 'PATH={front}:/usr/bin:/bin'",
        "KEYFERRY_DESTINATION_USER": "nobody",
    }


def _broken_tools(hosts: TwoHosts) -> dict[str, str]:
    hosts.source.world.arm("ckdemo", "no-library", "startup")
    hosts.destination.world.arm("key_mgmt_util", "daemon-down", "startup")
    return {}


def _broken_counters(hosts: TwoHosts) -> dict[str, str]:
    hosts.source.world.arm("ckdemo", "pin-count-low", "tokenInfo")
    hosts.destination.world.arm("cloudhsm-cli", "user-locked", "user-list")
    hosts.destination.world.store.run("DELETE FROM cloud_node WHERE id = (SELECT MAX(id) FROM cloud_node)")
    return through("cloudhsm-cli")


@pytest.mark.parametrize(
    ("seed", "named"),
    [
        (
            _broken_by_both,
            {
                ("source", "ckdemo", "may not be run"),
                ("source", "configuration", "cannot be read"),
                ("destination", "clock", "s from ours"),
                ("destination", "free space", "12 KiB"),
                ("destination", "user", "no crypto user 'nobody'"),
            },
        ),
        (
            _broken_tools,
            {("source", "ckdemo starts", "cannot open shared object"), ("destination", "daemon", "ended at its start")},
        ),
        (
            _broken_counters,
            {
                ("source", "failure counter", "PIN_COUNT_LOW"),
                ("destination", "failure counter", "is locked"),
                ("destination", "availability", "DESTINATION-AVAILABILITY"),
            },
        ),
    ],
)
def test_the_doctor_names_what_is_wrong_on_another_host(
    hosts: TwoHosts, seed: Callable[[TwoHosts], dict[str, str]], named: set[tuple[str, str, str]]
) -> None:
    done = keyferry("doctor", "--json", "--config", hosts.config, **seed(hosts))
    assert done.status == 8, done.err
    told = [one for one in done.document["checks"] if one["verdict"] != "ok"]
    for host, check, text in named:
        [finding] = [one for one in told if (one["host"], one["check"]) == (host, check)]
        assert text in finding["text"]
        assert finding["hint"]
    assert {(one["host"], one["check"]) for one in told if one["verdict"] == "fail"} <= {one[:2] for one in named}
    assert hosts.leftovers == []


def test_sudo_that_wants_a_terminal_is_told_from_sudo_that_wants_a_password() -> None:
    assert "requiretty" in hint("sudo: sorry, you must have a tty to run sudo")
    assert "NOPASSWD" in hint("sudo: a password is required")


def test_an_unknown_host_key_is_not_taken_on_trust(hosts: TwoHosts) -> None:
    (hosts.source.folder / "known_hosts").write_text("")
    assert hosts.migrate().status == 9
    assert hosts.source.connections == 0


def test_a_refused_key(hosts: TwoHosts) -> None:
    (hosts.destination.folder / "authorized").write_text("")
    done = hosts.migrate()
    assert done.status == 9
    assert "Permission denied" in done.err
    assert "nothing was changed" in done.err
    assert hosts.leftovers == []


def test_a_tool_that_is_not_there_is_named_with_its_host(hosts: TwoHosts) -> None:
    done = hosts.migrate("--all", "--source-bin", "/no where")
    assert done.status == 9
    assert "vtl is not there or may not be run: looked in /no where" in done.err
    assert "host source" in done.err


def test_a_run_that_is_killed_leaves_nothing_there(hosts: TwoHosts) -> None:
    call = ["migrate", "--all", "--json", "--config", str(hosts.config), "--run-dir", str(hosts.folder / "run")]
    child = subprocess.Popen([sys.executable, "-m", "keyferry.cli", *call], stderr=subprocess.PIPE, text=True)
    assert child.stderr is not None
    for line in child.stderr:
        if line.strip().startswith("5.2"):
            child.kill()
            break
    child.communicate(timeout=LIMIT)
    for side in (hosts.source, hosts.destination):
        side.wait_until_left()
    assert hosts.leftovers == []
    # A host that went down itself could not clean up; and ssh's sockets lie where keyferry itself ran.
    noted = [Path(entry["folder"]) for entry in hosts.journal if entry["kind"] == "folder"]
    assert len(noted) == 4
    for folder in noted:
        folder.mkdir(exist_ok=True)
    (noted[0] / "wrapped.key").write_bytes(b"x")
    done = keyferry("cleanup", hosts.folder / "run", "--yes", "--config", hosts.config)
    assert (done.status, "not over and verified" in done.err, "private folders are gone" in done.err) == (8, True, True)
    assert not any(folder.exists() for folder in noted)
    assert hosts.leftovers == []


@pytest.mark.skipif(not os.access("/usr/bin/sudo", os.X_OK), reason="no sudo here")
def test_sudo_that_asks_for_nothing(hosts: TwoHosts) -> None:
    if os.geteuid() != 0:
        pytest.skip("sudo -n needs a rule for this account")
    hosts.write_config("sudo = true\n")
    done = hosts.migrate()
    assert done.status == 0, done.err
    assert hosts.leftovers == []
    assert json.loads((hosts.folder / "run/run.json").read_text())["settings"]["source.sudo"] == "true"
