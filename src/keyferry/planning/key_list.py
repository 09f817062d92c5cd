"""`--from FILE`: which keys cross, and what each shall be on the destination. The file is checked whole, then used.

CSV with a header, or JSON: an array of objects. An empty cell, a null and a field that is not there say nothing.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from keyferry.errors import UsageError
from keyferry.tools.endpoints import KeySharing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TargetSpec:
    """What one key shall be on the destination; None: as the source or the run's options have it."""

    label: str | None = None
    id: str | None = None
    extractable: bool | None = None
    sharing: KeySharing = field(default_factory=KeySharing)


@dataclass(frozen=True, slots=True)
class KeyListEntry:
    """A row: the key by its handle, its label or both, and what is wanted of it."""

    handle: int | None
    label: str | None
    want: TargetSpec

    @property
    def name(self) -> str:
        """As `--key` takes it."""
        return f"label:{self.label}" if self.handle is None else str(self.handle)


def read(path: Path) -> tuple[KeyListEntry, ...]:
    """UsageError that names every fault of the file; nothing of a file with one fault is used."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise _refused(path, [f"it cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise _refused(path, ["it is not UTF-8 text"]) from error
    faults: list[str] = []
    rows = dict(_rows(text, faults))
    for where, row in rows.items():
        faults += [f"{where}: {fault}" for fault in _faults(row)]
    faults += _twice(rows)
    if not rows and not faults:
        faults = ["it names no key"]
    if faults:
        raise _refused(path, faults)
    return tuple(map(_listed, rows.values()))


def recalled(record: Iterable[Mapping[str, Any]]) -> tuple[KeyListEntry, ...]:
    """The rows from what `asdict` made of them."""
    return tuple(KeyListEntry(one["handle"], one["label"], want(one["want"])) for one in record)


def want(record: Mapping[str, Any]) -> TargetSpec:
    """A TargetSpec from what `asdict` made of it."""
    sharing = record["sharing"]
    held = KeySharing(tuple(sharing["shared_users"]), sharing["quorum"])
    return TargetSpec(record["label"], record["id"], record["extractable"], held)


def _rows(text: str, faults: list[str]) -> Iterator[tuple[str, Row]]:
    """Where each row stands, and the row; what is no table at all is a fault."""
    try:
        yield from _json(text) if text.lstrip()[:1] in {"[", "{"} else _csv(text)
    except RecursionError:
        faults.append("it is nested too deeply")
    except json.JSONDecodeError as error:
        faults.append(f"line {error.lineno}: not JSON from column {error.colno} on")
    except (ValueError, csv.Error) as error:
        faults.append(str(error))


def _json(text: str) -> Iterator[tuple[str, Row]]:
    rows = json.loads(text, object_pairs_hook=_once)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError("it is no array of objects")
    for number, row in enumerate(rows, start=1):
        yield f"key {number}", {name: value for name, value in row.items() if value is not None}


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    if twice := [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]:
        raise ValueError(f"an object has {twice[0]!r} twice")
    return dict(pairs)


def _csv(text: str) -> Iterator[tuple[str, Row]]:
    table = csv.reader(io.StringIO(text, newline=""), strict=True)
    header = [name.strip() for name in next(table, [])]
    _once([(name, None) for name in header])
    for cells in table:
        if not cells:
            continue
        if len(cells) != len(header):
            raise ValueError(f"line {table.line_num}: {len(cells)} cells under {len(header)} columns")
        said = {name: cell for name, cell in zip(header, cells, strict=True) if cell}
        unknown = dict.fromkeys(name for name in header if name not in _COLUMNS)
        yield f"line {table.line_num}", unknown | {name: _cell(name, cell) for name, cell in said.items()}


def _cell(name: str, cell: str) -> object:
    """A cell as JSON would have it; as it is where it cannot be that."""
    if name in {"handle", "quorum"}:
        return int(cell) if cell.isascii() and cell.isdecimal() else cell
    if name in {"extractable", "session"}:
        return {"true": True, "false": False}.get(cell.lower(), cell)
    return cell.split(";") if name == "shared_users" else cell


_HALVES = re.compile("[\ud800-\udfff]")


def _is_number(value: object) -> bool:
    return type(value) is int and value >= 0


def _is_label(value: object) -> bool:
    """A text; half a character, as JSON can escape one, is none."""
    return isinstance(value, str) and not _HALVES.search(value)


def _is_text(value: object) -> bool:
    return _is_label(value) and value != ""


def _are_users(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value)) and len(set(value)) == len(value) > 0


_COLUMNS: dict[str, tuple[Callable[[object], bool], str]] = {
    "handle": (_is_number, "a number"),
    "label": (_is_label, "a text"),
    "new_label": (_is_text, "a text"),
    "id": (_is_text, "a text"),
    "extractable": (lambda value: isinstance(value, bool), "true or false"),
    "session": (lambda value: value is False, "false: a session key would be gone at the run's own logout"),
    "quorum": (lambda value: _is_number(value) and value != 0, "a number of users, 1 or more"),
    "shared_users": (_are_users, "users, each once (in CSV with ; between them)"),
}
"""Each column: whether a value can be its, and what it must be."""


def _faults(row: Row) -> Iterator[str]:
    for name, value in row.items():
        if name not in _COLUMNS:
            yield f"unknown column {name!r}; known: {', '.join(_COLUMNS)}"
        elif not _COLUMNS[name][0](value):
            yield f"{name}: {value!r} is not {_COLUMNS[name][1]}"
    if not {"handle", "label"} & row.keys():
        yield "neither a handle nor a label"


def _twice(rows: Mapping[str, Row]) -> Iterator[str]:
    """No two rows name one key, or want one new label: the new keys could not be told apart."""
    for name, others in (("handle", "handle"), ("label", "handle"), ("new_label", "new_label")):
        values = [str(row[name]) for row in rows.values() if name in row and (name == others or others not in row)]
        for value, count in Counter(values).items():
            if count > 1:
                yield f"{count} rows have the {name} {value!r}"


def _listed(row: Row) -> KeyListEntry:
    sharing = KeySharing(tuple(row.get("shared_users", ())), row.get("quorum"))
    wanted = TargetSpec(row.get("new_label"), row.get("id"), row.get("extractable"), sharing)
    return KeyListEntry(row.get("handle"), row.get("label"), wanted)


def _refused(path: Path, faults: Sequence[str]) -> UsageError:
    return UsageError(
        f"{path}: invalid key list",
        seen="\n".join(faults),
        keys="nothing was started",
        hint="docs/selection.md has its columns",
    )
