"""Small programs on real ptys, in a tool's place."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from keyferry.pkcs11 import Sha256
from keyferry.recording.recorder import Recorder
from keyferry.terminal.child import READ_SIZE
from keyferry.terminal.console import Console
from keyferry.terminal.host import Program
from keyferry.terminal.prompts import ENDED, InputLimits, Prompt, Reply

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from keyferry.secrets import Secret

COMMAND = Prompt("Command", rb"Command: *")
END = Prompt(ENDED, b"")
LIMIT = 20.0

_PRELUDE = """
import os, select, sys, termios
def out(data):
    data = data.encode() if isinstance(data, str) else data
    while data:
        data = data[os.write(1, data):]
def line():
    got = b""
    while not got.endswith(b"\\n"):
        chunk = os.read(0, 65536)
        if not chunk:
            sys.exit(99)
        got += chunk
    return got[:-1]
def echo(on):
    mode = termios.tcgetattr(0)
    mode[3] = mode[3] | termios.ECHO if on else mode[3] & ~termios.ECHO
    termios.tcsetattr(0, termios.TCSANOW, mode)
"""


def program(directory: Path, script: str, env: dict[str, str] | None = None) -> Program:
    """A Python script with `out(text)`, `line() -> bytes` and `echo(bool)` at hand."""
    argv = (sys.executable, "-IS", "-c", _PRELUDE + script)
    return Program("tool", "here", sys.executable, argv, directory, env or {"LC_ALL": "C"}, Sha256("0" * 64))


def shown(heard: Reply) -> str:
    """An answer with plain line ends, less the one before the prompt."""
    return heard.text.replace("\r", "").removesuffix("\n")


def open_console(
    directory: Path,
    script: str,
    *,
    secrets: Iterable[Secret] = (),
    manners: InputLimits | None = None,
    read_size: int = READ_SIZE,
) -> Console:
    recorder = Recorder(directory / "tool.cast", {}, secrets)
    return Console(program(directory, script), recorder, manners or InputLimits(), read_size)
