"""A tool is ended by the hang-up of its terminal, however Keyferry itself was started."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from keyferry.terminal.child import READ_SIZE, Child

_IGNORED = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGPIPE, signal.SIGTERM)
_PARENT = """
import signal, sys
from pathlib import Path
from keyferry.terminal.child import Child
signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as under nohup
child = Child(["/bin/sh", "-c", "while :; do read line; done"], Path("/"), {}, bytes, 65536)
print(child.pid, flush=True)
signal.pause()
"""


@pytest.fixture
def ignored() -> object:
    before = [(number, signal.signal(number, signal.SIG_IGN)) for number in _IGNORED]
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    for number, handler in before:
        signal.signal(number, handler)


@pytest.mark.usefixtures("ignored")
def test_a_tool_inherits_no_ignored_signal() -> None:
    child = Child(["/bin/cat", "/proc/self/status"], Path("/"), {}, bytes, READ_SIZE)
    said = child.read().decode()
    sets = dict(re.findall(r"(Sig(?:Ign|Blk)):\s*([0-9a-f]+)", said))
    assert all(not int(sets[name], 16) >> (number - 1) & 1 for name in sets for number in _IGNORED)
    assert len(sets) == 2


def test_a_tool_does_not_outlive_keyferry_under_nohup() -> None:
    parent = subprocess.Popen([sys.executable, "-c", _PARENT], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    tool = os.pidfd_open(int(parent.stdout.readline()))
    parent.kill()
    parent.wait()
    parent.stdout.close()
    try:
        assert select.select([tool], [], [], 10)[0], "the tool still runs"
    finally:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(tool, signal.SIGKILL)
        os.close(tool)
