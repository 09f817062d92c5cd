"""The error for a record that no run has written as it now is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from keyferry.errors import MismatchError

if TYPE_CHECKING:
    from pathlib import Path

JOURNAL: Final = "journal.jsonl"


def run_of(file: Path) -> Path | None:
    """Return the folder of the run that a recording belongs to, or None if it lies elsewhere."""
    folder = file.absolute().parent.parent
    return folder if file.absolute().parent.name == "sessions" and (folder / JOURNAL).exists() else None


def damaged(file: Path, line: int | None, why: str, run: Path | None = None) -> MismatchError:
    """Make the error for a file of a record that cannot be understood.

    Args:
        file: the damaged file.
        line: the first damaged line, if it has lines.
        why: what is wrong.
        run: the folder of the run; by default, the one that a recording lies in.
    """
    run = run or run_of(file)
    verify = f"`keyferry verify {run}` says what else is wrong; " if run else ""
    place = f"{file}: line {line}" if line else str(file)
    return MismatchError(
        f"the record is damaged: {place}: {why}",
        keys="no key was touched; what this record says of the keys cannot be trusted",
        hint=f"{verify}use an undamaged copy of the record",
        record=f"{file}:{line}" if line else str(file),
    )
