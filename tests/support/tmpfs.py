"""Put the tests' temporary files in memory: most of them are written, synchronised, read once and removed."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

NEEDED = 512 * 2**20  # bytes free
ROOT = "PYTEST_DEBUG_TEMPROOT"
"""pytest's own variable: the folder in which it makes the folder of a test run."""

DISK = os.environ.get("KEYFERRY_TEST_DISK") or tempfile.gettempdir()
"""Where temporary files go without this module."""

_PREFERRED = ("/dev/shm", "/tmp")  # noqa: S108 - looked at, and used only after a private folder was made there


def use() -> None:
    """Have pytest, and all that tests start, make temporary files on a tmpfs; change nothing where there is none."""
    if ROOT in os.environ:  # the caller's choice, or an xdist worker's controller's
        return
    if (folder := find()) is not None:
        os.environ[ROOT] = os.environ["TMPDIR"] = str(folder)
        os.environ["KEYFERRY_TEST_DISK"] = DISK
        tempfile.tempdir = None  # read the variable again


def find() -> Path | None:
    """Return a folder on a tmpfs that is writable, can execute files and has room; None if no tmpfs has all three."""
    mounted = [
        fields[1] for line in Path("/proc/mounts").read_text().splitlines() if (fields := line.split())[2] == "tmpfs"
    ]
    mounted.sort(key=lambda mount: mount not in _PREFERRED)
    return next((folder for mount in mounted if (folder := _usable(Path(mount))) is not None), None)


def _usable(mount: Path) -> Path | None:
    try:
        room = os.statvfs(mount)
        if room.f_bavail * room.f_frsize < NEEDED or not os.access(mount, os.W_OK | os.X_OK):
            return None
        folder = mount / f"keyferry-tests-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.is_symlink() or folder.stat().st_uid != os.getuid():
            return None
        return folder if _executes(folder) else None
    except OSError:
        return None


def _executes(folder: Path) -> bool:
    """Whether a script can be started from there (a mount may have `noexec`)."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        script = Path(place) / "script"
        script.write_text("#!/bin/sh\nexit 0\n")
        script.chmod(0o700)
        try:
            return subprocess.run([script], check=False).returncode == 0
        except OSError:
            return False
