from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from keyferry.recording.files_read import FileRead, file_read
from keyferry.recording.reader import Event, Recording, read
from keyferry.recording.recorder import Recorder
from keyferry.recording.show import pieces

if TYPE_CHECKING:
    from pathlib import Path

DATA = b"OBJ_ATTR_CLASS\n0x04\n\xff"
DIGEST = hashlib.sha256(DATA).hexdigest()


def told(**change: object) -> str:
    value = {"name": "a", "size": len(DATA), "sha256": DIGEST, "data": base64.b64encode(DATA).decode()}
    return json.dumps(value | change, separators=(",", ":"))


def test_a_file_is_recorded_as_it_was_read(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "1.cast", {"tool": "key_mgmt_util"})
    recorder.output(b"before")
    recorder.file("a", len(DATA), DIGEST, DATA)
    recorder.file("ENCRYPT.BIN", 16, None, b"\1\2\3")
    recorder.file("wrapped.key", 256, "0" * 64)
    recorder.close()
    events = [event for event in read(tmp_path / "1.cast").events if event.code in "of"]
    assert [event.code for event in events] == ["o", "f", "f", "f"]
    assert [file_read(event.data) for event in events[1:]] == [
        FileRead("a", len(DATA), DIGEST, DATA),
        FileRead("ENCRYPT.BIN", 16, None, b"\1\2\3"),
        FileRead("wrapped.key", 256, "0" * 64, None),
    ]
    assert events[1].data == told()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[" * 9999,
        "null",
        told(size=len(DATA) - 1),
        told(size=True),
        told(size="5"),
        told(sha256="0" * 64),
        told(sha256=5),
        told(data=base64.b64encode(DATA + b"x").decode()),
        told(data="%%"),
        told(data=5),
        told(more=1),
        told()[:-1],
        json.dumps({"name": "a", "size": 1, "data": None}),
    ],
)
def test_what_is_no_file_is_refused(text: str) -> None:
    with pytest.raises((ValueError, RecursionError)):
        file_read(text)


def test_a_replay_names_the_file_and_not_its_content() -> None:
    events = (Event(2, 0.0, "f", told(name="a\x1b[2J")), Event(3, 0.0, "f", "{"))
    shown = "".join(text for _at, text in pieces(Recording({}, events)))
    assert f", {len(DATA)} bytes]" in shown
    assert "not recorded as a file is" in shown
    assert "\x1b" not in shown
    assert "OBJ_ATTR" not in shown
