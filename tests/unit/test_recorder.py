from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyferry.errors import RecordFailedError, UsageError
from keyferry.recording.reader import read
from keyferry.recording.recorder import Recorder
from keyferry.recording.show import heading, pieces
from keyferry.secrets import Secret

if TYPE_CHECKING:
    from pathlib import Path

PIN = Secret("pin", b"tell-nobody")


def _events(path: Path) -> list[list[Any]]:
    """Code and text of each event but the chain records."""
    lines = path.read_text(encoding="utf-8").splitlines()[1:]
    return [event[1:] for event in map(json.loads, lines) if event[1] != "h"]


def _recorder(directory: Path) -> Recorder:
    return Recorder(directory / "x.cast", {"tool": "vtl"}, [PIN], clock=iter(range(1000)).__next__)


def test_each_event_is_in_the_file_before_the_caller_goes_on(tmp_path: Path) -> None:
    recorder = _recorder(tmp_path)
    recorder.step("4.1", "Import")
    recorder.output(b"Command: ")
    assert _events(tmp_path / "x.cast") == [["o", "Command: "]]
    recorder.typed(b"go")
    recorder.secret("pin")
    recorder.cut("VALUE-NEVER-SHOWN", 8)
    recorder.cut("SECRET-STARS", None)
    recorder.exit(0)
    assert _events(tmp_path / "x.cast")[1:] == [
        ["m", "4.1 Import"],
        ["i", "go\r"],
        ["s", "pin"],
        ["v", "VALUE-NEVER-SHOWN 8"],
        ["v", "SECRET-STARS -"],
        ["x", "0"],
    ]
    recorder.close()


def test_the_header_is_asciicast_2_and_the_file_private_then_read_only(tmp_path: Path) -> None:
    recorder = _recorder(tmp_path)
    path = tmp_path / "x.cast"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    recorder.exit(None)
    recorder.close()
    recorder.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o400
    header = read(path).header
    assert (header["version"], header["width"], header["tool"]) == (2, 1000, "vtl")
    first = read(path).events[0]
    assert (first.line, first.at, first.data) == (2, 1.0, "signal")


def test_a_record_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "x.cast").write_text("older")
    with pytest.raises(RecordFailedError):
        _recorder(tmp_path)
    assert (tmp_path / "x.cast").read_text() == "older"


@given(st.binary(max_size=80), st.integers(1, 9))
def test_a_replay_gets_the_exact_bytes(tmp_path_factory: pytest.TempPathFactory, data: bytes, size: int) -> None:
    path = tmp_path_factory.mktemp("record") / "x.cast"
    recorder = Recorder(path, {})
    for start in range(0, len(data), size):
        recorder.output(data[start : start + size])
    recorder.close()
    assert b"".join(part for code, part in read(path).conversation() if code == "o") == data


def test_a_character_that_comes_in_two_pieces_is_one_event(tmp_path: Path) -> None:
    recorder = _recorder(tmp_path)
    recorder.output(b"gr\xc3")
    recorder.output(b"\xb6\xc3\x9fe")
    recorder.close()
    assert _events(tmp_path / "x.cast") == [["o", "gr"], ["o", "öße"]]


def test_a_secret_is_redacted_in_output_over_chunks_and_in_what_is_typed(tmp_path: Path) -> None:
    recorder = _recorder(tmp_path)
    recorder.output(b"is it tell-")
    recorder.output(b"nobody?")
    recorder.typed(b"login -p tell-nobody")
    recorder.close()
    assert b"tell-nobody" not in (tmp_path / "x.cast").read_bytes()
    assert ["i", "login -p [pin]\r"] in _events(tmp_path / "x.cast")
    assert recorder.redact("tell-nobody") == "[pin]"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        ("[]", 1),
        ('{"version": 3}', 1),
        ('{"version": 2}\n[0, "o"]', 2),
        ('{"version": 2}\n[0, "o", "x"]\n{}', 3),
        ('{"version": 2}\n[0, "o", "x"]\n[1, "o', 3),
    ],
)
def test_what_is_no_recording_is_refused_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    (tmp_path / "x.cast").write_text(text)
    with pytest.raises(UsageError, match=f"line {line}"):
        read(tmp_path / "x.cast")


def test_a_recording_is_shown_with_its_steps_and_nothing_that_moves_a_cursor(tmp_path: Path) -> None:
    recorder = _recorder(tmp_path)
    recorder.step("5.2", "Wrap")
    recorder.output(b"Command: ")
    recorder.typed(b"go")
    recorder.output(b"go\r\n\x1b[2Jdone\r\nPIN: ")
    recorder.secret("pin")
    recorder.exit(3)
    recorder.close()
    recording = read(tmp_path / "x.cast")
    assert list(heading(recording)) == ["# tool: vtl\n"]
    assert "".join(text for _at, text in pieces(recording)).splitlines() == [
        "Command: ",
        "",
        "== 5.2 Wrap",
        "go",
        "\\x1b[2Jdone",
        "PIN: [typed: pin][exit status 3]",
    ]
