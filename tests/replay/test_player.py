from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

import player
from keyferry.errors import KeyferryError
from keyferry.pkcs11 import Slot, SourceHandle
from keyferry.recording.recorder import Recorder
from keyferry.secrets import Secret
from keyferry.terminal.host import LocalHost
from keyferry.terminal.sessions import Sessions
from keyferry.tools.cmu.driver import Cmu
from keyferry.tools.limits import Limits
from keyferry.tools.logins import Logins
from keyferry.tools.vtl.driver import list_slots

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PIN = Secret("pin", b"tell-nobody")
LIMITS = Limits(start=20, answer=20, login=20)
ASKS = b"Please enter password for token in slot 1 : "
TABLE = (
    b"Number of slots: 1\r\n\r\nThe following slots were found: \r\n\r\n"
    b"Slot # Description Label Serial # Status\r\n========= ==== ==== ==== ====\r\n"
    b"slot #1 LunaNet Slot payments 271828001 Present\r\n"
)


def _record(folder: Path, number: int, tool: str, arguments: list[str], answer: bytes, *, asks: bool = True) -> None:
    recorder = Recorder(folder / f"{number:03}-{tool}.cast", {"argv": [tool, *arguments]}, [PIN])
    if asks:
        recorder.output(ASKS)
        recorder.secret("pin")
        recorder.output(b"\r\n")
    recorder.output(answer)
    recorder.exit(0)
    recorder.close()


@pytest.fixture
def sessions_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "recorded"
    folder.mkdir()
    _record(folder, 1, "vtl", ["listSlots"], TABLE, asks=False)
    _record(folder, 2, "cmu", ["list", "-slot=1"], b"handle=7\tlabel=payments key\r\n")
    attributes = b"class=secretKey\r\nkeytype=AES\r\nlabel=payments key\r\nextractable=true\r\n"
    _record(folder, 10, "cmu", ["getAttribute", "-slot=1", "-handle=7"], attributes)
    return folder


@pytest.fixture
def host(sessions_folder: Path, tmp_path: Path) -> Iterator[LocalHost]:
    with LocalHost("source", player.install(sessions_folder, tmp_path, {"pin": "tell-nobody"})) as host:
        yield host


@pytest.mark.parametrize("read_size", [1, 7, 65536])
def test_each_start_of_a_tool_plays_its_next_recording(host: LocalHost, tmp_path: Path, read_size: int) -> None:
    sessions = Sessions(tmp_path, "run", [PIN], read_size)
    assert [row.label for row in list_slots(sessions, host, LIMITS)] == ["payments"]
    cmu = Cmu(sessions, host, LIMITS, Slot(1), PIN, Logins(), ha=False)
    assert [one.label for one in cmu.list()] == ["payments key"]
    assert player.not_played(tmp_path) == ["010-cmu.cast"]
    assert cmu.get_attributes(SourceHandle(7))["extractable"] == "true"
    assert player.not_played(tmp_path) == []
    with pytest.raises(KeyferryError) as failed:
        cmu.list()
    assert "REPLAY: no recording of cmu is left" in f"{failed.value.what}{failed.value.seen}"


def test_other_arguments_are_not_those_of_the_recording(host: LocalHost, tmp_path: Path) -> None:
    cmu = Cmu(Sessions(tmp_path, "run", [PIN]), host, LIMITS, Slot(2), PIN, Logins())
    with pytest.raises(KeyferryError) as failed:
        cmu.list()
    assert "REPLAY: line 1 of 002-cmu.cast" in f"{failed.value.what}{failed.value.seen}"


def test_a_file_that_the_tool_made_is_made_again(sessions_folder: Path, host: LocalHost, tmp_path: Path) -> None:
    data = base64.b64encode(b"made").decode()
    effects = sessions_folder / "001-vtl.files.json"
    effects.write_text(f'[{{"after_input": 0, "name": "file", "base64": "{data}"}}]')
    list_slots(Sessions(tmp_path, "run", []), host, LIMITS)
    assert host.read("file") == b"made"
