"""A tool's process is found again by host, boot, number and start, and never confused with another."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from keyferry.terminal import process
from keyferry.terminal.host import LocalHost
from keyferry.terminal.process import UNKNOWN, Process
from keyferry.terminal.remote.host import RemoteHost
from keyferry.terminal.remote.ssh import Route

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from keyferry.terminal.process import Shell

STAT = "7 (a) b) (c) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4242 999 1 2 3"
TOLD = f"pid=7\nhost=node pid:[1]\nboot=b-1\nstat={STAT}\n"
SEVEN = Process("node pid:[1]", "b-1", 7, 4242)


def says(text: str) -> Shell:
    return lambda _line: text.encode()


@pytest.fixture
def child() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, text=True) as found:
        yield found
        if found.stdin:
            found.stdin.close()


@pytest.fixture
def shell() -> Iterator[Shell]:
    with LocalHost("here", None) as host:
        yield host.shell


def test_a_live_process_is_found_again_until_it_ends(child: subprocess.Popen[str], shell: Shell) -> None:
    found = process.find(shell, child.pid)
    assert found.is_known
    assert process.runs(shell, found) is True
    assert process.runs(shell, replace(found, started=(found.started or 0) + 1)) is False  # its number given again
    process.end(shell, replace(found, started=1), "KILL")
    assert child.poll() is None
    process.end(shell, found, "TERM")
    child.wait(10)
    assert process.runs(shell, found) is False


def test_one_that_has_ended_but_was_not_collected_does_not_run(shell: Shell) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        found = process.find(shell, child.pid)
        assert child.stdin
        child.stdin.close()
        assert child.wait(10) is not None
        assert (process.runs(shell, found), process.find(shell, child.pid)) == (False, UNKNOWN)


@pytest.mark.parametrize(
    ("told", "runs"),
    [
        (TOLD, True),
        (TOLD.replace("4242", "4243"), False),
        (TOLD.replace("b-1", "b-2"), False),
        (TOLD.replace(") S", ") Z"), False),
        (TOLD.replace(f"stat={STAT}", "stat="), False),
        (TOLD.replace("node", "other"), None),
        (TOLD.replace("pid:[1]", "pid:[2]"), None),
        (TOLD.replace("boot=b-1", "boot="), None),
        ("", None),
        ("sh: printf: not found\n", None),
    ],
)
def test_what_a_host_says_of_a_process(told: str, runs: bool | None) -> None:
    assert process.runs(says(told), SEVEN) is runs


def test_a_process_that_the_journal_does_not_name_cannot_be_checked() -> None:
    assert process.runs(says(TOLD), UNKNOWN) is None


@pytest.mark.parametrize("cut", range(0, len(TOLD) - 25, 6))
def test_half_an_answer_names_no_process(cut: int) -> None:
    assert not process.read(TOLD[:cut].encode()).is_known


def test_behind_a_prefix_the_tool_says_itself_which_process_it_is(tmp_path: Path) -> None:
    tool = tmp_path / "cmu"
    tool.write_text("#!/bin/sh\nread line\n")
    tool.chmod(0o755)
    with RemoteHost("far", Route(prefix=("env",)), str(tmp_path)) as host:
        program = host.program("cmu")
        with subprocess.Popen(program.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
            assert child.stdin
            assert child.stdout
            child.stdout.readline()
            written = host.program("cmu")  # another start has another note
            assert written.find(0) == UNKNOWN
            found = UNKNOWN
            while found == UNKNOWN:  # the marker comes a moment before the tool
                found = program.find(child.pid) if _is_noted(host, program.marker.decode()) else UNKNOWN
            assert process.runs(host.shell, found) is True
            child.stdin.close()
            child.wait(10)
            assert process.runs(host.shell, found) is False


def _is_noted(host: RemoteHost, marker: str) -> bool:
    return b"stat=" in host.shell(f"cat process-{marker} 2>/dev/null")
