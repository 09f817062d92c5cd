"""vtl's screens (reference/vtl.md, listSlots and verify), each a pure function that fails closed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from keyferry.errors import ToolRefusedError
from keyferry.pkcs11 import Slot
from keyferry.text import last_lines
from keyferry.tools.lines import unknown
from keyferry.tools.one_shot import echoed, screen
from keyferry.tools.vtl import dialect

_SLOT = r"(?i:slot\s*#\s*)?[0-9]{1,20}"
_STATUS = rf"(?i:{dialect.PRESENT}|{dialect.NOT_PRESENT})"
_SERIAL = r"[0-9]+|-"
_START = re.compile(rf"(?P<slot>{_SLOT})\s+(?=\S)")
_VERIFIED = re.compile(r"\s*(?P<slot>[0-9]{1,20}|-)\s+(?P<serial>[0-9]+)\s(?P<label>.*)")
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
_MOST_ADVICE = 20  # lines of an error that are shown
_VERIFIED_FRAME = (dialect.VERIFIED, dialect.VERIFIED_HEADER, dialect.VERIFIED_RULE)
_NO_ADVICE = (*_FRAME.values(), *_VERIFIED_FRAME, dialect.BANNER, dialect.REFUSED)


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
class VerifiedRow:
    """One partition that this client may use; number is None where it has no slot that can be seen (HA only)."""

    number: Slot | None
    serial: str
    label: str


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
    lines = _answer("listSlots", text)
    count, rule, rows = _frame(lines)
    if len(rows) != count:
        raise unknown("vtl", "listSlots", f"{count} slots counted, {len(rows)} shown", "\n".join(rows))
    found = tuple(_slot(_cells(row, rule)) for row in rows)
    if len({row.number for row in found}) != count:
        raise unknown("vtl", "listSlots", "a slot stands there twice", "\n".join(rows))
    return found


def verified(text: str) -> tuple[VerifiedRow, ...]:
    """The partitions that `verify` lists, in its order; there is at least one.

    ToolRefusedError where the tool says that there is none; UnknownScreenError for any other line.
    """
    lines = _answer("verify", text)
    for pattern in _VERIFIED_FRAME:
        if not lines or not pattern.fullmatch(lines[0].strip()):
            raise unknown("vtl", "verify", "not the table of partitions", lines[0] if lines else "")
        del lines[0]
    rows = tuple(map(_verified, lines))
    if not rows:
        raise unknown("vtl", "verify", "a table without a partition: cut short?")
    for name in ("serial", "number"):
        told = [value for row in rows if (value := getattr(row, name)) is not None]
        if len(set(told)) != len(told):
            raise unknown("vtl", "verify", f"a {name} stands there twice", "\n".join(lines))
    return rows


def _verified(line: str) -> VerifiedRow:
    found = _VERIFIED.fullmatch(line)
    if not found:
        raise unknown("vtl", "verify", "a line that is no partition", line)
    number = None if found["slot"] == dialect.EMPTY else Slot(int(found["slot"]))
    return VerifiedRow(number, found["serial"], found["label"].strip())


def _answer(verb: str, text: str) -> list[str]:
    """The lines behind the banner. ToolRefusedError for the tool's own error; lines of advice may follow it."""
    lines = screen("vtl", text)
    if lines and dialect.BANNER.fullmatch(lines[0].strip()):
        lines = lines[1:]
    if not lines or not dialect.REFUSED.fullmatch(said := lines[0].strip()):
        return lines
    for line in lines[1:]:
        if any(pattern.fullmatch(line.strip()) for pattern in _NO_ADVICE) or echoed("vtl", line):
            raise unknown("vtl", verb, "more than advice behind an error", line)
    raise ToolRefusedError(
        f"vtl {verb}: {said}",
        code="",
        tool="vtl",
        seen="\n".join(map(last_lines, lines[:_MOST_ADVICE])),
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
    shaped = re.fullmatch(_SLOT, cells.slot) and re.fullmatch(_SERIAL, cells.serial)
    return cells if kept and shaped and re.fullmatch(_STATUS, cells.status) else None


def _by_words(row: str) -> _Cells | None:
    """Cut a row whose padding collapsed, or was pushed aside by a wide label, from both its ends."""
    row = row.strip()
    start, status = _START.match(row), _status(row)
    words = row[start.end() : -len(status)].rsplit(maxsplit=1) if start and status else []
    if start is None or len(words) < 2 or not re.fullmatch(_SERIAL, words[1]):
        return None
    for pattern in _MIDDLES:
        if found := pattern.fullmatch(words[0]):
            return _Cells(start["slot"], found["description"], (found["label"] or "").strip(), words[1], status)
    return None


def _status(row: str) -> str:
    """The status at a row's end, behind a blank; "" for none."""
    for status in (dialect.NOT_PRESENT, dialect.PRESENT):
        if row.lower().endswith(status.lower()) and row[: -len(status)][-1:].isspace():
            return row[-len(status) :]
    return ""


def _slot(cells: _Cells) -> SlotRow:
    present = cells.status.lower() == dialect.PRESENT.lower()
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
