"""Emulated HSMs by the copy: each kind is made once in a process, for their RSA keys take longer than a whole run."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

from keyferry.emulator import install


def copy(
    directory: Path, *, keys: int = 10, luna: str = "7", kmu: str = "g2", nodes: int = 2, jitter: str = ""
) -> Path:
    """What `install.create` makes with these, in `directory`."""
    return shutil.copytree(_made(keys, luna, kmu, nodes, jitter), directory, dirs_exist_ok=True)


@functools.cache
def _made(keys: int, luna: str, kmu: str, nodes: int, jitter: str) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="keyferry-pattern-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    install.create(folder / "hsm", keys=keys, luna=luna, kmu=kmu, nodes=nodes, jitter=jitter)
    return folder / "hsm"
