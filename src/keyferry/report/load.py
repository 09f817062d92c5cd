"""The files of a run as they lie there, also of one that was ended in the middle of a line."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from keyferry import files
from keyferry.errors import UsageError
from keyferry.recording.damage import JOURNAL, damaged
from keyferry.recording.reader import Recording, read
from keyferry.run.versions import require_current_format
from keyferry.text import NotJsonError, from_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    Table = Mapping[str, object]

MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class JournalLine:
    """A line of the journal."""

    line: int
    data: Table


@dataclass(frozen=True, slots=True)
class Cast:
    """A recording; `name` is its path in the run directory."""

    name: str
    sha256: str
    recording: Recording


@dataclass(frozen=True, slots=True)
class RunFiles:
    """What is read of a run directory. torn: the journal's last line is half a one."""

    info: Table
    plan: Table
    journal: tuple[JournalLine, ...]
    torn: bool
    head: str
    casts: tuple[Cast, ...]
    manifest: Table | None


def load(path: Path) -> RunFiles:
    """Read the files of a run.

    Raises:
        UsageError: the folder is no run, or a file in it cannot be read.
        MismatchError: the record is damaged: a file in it is not as a run writes it, or the journal is gone.
    """
    if not (path / JOURNAL).is_file():
        if path.is_dir() and (os.path.lexists(path / JOURNAL) or any(path.glob("sessions/*.cast"))):
            raise damaged(path / JOURNAL, None, "the journal is missing", path)
        raise UsageError(f"{path} is no run directory: it has no {JOURNAL}", hint="name the folder of a run")
    require_current_format(path)
    data = _bytes(path / JOURNAL)
    *lines, rest = data.split(b"\n")
    casts = tuple(_cast(path, file) for file in sorted((path / "sessions").glob("*.cast")))
    return RunFiles(
        info=_optional(path, "run.json"),
        plan=_optional(path, "plan.json"),
        journal=tuple(
            JournalLine(number, _object(path, JOURNAL, line, number)) for number, line in enumerate(lines, 1)
        ),
        torn=bool(rest),
        head=hashlib.sha256(lines[-1] + b"\n").hexdigest() if lines else "",
        casts=casts,
        manifest=_optional(path, MANIFEST) if (path / MANIFEST).exists() else None,
    )


def _cast(run: Path, path: Path) -> Cast:
    data = _bytes(path)
    recording = read(path, torn=True) if b"\n" in data else Recording({}, ())  # killed while it wrote the header
    return Cast(str(path.relative_to(run)), hashlib.sha256(data).hexdigest(), recording)


def _optional(run: Path, name: str) -> Table:
    return _object(run, name, _bytes(run / name), 1) if (run / name).exists() else {}


def _bytes(path: Path) -> bytes:
    return files.read(path, hint="take the run's folder from a copy")


def _object(run: Path, name: str, data: bytes, line: int) -> Table:
    try:
        value = from_json(data)
    except NotJsonError as error:
        raise damaged(run / name, line, str(error), run) from error
    if not isinstance(value, dict):
        raise damaged(run / name, line, "not a JSON object", run)
    return value


def text(table: Table, name: str) -> str | None:
    value = table.get(name)
    return None if value is None else str(value)


def number(table: Table, name: str) -> int | None:
    value = table.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def flag(table: Table, name: str) -> bool | None:
    value = table.get(name)
    return value if isinstance(value, bool) else {"true": True, "false": False}.get(str(value).lower())


def table(of: Table, name: str) -> Table:
    value = of.get(name)
    return value if isinstance(value, dict) else {}


def tables(of: Table, name: str) -> Iterator[Table]:
    value = of.get(name)
    yield from (one for one in (value if isinstance(value, list) else ()) if isinstance(one, dict))


def words(of: Table, name: str) -> tuple[str, ...]:
    value = of.get(name)
    return tuple(map(str, value)) if isinstance(value, list) else ()


def plain(value: object) -> str:
    """A value as a reader expects it: records hold settings as texts, older ones `True` and `False` among them."""
    told = {"true": "yes", "false": "no", "True": "yes", "False": "no", "None": "none"}
    return told.get(str(value), str(value))


def pairs(of: Table) -> tuple[tuple[str, str], ...]:
    """A table's fields as texts, empty and nested ones left out."""
    return tuple(
        (name, plain(value)) for name, value in of.items() if value != "" and not isinstance(value, dict | list)
    )
