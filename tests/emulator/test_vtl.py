from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from place import ended

if TYPE_CHECKING:
    from place import MakePlace

SLOTS_5 = """\
Number of slots: 6

The following slots were found:\x20

Slot #    Description          Label                           Serial #   Status
========= ==================== =============================== ========== ============
slot #1   LunaNet Slot         par43                           157541008  Present
slot #2   LunaNet Slot         par40                           157562011  Present
slot #3   -                    -                               -          Not present
slot #4   -                    -                               -          Not present
slot #5   -                    -                               -          Not present
slot #6   HA Virtual Card Slot classic_ha                      1157541008 Present
"""
SLOTS_7 = """\
vtl (64-bit) v10.3.0-275. Emulated for rehearsals.

Number of slots: 3

The following slots were found:

Slot Description          Label                            Serial #         Status
==== ==================== ================================ ================ ============
   0 Net Token Slot       par43                            1582163089435    Present
   1 Net Token Slot       par40                            1582163089471    Present
   2 HA Virtual Card Slot classic_ha                       11582163089435   Present
"""
VERIFY_5 = """
The following Luna SA Slots/Partitions were found:\x20

Slot\tSerial #\tLabel
====\t========\t=====
 1\t157541008\tpar43
 2\t157562011\tpar40

"""
VERIFY_7 = """\
vtl (64-bit) v10.3.0-275. Emulated for rehearsals.


The following Luna SA Slots/Partitions were found:\x20

Slot\tSerial #        \tLabel
====\t================\t=====
   0\t   1582163089435 \tpar43
   1\t   1582163089471 \tpar40

"""


@pytest.mark.parametrize(("luna", "screen"), [("5", SLOTS_5), ("7", SLOTS_7)])
@pytest.mark.parametrize("verb", ["listSlots", "LISTSLOTS", "-listsl"])
def test_list_slots(make_place: MakePlace, luna: str, screen: str, verb: str) -> None:
    assert ended(make_place(luna).spawn("vtl", verb)) == (screen, 0)


@pytest.mark.parametrize(("luna", "screen"), [("5", VERIFY_5), ("7", VERIFY_7)])
def test_verify(make_place: MakePlace, luna: str, screen: str) -> None:
    assert ended(make_place(luna).spawn("vtl", "ver")) == (screen, 0)


@pytest.mark.parametrize("luna", ["5", "7"])
def test_verify_without_a_partition(make_place: MakePlace, luna: str) -> None:
    place = make_place(luna)
    for table in ("luna_group", "luna_partition"):
        place.store.run(f"DELETE FROM {table}")  # noqa: S608 - our own names
    said = place.run("vtl", "verify").stdout
    assert said.endswith("Error: Unable to find any Luna SA slots/partitions among registered server\n")
    assert "Slots/Partitions were found" not in said


def test_list_servers(make_place: MakePlace) -> None:
    assert make_place("5").run("vtl", "listservers").stdout == "Server: 192.0.2.10  HTL required: no\n"


@pytest.mark.parametrize("verb", ["", "lists lots", "list", "makeItSo"])
def test_what_it_does_not_know_shows_the_usage(make_place: MakePlace, verb: str) -> None:
    done = make_place().run("vtl", *([verb] if verb else []))
    assert done.returncode == 1
    assert "Usage: vtl listSlots" in done.stdout


def test_swapped_slots_trade_numbers_in_one_run_only(make_place: MakePlace) -> None:
    place = make_place()
    place.arm("vtl", "slots-swapped")
    swapped, after = (place.run("vtl", "listSlots").stdout for _ in range(2))
    assert "   0 Net Token Slot       par40" in swapped
    assert "   1 Net Token Slot       par43" in swapped
    assert after == SLOTS_7


def test_die_says_nothing(make_place: MakePlace) -> None:
    place = make_place()
    place.arm("vtl", "die", "listSlots")
    assert ended(place.spawn("vtl", "listSlots")) == ("", 1)


def test_hang_waits_for_the_end_of_input(make_place: MakePlace) -> None:
    place = make_place()
    place.arm("vtl", "hang")
    child = place.spawn("vtl", "listSlots")
    child.sendline("anyone?")
    child.expect("anyone[?]\r\n")
    child.sendeof()
    assert ended(child) == ("", 1)


def test_garbage_comes_instead_of_the_table(make_place: MakePlace) -> None:
    place = make_place()
    place.arm("vtl", "garbage")
    text, _ = ended(place.spawn("vtl", "listSlots"))
    assert "out of step" in text
    assert "Number of slots" not in text


@pytest.mark.parametrize("seed", ["a", "b", "c", "d"])
@pytest.mark.parametrize("luna", ["5", "7"])
def test_jitter_keeps_the_columns_under_their_rule(make_place: MakePlace, luna: str, seed: str) -> None:
    lines = make_place(luna, 0, seed).run("vtl", "listSlots").stdout.splitlines()
    at = next(index for index, line in enumerate(lines) if line.startswith("===="))
    begins = [0, *(index + 1 for index, mark in enumerate(lines[at]) if mark == " ")]
    cells = [lines[at + 1][begin:end].strip() for begin, end in zip(begins, [*begins[1:], None], strict=True)]
    assert cells[2] == "par43"
    assert cells[4] == "Present"
