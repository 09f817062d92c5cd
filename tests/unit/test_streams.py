from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from keyferry.cli.output import streams
from keyferry.errors import KeyferryError

if TYPE_CHECKING:
    from pathlib import Path

_OPENS_A_FILE = """
import os, sys
from keyferry.cli.output import streams
streams.mend()
number = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY)
print("told")
os.write(2, b"a crash")
os.write(number, b"%d" % number)
"""


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_no_file_gets_the_number_of_a_stream_that_the_shell_closed(tmp_path: Path, closed: str) -> None:
    """Else a message of whatever library would stand in the journal."""
    path = f"{tmp_path}/journal"
    script = f'"$0" -c "$1" "$2" {closed}'
    done = subprocess.run(["sh", "-c", script, sys.executable, _OPENS_A_FILE, path], capture_output=True, check=True)
    assert done.stderr in (b"", b"a crash")
    with open(path, "rb") as file:
        assert int(file.read()) > 2


def test_a_stderr_that_cannot_be_written_is_nobodys_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    with open("/dev/full", "w", buffering=1, encoding="utf-8") as full:
        monkeypatch.setattr("sys.stderr", full)
        monkeypatch.setattr("sys.stdout", sys.stdout)
        streams.mend()
        assert sys.stderr.write("lost\n") == 5
        sys.stderr.flush()
        os.dup2(os.open(os.devnull, os.O_WRONLY), full.fileno())


@pytest.mark.parametrize("full", [True, False])
def test_a_stdout_that_cannot_be_written_is_told(monkeypatch: pytest.MonkeyPatch, full: bool) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    target = os.open("/dev/full", os.O_WRONLY) if full else theirs
    with open(target, "w", encoding="utf-8") as out:
        monkeypatch.setattr("sys.stdout", out)
        monkeypatch.setattr("sys.stderr", sys.stderr)
        streams.mend()
        sys.stdout.write("buffered")
        with pytest.raises(KeyferryError if full else BrokenPipeError, match="stdout" if full else "pipe"):
            sys.stdout.flush()
        sys.stdout.flush()  # as at the exit: it is given up
