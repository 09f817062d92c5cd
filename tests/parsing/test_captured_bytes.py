"""Captured files as editors and shells of other systems save them: byte order marks, wrapped lines, statuses."""

from __future__ import annotations

import codecs
import json
from typing import TYPE_CHECKING

import pytest

from keyferry.errors import ToolRefusedError, UnknownScreenError
from keyferry.recording.captured_bytes import decoded
from keyferry.tools.cmu import screens as cmu
from keyferry.tools.vtl import screens as vtl
from runs import keyferry

if TYPE_CHECKING:
    from pathlib import Path

RULE = "==== ==================== ================================ ================ ============"
HEAD = (
    "The following slots were found:\n\n"
    f"Slot Description          Label                            Serial #         Status\n{RULE}\n"
)
ROW = "   3 Net Token Slot       till é 7                         15821630         Present     \n"
TABLE = f"Number of slots: 1\n\n{HEAD}{ROW}"
CLASS = "class=secretKey\nkeytype=AES\n"


def table(*rows: str) -> str:
    return f"Number of slots: {len(rows)}\n\n{HEAD}" + "\n".join(rows)


@pytest.mark.parametrize(
    "data",
    [
        TABLE.encode(),
        codecs.BOM_UTF8 + TABLE.encode(),
        codecs.BOM_UTF16_LE + TABLE.replace("\n", "\r\n").encode("utf-16-le"),
        codecs.BOM_UTF16_BE + TABLE.encode("utf-16-be"),
    ],
)
def test_a_byte_order_mark_says_how_to_read_a_file(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "screen"
    path.write_bytes(data)
    [slot] = keyferry("parse", "vtl", "listSlots", path).document["slots"]
    assert (slot["label"], slot["serial"], slot["present"]) == ("till é 7", "15821630", True)


@pytest.mark.parametrize(
    "data",
    [
        TABLE.encode("utf-16-le"),
        TABLE.encode("utf-16-be"),
        codecs.BOM_UTF16_LE + TABLE.encode("utf-16-le")[:-1],
        codecs.BOM_UTF16_BE + b"\xd8\x00",
    ],
)
def test_bytes_that_are_no_text_are_refused(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(UnknownScreenError, match="not the text of a tool"):
        decoded(data)
    path = tmp_path / "screen"
    path.write_bytes(data)
    refused = keyferry("parse", "vtl", "listSlots", path)
    assert (refused.status, "not the text of a tool" in refused.err) == (10, True), refused.err


def test_bytes_that_no_encoding_knows_are_kept() -> None:
    assert decoded(b"label=\xff\0\n").encode("utf-8", "surrogateescape") == b"label=\xff\0\n"


@pytest.mark.parametrize("status", ["Not present", "Not Present", "NOT PRESENT", "not present"])
def test_a_status_is_compared_without_regard_to_case(status: str) -> None:
    for row in (
        f"   0 Net Token Slot       till                             4711             {status}",
        f"0 Net Token Slot till 4711 {status}",
    ):
        [slot] = vtl.slots(table(row))
        assert (slot.present, slot.label, slot.serial) == (False, "till", "4711")
    assert vtl.slots(table("   0 Net Token Slot       till  4711 PRESENT"))[0].present


@pytest.mark.parametrize(
    "row",
    [
        "0 Net Token Slot till abc Present",
        "0 Net Token Slot till 4711 Absent",
        "0 Net Token Slot till 47x1 Not Present",
    ],
)
def test_another_status_or_serial_is_not_understood(row: str) -> None:
    with pytest.raises(UnknownScreenError):
        vtl.slots(table(row))


ERROR = "Error: Unable to find any Luna SA slots/partitions among registered servers."


@pytest.mark.parametrize("advice", ["", "Possible reasons:\n  - NTLS is down\n", "  check the log\n\n  call us\n"])
@pytest.mark.parametrize("read", [vtl.slots, vtl.verified])
def test_an_error_is_shown_with_the_advice_behind_it(read: object, advice: str) -> None:
    assert callable(read)
    with pytest.raises(ToolRefusedError, match="Unable to find any") as refused:
        read(f"vtl (64-bit) v10.7.2-16. Copyright\n\n{ERROR}\n{advice}")
    lines = [line.strip() for line in f"{ERROR}\n{advice}".splitlines() if line.strip()]
    assert [line.strip() for line in (refused.value.seen or "").splitlines()] == lines
    document = json.loads(json.dumps(refused.value.seen))
    assert document.startswith(ERROR)


def test_a_table_behind_an_error_is_not_advice() -> None:
    with pytest.raises(UnknownScreenError):
        vtl.slots(f"{ERROR}\n{TABLE}")


def wrapped(name: str, value: str, width: int) -> str:
    line = f"{name}={value}"
    return "".join(f"{line[place : place + width]}\n" for place in range(0, len(line), width))


@pytest.mark.parametrize("width", [80, 97, 120])
def test_any_hex_value_that_a_terminal_wrapped_is_joined(width: int) -> None:
    value = "3081cd" + "30" * 200
    for name in ("id", "keycheckvalue"):
        found = cmu.attributes(CLASS + wrapped(name, value, width) + "sensitive=true\n")
        assert (found[name], found["sensitive"]) == (value, "true")


@pytest.mark.parametrize("line", ["id=3081cd", f"label={'3' * 90}x", f"id={'30' * 30}"])
def test_hex_behind_a_line_that_was_not_full_is_not_understood(line: str) -> None:
    with pytest.raises(UnknownScreenError):
        cmu.attributes(f"{CLASS}{line}\n3030\n")
