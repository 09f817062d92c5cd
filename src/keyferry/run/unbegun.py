"""A run directory whose process was killed before the first journal line: a run can start in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyferry import files
from keyferry.errors import UsageError
from keyferry.run import standalone
from keyferry.run.manifest import INFO, JOURNAL, MANIFEST, PLAN
from keyferry.run.versions import require_current_format
from keyferry.terminal.host import PART

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BEFORE_THE_FIRST_LINE = frozenset({JOURNAL, "sessions", "files", standalone.NAME, INFO, PLAN})


def is_unbegun(path: Path) -> bool:
    """Whether nothing began in this run directory: it is empty, or holds a journal without a line and little else.

    The journal is made first, so a folder that has other files and no journal was never a run directory; nor was
    one that others can enter.
    """
    if path.is_symlink() or not path.is_dir() or path.stat().st_mode & 0o077:
        return False
    names = {str(found.relative_to(path)).removesuffix(PART) for found in path.rglob("*")}
    if not names:
        return True
    return JOURNAL in names <= _BEFORE_THE_FIRST_LINE and not _has_a_line(path / JOURNAL)


def _has_a_line(journal: Path) -> bool:
    if journal.is_symlink() or not journal.is_file():
        return True
    with journal.open("rb") as file:
        return file.readline().endswith(b"\n")


def require_begun(path: Path) -> None:
    """UsageError if no run began in this folder, it is a file, or a pipe or a device lies where a run has a file."""
    if path.is_file():
        raise UsageError(
            f"{path} is a file, not the directory of a run",
            keys="nothing was typed to any tool",
            hint="name the run's directory",
        )
    for found in (*(path / name for name in (JOURNAL, PLAN, INFO, MANIFEST)), *path.glob("sessions/*")):
        files.reject_special(found, keys="nothing was typed to any tool", hint="take the run's folder from a copy")
    require_current_format(path)
    if is_unbegun(path):
        journal = path / JOURNAL
        what = f"{path} holds no run" if journal.exists() else f"{journal} cannot be read"
        raise UsageError(
            f"{what}: no run began here",
            keys="nothing was typed to any tool",
            hint=f"start the run with the same `keyferry migrate` command and `--run-dir {path}`: a folder in which no"
            " run began is used again",
        )


def clear(path: Path) -> None:
    """Remove the files of a run that never began, except its journal."""
    for found in path.iterdir():
        if found.name != JOURNAL and not found.is_dir():
            found.unlink()


def temporaries(path: Path) -> Iterator[Path]:
    """Files that a killed process left under a temporary name."""
    return (found for found in path.rglob(f"*{PART}") if found.is_symlink() or found.is_file())
