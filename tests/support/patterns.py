"""Copies of emulated HSMs: each kind is made once in a test run, because its RSA keys take longer than a migration."""

from __future__ import annotations

import functools
import shutil
from typing import TYPE_CHECKING

import shared
from keyferry.emulator import install

if TYPE_CHECKING:
    from pathlib import Path


def copy(
    directory: Path, *, keys: int = 10, luna: str = "7", kmu: str = "g2", nodes: int = 2, jitter: str = ""
) -> Path:
    """What `install.create` makes with these, in `directory`."""
    create = functools.partial(install.create, keys=keys, luna=luna, kmu=kmu, nodes=nodes, jitter=jitter)
    made = shared.once(f"hsm-{keys}-{luna}-{kmu}-{nodes}-{jitter.encode().hex()}", create)
    return shutil.copytree(made, directory, dirs_exist_ok=True)
