"""The stock player plays our recordings, passing over the codes that are ours."""

from __future__ import annotations

import sys
from pathlib import Path

import pexpect
import pytest

from keyferry.recording.recorder import Recorder

LIMIT = 30


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A recording with every code."""
    path = tmp_path / "x.cast"
    recorder = Recorder(path, {"tool": "ckdemo", "argv": ["ckdemo"]}, clock=iter(range(100)).__next__)
    recorder.step("5.2", "Wrap")
    recorder.output(b"Enter your choice : ")
    recorder.typed(b"60")
    recorder.output(b"60\r\nodd \xff byte\r\nEnter PIN: ")
    recorder.secret("pin")
    recorder.cut("SECRET-STARS", None)
    recorder.output(b"\r\nCKA_VALUE=")
    recorder.cut("VALUE-NEVER-SHOWN", 64)
    recorder.output("\r\ngrüße\r\n".encode())
    recorder.exit(0)
    recorder.close()
    return path


SHOWN = "Enter your choice : 60\r\nodd \ufffd byte\r\nEnter PIN: \r\nCKA_VALUE=\r\ngrüße\r\n"


def _run(word: str, recording: Path, *options: str) -> str:
    command = str(Path(sys.executable).with_name("asciinema"))
    env = {"LC_ALL": "C.UTF-8", "TERM": "xterm", "ASCIINEMA_CONFIG_HOME": str(recording.parent)}
    arguments = [word, *options, str(recording)]
    player = pexpect.spawn(command, arguments, encoding="utf-8", timeout=LIMIT, env=env)
    with player:
        shown = player.read()
    assert player.exitstatus == 0
    return str(shown)


def test_it_plays(recording: Path) -> None:
    shown = _run("play", recording, "--speed", "1000")
    assert shown.replace("\r\r\n", "\r\n").startswith(SHOWN)


def test_its_cat_prints_the_output_and_nothing_else(recording: Path) -> None:
    assert _run("cat", recording).replace("\r\r\n", "\r\n") == SHOWN
