"""Whole migrations between two real sshd's: what must not change, and what a host's habits must not spoil."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runs import DESTINATIONS, through
from sshd import SSHD, two_hosts

if TYPE_CHECKING:
    from sshd import TwoHosts

pytestmark = [
    pytest.mark.real_exec,
    pytest.mark.skipif(not os.access(SSHD, os.X_OK), reason="no sshd here (Debian: openssh-server)"),
]

NOISE = """\
#!/bin/bash
echo "Welcome to $(hostname). Authorised use only."
echo "Password: Command: Enter your choice :" >&2
exec /bin/bash -c "$SSH_ORIGINAL_COMMAND"
"""
BARE = """\
#!/bin/dash
PATH=/nowhere
export PATH
exec /bin/dash -c "$SSH_ORIGINAL_COMMAND"
"""


def _sessions(hosts: TwoHosts) -> list[tuple[dict[str, object], list[list[object]]]]:
    found = []
    for path in sorted((hosts.folder / "run/sessions").iterdir()):
        header, *events = map(json.loads, path.read_text().splitlines())
        found.append((header, events))
    return found


def _typed(hosts: TwoHosts) -> list[tuple[str, str]]:
    """The tool and the secret's name, each time one was typed."""
    return [(head["tool"], event[2]) for head, events in _sessions(hosts) for event in events if event[1] == "s"]  # type: ignore[misc] # JSON


@pytest.mark.parametrize("tool", DESTINATIONS)
def test_over_ssh_all_is_as_it_is_here(tmp_path: Path, tool: str) -> None:
    with two_hosts(tmp_path) as hosts:
        done = hosts.migrate(**through(tool))
        assert done.status == 0, done.err
        assert done.states["verified"] >= 3
        assert (hosts.source.connections, hosts.destination.connections) == (1, 1)
        assert hosts.leftovers == []
        tools = [tool for tool, _secret in _typed(hosts)]
        assert (tools.count("ckdemo"), tools.count(tool)) == (1, 1)
        assert tools.count("cmu") <= 4
        for header, events in _sessions(hosts):
            assert ["x", "0"] in [event[1:] for event in events]
            assert str(header["path"]).startswith(str(hosts.folder))
            # Nothing hidden was typed before the other host's terminal had its echo off.
            assert header["tool"] == "ckdemo" or ["v", "SECRET-SHOWN -"] not in [event[1:] for event in events]
            assert header["size"] == Path(str(header["path"])).stat().st_size
    facts = {entry["side"]: entry["facts"] for entry in hosts.journal if entry["kind"] == "host"}
    for side in ("source", "destination"):
        assert {"host_name", "machine_id", "os", "clock", "clock_offset", "host_key"} <= facts[side].keys()
    assert facts["source"]["host_key"] != facts["destination"]["host_key"]
    folders = [Path(entry["folder"]) for entry in hosts.journal if entry["kind"] == "folder"]
    assert len(folders) == 4
    assert not any(folder.exists() for folder in folders)


@pytest.mark.parametrize(
    ("login", "tool"),
    [*zip((NOISE, BARE), DESTINATIONS, strict=True)],
    ids=["banner and MOTD noise", "dash and a restricted PATH"],
)
def test_what_an_account_prints_and_lacks_changes_nothing(tmp_path: Path, login: str, tool: str) -> None:
    banner = tmp_path / "banner"
    banner.write_text("Host key fingerprint is SHA256:none\nCommand: \n")
    with two_hosts(tmp_path, login=login, settings=f'Banner "{banner}"') as hosts:
        done = hosts.migrate(**through(tool))
        assert done.status == 0, done.err
        assert done.states["verified"] >= 3
        assert hosts.leftovers == []
    facts = {entry["side"]: entry["facts"] for entry in hosts.journal if entry["kind"] == "host"}
    assert facts["source"]["host_key"] != "SHA256:none"
    shown = [event for _header, events in _sessions(hosts) for event in events if "Authorised use" in str(event[2])]
    assert shown == []
