"""vtl's screens (reference/vtl.md, listSlots), each a pure function that fails closed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from keyferry.errors import ToolRefusedError
from keyferry.names import Slot
from keyferry.tools.shell import screen
from keyferry.tools.text import unknown
from keyferry.tools.vtl import dialect

_SLOT = r"(?i:slot\s*#\s*)?\d+"
_STATUS = rf"{dialect.PRESENT}|{dialect.NOT_PRESENT}"
_ROW = re.compile(rf"\s*(?P<slot>{_SLOT})\s+(?P<middle>\S.*?)\s+(?P<serial>\S+)\s+(?P<status>{_STATUS})\s*")
# A description that ends in `Slot`, one that wide blanks or a tab end, or the dashes of an empty slot.
_MIDDLES = (
    re.compile(r"(?P<description>(?:[^\s-]\S* ){1,4}?Slot)(?:\s+(?P<label>.*))?"),
    re.compile(r"(?P<description>\S.*?)(?:\t\s*|\s{2,})(?P<label>.*)"),
    re.compile(r"(?P<description>-)\s+(?P<label>-)"),
)

_FRAME = {
    "count": dialect.COUNT,
    "found": dialect.FOUND,
    "header": dialect.HEADER,
    "rule": dialect.RULE,
}


@dataclass(frozen=True, slots=True)
class SlotRow:
    """One slot. label and serial are None for an empty one; ha: a virtual slot of an HA group."""

    number: Slot
    description: str
    label: str | None
    serial: str | None
    present: bool
    ha: bool


@dataclass(frozen=True, slots=True)
class _Cells:
    slot: str
    description: str
    label: str
    serial: str
    status: str


def slots(text: str) -> tuple[SlotRow, ...]:
    """The table of listSlots, in its order, empty slots included.

    ToolRefusedError where the tool says that there is none; UnknownScreenError for any other line that is
    not of the table, and where the rows are not as many as the tool counted.
    """
    lines = screen("vtl", text)
    if lines and dialect.BANNER.fullmatch(lines[0].strip()):
        lines = lines[1:]
    _refused(lines)
    count, rule, rows = _frame(lines)
    if len(rows) != count:
        raise unknown("vtl", "listSlots", f"{count} slots counted, {len(rows)} shown", "\n".join(rows))
    found = tuple(_slot(_cells(row, rule)) for row in rows)
    if len({row.number for row in found}) != count:
        raise unknown("vtl", "listSlots", "a slot stands there twice", "\n".join(rows))
    return found


def _refused(lines: list[str]) -> None:
    if lines and dialect.REFUSED.fullmatch(lines[0].strip()):
        seen = "\n".join(lines)
        raise ToolRefusedError(
            f"vtl listSlots: {lines[0].strip()}",
            code="",
            tool="vtl",
            seen=seen,
            hint="is this client registered with the HSM, and a partition assigned to it?",
        )


def _frame(lines: list[str]) -> tuple[int, str, list[str]]:
    """The count, the rule under the header and the rows; without slots the table may be left out."""
    rest = list(lines)
    taken = {}
    for name, pattern in _FRAME.items():
        if rest and (match := pattern.fullmatch(rest[0].strip())):
            taken[name] = match
            del rest[0]
    if "count" not in taken or (rest and len(taken) < len(_FRAME)):
        raise unknown("vtl", "listSlots", "not the table of slots", rest[0] if rest else "\n".join(lines))
    count = int(taken["count"]["count"])
    rule = lines[len(taken) - 1] if "rule" in taken else ""
    return count, rule, rest


def _cells(row: str, rule: str) -> _Cells:
    found = _by_widths(row.expandtabs(), rule.expandtabs()) or _by_words(row)
    if found is None:
        raise unknown("vtl", "listSlots", "a line that is no slot", row)
    return found


def _by_widths(row: str, rule: str) -> _Cells | None:
    """Cut where the rule has its gaps; None where the row does not keep to them."""
    spans = [match.span() for match in re.finditer("=+", rule)]
    gaps = [row[end:start] for (_, end), (start, _) in pairwise(spans)]
    slot, description, label, serial = (row[start:end].strip() for start, end in spans[:-1])
    cells = _Cells(slot, description, label, serial, row[spans[-1][0] :].strip())
    kept = not "".join(gaps).strip() and not row[: spans[0][0]].strip() and cells.description
    shaped = re.fullmatch(_SLOT, cells.slot) and re.fullmatch(r"\S+", cells.serial)
    return cells if kept and shaped and re.fullmatch(_STATUS, cells.status) else None


def _by_words(row: str) -> _Cells | None:
    """Cut a row whose padding collapsed, or was pushed aside by a wide label, from both its ends."""
    if not (match := _ROW.fullmatch(row)):
        return None
    for pattern in _MIDDLES:
        if middle := pattern.fullmatch(match["middle"]):
            label = (middle["label"] or "").strip()
            return _Cells(match["slot"], middle["description"], label, match["serial"], match["status"])
    return None


def _slot(cells: _Cells) -> SlotRow:
    present = cells.status == dialect.PRESENT
    empty = cells.serial == dialect.EMPTY
    if present and empty:
        raise unknown("vtl", "listSlots", "a token without a serial", repr(cells))
    return SlotRow(
        number=Slot(int(cells.slot.rpartition("#")[2].split()[-1])),
        description=cells.description,
        label=None if empty else cells.label,
        serial=None if empty else cells.serial,
        present=present,
        ha=cells.description == dialect.HA_DESCRIPTION,
    )
