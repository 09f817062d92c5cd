from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from keyferry.errors import UsageError
from keyferry.recording.capture import load
from keyferry.tools.manual import text_of
from keyferry.tools.tool_sessions import sittings

if TYPE_CHECKING:
    from pathlib import Path

    from keyferry.tools.manual import ToolSession

STARTED = b'Script started on 2026-03-01 10:00:00+00:00 [COMMAND="bash" TERM="xterm" TTY="/dev/pts/0" COLUMNS="40"]\n'
OLD = b"Script started on Sun 01 Mar 2026 10:00:00 AM UTC\n"
DONE = b'\nScript done on 2026-03-01 10:05:00+00:00 [COMMAND_EXIT_CODE="0"]\n'


def typescript(path: Path, body: bytes, started: bytes = STARTED) -> list[ToolSession]:
    path.write_bytes(started + body.replace(b"\n", b"\r\n") + DONE)
    return list(sittings(load(path)))


def asciicast(path: Path, *pieces: str, **header: object) -> list[ToolSession]:
    lines: list[object] = [
        {"version": 2, "width": 80, "height": 24, **header},
        *([0.1, "o", piece] for piece in pieces),
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return list(sittings(load(path)))


@pytest.mark.parametrize("started", [STARTED, OLD])
def test_tools_between_other_commands(tmp_path: Path, started: bytes) -> None:
    body = b"$ ls\nkeys\n$ vtl listSlots\nslots\n$ ls\n$ /usr/bin/cmu list -slot=1\nfound\n$ exit\nexit\n"
    found = typescript(tmp_path / "t", body, started)
    assert [(one.tool, one.words, text_of(one.lines)) for one in found] == [
        ("vtl", ("listSlots",), "slots\n"),
        ("cmu", ("list", "-slot=1"), "found\n"),
    ]
    assert [one.place for one in found] == [f"{tmp_path}/t:4", f"{tmp_path}/t:7"]


def test_a_line_is_what_stood_there_in_the_end(tmp_path: Path) -> None:
    body = b"\x1b]0;title\x07\x1b[?2004h[a@b ~]$ vtl lisst\b \b\b \btSlots\x1b[K\n\x1b[?2004l\rslots\n[a@b ~]$ \n"
    [one] = typescript(tmp_path / "t", body)
    assert (one.words, text_of(one.lines)) == (("listSlots",), "slots\n")


def test_a_command_that_the_shell_wrapped(tmp_path: Path) -> None:
    # 40 columns: bash draws the blank of the next row, goes back to its start, and draws on.
    line = b"[a@b ~]$ cmu import -slot=1 -inputFile=a \r.pem -label=w -pubkey=rsa\n"
    assert len(line.partition(b" \r")[0]) == 40
    [one] = typescript(tmp_path / "t", line + b"\n[a@b ~]$ ")
    assert one.words == ("import", "-slot=1", "-inputFile=a.pem", "-label=w", "-pubkey=rsa")


def test_what_was_typed_ahead_is_no_answer(tmp_path: Path) -> None:
    body = b"$ vtl listSlots\nslots\nckdemo\n$ ckdemo\nmenu\nExiting GESC SIMULATION LAB\n$ "
    found = typescript(tmp_path / "t", body)
    assert [(one.tool, text_of(one.lines)) for one in found] == [
        ("vtl", "slots\n"),
        ("ckdemo", "menu\nExiting GESC SIMULATION LAB\n"),
    ]


@pytest.mark.parametrize(
    "label", ["x$ vtl listSlots", "[a@b ~]$ cmu list", "=$ cmu delete -handle=1", "> key_mgmt_util"]
)
def test_a_label_starts_no_tool_and_ends_none(tmp_path: Path, label: str) -> None:
    listed = f"$ cmu list\nhandle=7\tlabel={label}\nhandle=8\tlabel=b\n$ ckdemo\n"
    shown = f"Handle 7 -- label: {label}\nCKA_LABEL={label}\nExiting GESC SIMULATION LAB\n$ "
    found = typescript(tmp_path / "t", (listed + shown).encode())
    assert [one.tool for one in found] == ["cmu", "ckdemo"]
    assert [len(one.lines) for one in found] == [2, 3]


def test_a_stock_asciicast(tmp_path: Path) -> None:
    found = asciicast(tmp_path / "t", "$ vtl li", "stSlots\r\nslo", "ts\r\n$ ", "exit\r\n")
    assert [(one.words, text_of(one.lines), one.place) for one in found] == [
        (("listSlots",), "slots\n", f"{tmp_path}/t:2")
    ]
    assert found[0].lines[0].place == f"{tmp_path}/t:3"


def test_a_recording_of_ours_is_of_one_tool(tmp_path: Path) -> None:
    [one] = asciicast(tmp_path / "t", "slots\r\n$ vtl x", tool="vtl", argv=["vtl", "listSlots"])
    assert (one.tool, one.words, text_of(one.lines)) == ("vtl", ("listSlots",), "slots\n$ vtl x")


@pytest.mark.parametrize("data", [b"", b"hello\n", b'{"version": 3}\n', b"{"])
def test_what_is_no_recording_is_told(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "t").write_bytes(data)
    with pytest.raises(UsageError, match=str(tmp_path)):
        load(tmp_path / "t")


def test_what_cannot_be_drawn_is_told_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"t:3: an escape sequence"):
        typescript(tmp_path / "t", b"$ vim\n\x1b[5;5Hx\x1b[6;1Hy\n")


def test_a_label_of_our_own_recording_may_hold_what_would_redraw_a_screen(tmp_path: Path) -> None:
    label = "Handle 7 -- label: a\x1b[2Jb\r\n"
    [sitting] = asciicast(tmp_path / "ours", label, tool="ckdemo", argv=["ckdemo"])
    assert sitting.lines[0].text == label.rstrip()
    with pytest.raises(UsageError, match="an escape sequence"):
        asciicast(tmp_path / "ours", label, tool="cloudhsm-cli", argv=["cloudhsm-cli"])
