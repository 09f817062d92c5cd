"""Set-ups that are made once in a test run, by whichever worker needs them first."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_FOLDER = "KEYFERRY_TEST_SHARED"
_LEADER = f"{_FOLDER}_OWNER"


def begin() -> None:
    """Make the folder of this test run; xdist's workers inherit its name."""
    if _FOLDER not in os.environ:
        os.environ[_FOLDER] = tempfile.mkdtemp(prefix="keyferry-shared-")
        os.environ[_LEADER] = str(os.getpid())


def end() -> None:
    """Remove the folder, in the process that made it."""
    if os.environ.get(_LEADER) == str(os.getpid()):
        shutil.rmtree(os.environ.pop(_FOLDER), ignore_errors=True)


def once(name: str, make: Callable[[Path], object]) -> Path:
    """Return the folder that `make` fills, called at most once in a test run. Tests only read it, or copy it."""
    root = Path(os.environ[_FOLDER])
    folder, finished = root / name, root / f"{name}.finished"
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not finished.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(mode=0o700)  # as what fills it would make it
            make(folder)
            finished.touch()
    return folder
