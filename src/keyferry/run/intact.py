"""The sessions of a run that is to go on are still those that its journal tells of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyferry.errors import CheckFailedError, MismatchError
from keyferry.recording import unfinished
from keyferry.recording.chain_reader import CheckedSession
from keyferry.run.manifest import program

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from keyferry.run.journal import Entry


def check_sessions(folder: Path, entries: Iterable[Entry]) -> None:
    """CheckFailedError for the first that is not. One that a dead process left open can only be held against itself."""
    headers: dict[str, str] = {}
    ends: dict[str, tuple[str, int]] = {}
    for entry in entries:
        match entry["kind"]:
            case "opened":
                headers[entry["file"]] = entry["header"]
            case "closed":
                ends[entry["file"]] = entry["head"], entry["count"] + 1  # its closing record
            case "torn":
                ends[entry["file"]] = entry["head"], entry["count"]
    for name, header in headers.items():
        try:
            program(folder / name)
            same = unfinished.measure(folder / name) == ends[name] if name in ends else _first(folder, name) == header
        except (OSError, ValueError, LookupError, TypeError, MismatchError):
            same = False
        if not same:
            raise _edited(folder / name)


def _first(folder: Path, name: str) -> str:
    session = CheckedSession(folder, name)
    for _event in session.events():
        pass
    return session.first


def _edited(path: Path) -> CheckFailedError:
    return CheckFailedError(
        f"{path} is not as this run wrote it",
        keys="nothing was typed to any tool; the record of what was typed before cannot be trusted",
        hint="`keyferry verify RUN` names the line; take the run's folder from a copy, or look at both sides by hand",
    )
