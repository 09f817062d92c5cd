"""One long answer, read, recorded and given out: the time grows with its length, and a flood ends at the cap."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from keyferry.errors import KeyferryError
from programs import COMMAND, LIMIT, open_console

if TYPE_CHECKING:
    from pathlib import Path

_LINE = b"\tOBJ_ATTR_MODULUS\t0123456789abcdef0123456789abcdef\r\n"
_TOOL = """
out("Command: ")
line()
out(b"\\r\\n" + {line!r} * {lines} + b"Command: ")
line()
"""


def seconds(folder: Path, size: int) -> float:
    """CPU time of this process for an answer of about so many bytes."""
    folder.mkdir()
    with open_console(folder, _TOOL.format(line=_LINE, lines=size // len(_LINE))) as console:
        console.hear(COMMAND, limit=LIMIT)
        began = time.process_time()
        console.say("getAttribute")
        text = console.hear(COMMAND, limit=LIMIT).text
        used = time.process_time() - began
        if len(text) < size - 2 * len(_LINE):
            raise SystemExit(f"{len(text)} bytes came, not {size}")
        return used


def end(folder: Path, size: int) -> int:
    """The exit code that an answer of so many bytes ends with; 0 where it is taken."""
    try:
        seconds(folder, size)
    except KeyferryError as error:
        return int(error.exit_code)
    return 0
