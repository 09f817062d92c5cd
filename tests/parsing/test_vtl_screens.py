from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixture_files import Fixture, check_cases, check_document, errors, of_tool
from keyferry.errors import CheckFailedError, ToolRefusedError, UnknownScreenError
from keyferry.pkcs11 import Slot
from keyferry.tools.vtl import screens
from keyferry.tools.vtl.driver import choose
from keyferry.tools.vtl.parsing import VERBS, parse
from keyferry.tools.vtl.screens import SlotRow, VerifiedRow


@pytest.mark.parametrize("fixture", of_tool("vtl"))
def test_fixture(fixture: Fixture) -> None:
    check_document(fixture, parse)


@pytest.mark.parametrize("version", ["5", "7"])
@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_its_fixtures(version: str, verb: str) -> None:
    check_cases("vtl", version, verb)


NO_SLOTS = "Error: Unable to find any Luna SA slots/partitions among registered server"
"""The one error of the reference; without slots listSlots may also count none."""


@pytest.mark.parametrize("version", ["5", "7"])
@pytest.mark.parametrize("verb", VERBS)
def test_every_known_error_has_its_fixture(version: str, verb: str) -> None:
    there = errors("vtl", version, verb)
    assert NO_SLOTS in there.lines
    assert verb != "listSlots" or "Number of slots: 0" in there.lines


LABELS = st.text("abz 019-_=.", min_size=1, max_size=32).map(str.strip).filter(bool)
DESCRIPTIONS = st.sampled_from(["LunaNet Slot", "Net Token Slot", "HA Virtual Card Slot", "Luna UHD 7"])
ROWS = st.lists(
    st.builds(
        lambda number, description, label, serial: SlotRow(
            Slot(number), description, label, serial, present=True, ha=description.startswith("HA")
        ),
        st.integers(0, 499),
        DESCRIPTIONS,
        LABELS,
        st.integers(1, 10**13).map(str),
    ),
    unique_by=lambda row: row.number,
    max_size=6,
)


def _printed(rows: list[SlotRow], widths: tuple[int, ...], prefix: str, newline: str) -> str:
    cells = [("Slot", "Description", "Label", "Serial #", "Status"), tuple("=" * width for width in widths)]
    cells += [(f"{prefix}{row.number}", row.description, str(row.label), str(row.serial), "Present") for row in rows]
    table = [" ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)) for line in cells]
    return newline.join([f"Number of slots: {len(rows)}", "", "The following slots were found:", "", *table, ""])


@given(ROWS, st.sampled_from([(9, 20, 31, 10, 12), (9, 20, 32, 16, 12)]), st.sampled_from(["\n", "\r\n", "\r\r\n"]))
def test_every_table_is_read_as_it_was_printed(rows: list[SlotRow], widths: tuple[int, ...], newline: str) -> None:
    assert screens.slots(_printed(rows, widths, "slot #", newline)) == tuple(rows)


@given(ROWS.filter(bool), st.data())
def test_a_damaged_table_gives_slots_or_the_documented_error(rows: list[SlotRow], data: st.DataObject) -> None:
    text = _printed(rows, (4, 20, 32, 16, 12), "", "\r\n")
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    damaged = text[:start] + data.draw(st.text(max_size=8)) + text[end:]
    with contextlib.suppress(UnknownScreenError, ToolRefusedError):
        assert all(isinstance(one, SlotRow) for one in screens.slots(damaged))


@given(ROWS.filter(bool), st.data())
def test_a_table_cut_short_is_never_taken(rows: list[SlotRow], data: st.DataObject) -> None:
    text = _printed(rows, (4, 20, 32, 16, 12), "", "\n").rstrip()
    cut = data.draw(st.integers(0, len(text) - 1))
    with pytest.raises(UnknownScreenError):
        screens.slots(text[:cut])


VERIFIED = st.lists(
    st.builds(
        lambda number, serial, label: VerifiedRow(None if number is None else Slot(number), str(serial), label),
        st.none() | st.integers(0, 999),
        st.integers(1, 10**13),
        LABELS,
    ),
    unique_by=(lambda row: -id(row) if row.number is None else row.number, lambda row: row.serial),
    min_size=1,
    max_size=6,
)


def _verified(rows: list[VerifiedRow], gap: str, width: int, newline: str) -> str:
    head = ["", "The following Luna SA Slots/Partitions were found: ", "", gap.join(["Slot", "Serial #", "Label"])]
    head.append(gap.join(["====", "=" * width, "====="]))
    shown = ["-" if row.number is None else str(row.number) for row in rows]
    table = [f"{number:>4}{gap}{row.serial:>{width}} {gap}{row.label}" for number, row in zip(shown, rows, strict=True)]
    return newline.join([*head, *table, "", ""])


GAPS = st.sampled_from(["\t", " ", "    "])


@given(VERIFIED, GAPS, st.sampled_from([8, 16]), st.sampled_from(["\n", "\r\n", "\r\r\n", "\0\n"]))
def test_every_table_of_verify_is_read_as_it_was_printed(
    rows: list[VerifiedRow], gap: str, width: int, newline: str
) -> None:
    assert screens.verified(_verified(rows, gap, width, newline)) == tuple(rows)


@given(VERIFIED, GAPS, st.data())
def test_a_damaged_verify_is_partitions_or_the_documented_error(
    rows: list[VerifiedRow], gap: str, data: st.DataObject
) -> None:
    text = _verified(rows, gap, 16, "\r\n")
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    piece = data.draw(st.one_of(st.text(max_size=8), st.sampled_from(["9" * 5000, "\0", text[start:end] * 2])))
    with contextlib.suppress(UnknownScreenError):
        assert parse("verify", text[:start] + piece + text[end:])["ok"] in (True, False)


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    "piece", ["1 " + " " * 50 + "x", "slot #1 a", "=", "$", "Error: ", "1\t2\t", "9", "vtl v1v", "\n", "\r", "\t"]
)
def test_a_flood_is_refused_or_read_in_linear_time(verb: str, piece: str) -> None:
    """A text that a quadratic parser would take minutes for; the suite's own time tells."""
    with contextlib.suppress(UnknownScreenError):
        parse(verb, "Number of slots: 1\n" + piece * (300_000 // len(piece)))


def _row(number: int, label: str, serial: str, *, present: bool = True) -> SlotRow:
    return SlotRow(Slot(number), "Net Token Slot", label, serial, present=present, ha=False)


HERE = (
    _row(0, "payments", "1001"),
    _row(1, "7", "1002"),
    _row(2, "twice", "1003"),
    _row(3, "twice", "1004"),
    _row(4, "serial:9", "1005"),
    _row(5, "gone", "1006", present=False),
    _row(501, "far", "1007"),
)


@pytest.mark.parametrize(
    ("wanted", "number"),
    [
        ("number:1", 1),
        ("1", 1),
        ("label:7", 1),
        ("label:payments", 0),
        ("payments", 0),
        ("serial:1004", 3),
        ("label:serial:9", 4),
    ],
)
def test_one_slot_is_chosen(wanted: str, number: int) -> None:
    assert choose(HERE, wanted).number == number


@pytest.mark.parametrize("wanted", ["7", "twice", "gone", "number:5", "serial:9", "number:x", "", "number:501"])
def test_a_slot_that_is_not_exactly_one_is_refused_and_the_choice_shown(wanted: str) -> None:
    with pytest.raises(CheckFailedError) as refused:
        choose(HERE, wanted)
    assert refused.value.rule == "SLOT-MATCH"
    assert "slot 0: label 'payments', serial 1001" in (refused.value.seen or "")
    assert "gone" not in (refused.value.seen or "")


def test_why_a_slot_is_too_high() -> None:
    with pytest.raises(CheckFailedError, match="above 500"):
        choose(HERE, "far")
