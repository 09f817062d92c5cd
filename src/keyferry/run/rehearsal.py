"""Whether a run is a rehearsal. This label prevents mix-ups. It protects against nobody who can edit the record."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

WHY = "at least one tool of this run was emulated, or `keyferry rehearse` started it"


def begun_as(line: Mapping[str, Any]) -> bool:
    """Whether this journal line says that `keyferry rehearse` started the run."""
    return line.get("kind") == "begin" and line.get("rehearsal") is True


def emulated(header: Mapping[str, Any]) -> bool:
    """Whether the tool of the recording with this header was an emulated one."""
    return header.get("emulated") is True


def is_rehearsal(run: Path) -> bool:
    """Read it from the first lines of the run's journal and recordings; what cannot be read says nothing."""
    paths = [run / "journal.jsonl", *sorted((run / "sessions").glob("*.cast"))]
    return any(begun_as(line) or emulated(line) for line in _first_lines(paths))


def _first_lines(paths: list[Path]) -> Iterator[dict[str, Any]]:
    for path in paths:
        try:
            with path.open("rb") as file:
                value = json.loads(file.readline())
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            yield value
