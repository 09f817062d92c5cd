"""An unwrap on another host that is still in flight when Keyferry dies."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from dying import killed_while_deaf
from killed import arrivals
from sshd import SSHD, two_hosts

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not os.access(SSHD, os.X_OK), reason="no sshd here (Debian: openssh-server)")


def test_a_tool_of_another_host_that_ignores_the_hang_up_is_waited_for(tmp_path: Path) -> None:
    with two_hosts(tmp_path, keys=1) as hosts:
        world = hosts.destination.world
        world.config.write_text(hosts.config.read_text())
        world.environment["KEYFERRY_LIMITS_ANSWER"] = "20"
        killed_while_deaf(world, "key_mgmt_util")
        done = world.resume()
        assert (done.status, done.states, len(arrivals(world))) == (0, {"verified": 1}, 1), done.err
    journal = [json.loads(line) for line in (world.directory / "run/journal.jsonl").read_text().splitlines()]
    processes = [line for line in journal if line["kind"] == "process"]
    assert len({line["pid"] for line in processes} - {None}) == 2
    assert [len(line["found"]) for line in journal if line["kind"] == "question" and line["act"] == "unwrap"] == [1]
