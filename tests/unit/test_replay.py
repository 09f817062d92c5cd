"""A recording stands in a tool's place: a driver that departs from it fails at that line."""

from __future__ import annotations

import base64
import itertools
import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

import replay
from keyferry.errors import UnreachableError
from keyferry.recording.reader import read
from keyferry.recording.recorder import Recorder
from keyferry.secrets import Secret
from keyferry.terminal.console import Console
from keyferry.terminal.prompts import InputLimits, Prompt
from programs import COMMAND, END, LIMIT, open_console, program, shown
from replay import FAILED

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PIN = Secret("pin", b"tell-nobody")
ASKED = Prompt("PIN", rb"PIN: *")
SIZES = pytest.mark.parametrize("read_size", [1, 7, 65536])
TOOL = (
    "out('PIN: ')\necho(False)\nout('*' * len(line()) + '\\n')\necho(True)\n"
    "out(b'odd \\xff\\nlabel: Command: \\nCommand: ')\n"
    "out(b'said ' + line() + b'\\n\\tCKA_VALUE=00ff\\nCommand: ')\n"
    "line()\nout('bye\\n')\nsys.exit(4)\n"
)


def _talk(console: Console, *, pin: Secret = PIN, words: tuple[str, ...] = ("hello", "quit")) -> tuple[str, ...]:
    """The same conversation with the program and with its recording."""
    with console:
        console.hear(ASKED, limit=LIMIT)
        console.say_secret(pin, hides=True)
        heard = [shown(console.hear(COMMAND, limit=LIMIT))]
        for word in words:
            console.say(word)
            heard.append(shown(console.hear(COMMAND, END, limit=LIMIT)))
        return (*heard, str(console.close()))


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    (tmp_path / "first").mkdir()
    heard = _talk(open_console(tmp_path / "first", TOOL, secrets=[PIN]))
    assert heard == ("\nodd \udcff\nlabel: Command: ", "said hello\n\tCKA_VALUE=", "bye", "4")
    return tmp_path / "first" / "tool.cast"


@pytest.fixture
def replayed(tmp_path: Path) -> Callable[..., Console]:
    """Opens a player of a recording; gives the console."""
    numbers = itertools.count()
    secrets = tmp_path / "secrets.json"
    secrets.write_text(json.dumps({"pin": PIN.reveal().decode()}))

    def open_player(path: Path, *arguments: str, read_size: int = 65536) -> Console:
        module = (sys.executable, replay.__file__, str(path), "--secrets", str(secrets))
        player = replace(program(tmp_path, ""), argv=(*module, *arguments))
        return Console(player, Recorder(tmp_path / f"{next(numbers)}.cast", {}, [PIN]), InputLimits(), read_size)

    return open_player


@SIZES
def test_a_replay_gives_the_same_answers(recording: Path, replayed: Callable[..., Console], read_size: int) -> None:
    heard = _talk(replayed(recording, read_size=read_size))
    assert heard == ("\nodd \udcff\nlabel: Command: ", "said hello\n\tCKA_VALUE=", "bye", "4")


def test_a_record_of_a_replay_is_the_same_conversation(
    recording: Path, replayed: Callable[..., Console], tmp_path: Path
) -> None:
    def whole(path: Path) -> list[tuple[str, bytes]]:
        grouped = itertools.groupby(read(path).conversation(), key=lambda part: part[0])
        return [(code, b"".join(data for _, data in parts)) for code, parts in grouped]

    _talk(replayed(recording))
    assert whole(tmp_path / "0.cast") == whole(recording)


def _line_of(path: Path, code: str, nth: int) -> int:
    return [event.line for event in read(path).events if event.code == code][nth]


def test_another_line_fails_there(recording: Path, replayed: Callable[..., Console]) -> None:
    console = replayed(recording)
    with pytest.raises(UnreachableError) as failed:
        _talk(console, words=("hullo",))
    line = _line_of(recording, "i", 0)
    assert f"REPLAY: line {line} of tool.cast: wanted 'hello', got 'hullo'" in (failed.value.seen or "")
    assert console.close() == FAILED


def test_another_secret_fails_there_and_the_right_one_is_not_shown(
    recording: Path, replayed: Callable[..., Console]
) -> None:
    with pytest.raises(UnreachableError) as failed:
        _talk(replayed(recording), pin=Secret("pin", b"guessed it"))
    line = _line_of(recording, "s", 0)
    assert f"REPLAY: line {line} of tool.cast: wanted the secret pin, got" in (failed.value.seen or "")


def test_the_secret_where_a_line_belongs_fails_there_unshown(recording: Path, replayed: Callable[..., Console]) -> None:
    with pytest.raises(UnreachableError) as failed:
        _talk(replayed(recording), words=(PIN.reveal().decode(),))
    assert "wanted 'hello', got '[pin]'" in (failed.value.seen or "")


def test_a_changed_recording_fails_at_the_changed_line(
    recording: Path, replayed: Callable[..., Console], tmp_path: Path
) -> None:
    twin = tmp_path / "twin.cast"
    twin.write_text(recording.read_text().replace('"hello\\r"', '"hallo\\r"'))
    with pytest.raises(UnreachableError) as failed:
        _talk(replayed(twin))
    assert f"REPLAY: line {_line_of(twin, 'i', 0)} of twin.cast: wanted 'hallo', got 'hello'" in str(failed.value.seen)


def test_a_tool_that_was_ended_waits_and_takes_nothing_more(replayed: Callable[..., Console], tmp_path: Path) -> None:
    (tmp_path / "cut").mkdir()
    with open_console(tmp_path / "cut", "out('Command: ')\nline()\n") as console:
        console.hear(COMMAND, limit=LIMIT)
    path = tmp_path / "cut" / "tool.cast"
    assert [event.data for event in read(path).events if event.code == "x"] == ["signal"]
    with replayed(path) as console:
        console.hear(COMMAND, limit=LIMIT)
        assert console.close() is None
    with replayed(path) as console:
        console.hear(COMMAND, limit=LIMIT)
        with pytest.raises(UnreachableError) as failed:
            console.say("more")
    assert "wanted nothing more, got 'more'" in (failed.value.seen or "")


def test_the_arguments_are_demanded_where_they_are_given(replayed: Callable[..., Console], tmp_path: Path) -> None:
    path = tmp_path / "argv.cast"
    recorder = Recorder(path, {"argv": ["vtl", "listSlots", "-x"]})
    recorder.output(b"rows\r\n")
    recorder.exit(0)
    recorder.close()
    with replayed(path, "--", "listSlots", "-x") as console:
        assert shown(console.hear(END, limit=LIMIT)) == "rows"
        assert console.close() == 0
    with replayed(path, "--", "listSlots") as console:
        assert "wanted the arguments ['listSlots', '-x'], got ['listSlots']" in console.hear(END, limit=LIMIT).text
        assert console.close() == FAILED


def test_files_beside_a_recording_appear_with_the_output_they_came_with(
    recording: Path, replayed: Callable[..., Console], tmp_path: Path
) -> None:
    effects = [
        {"after_input": 0, "name": "start", "base64": ""},
        {"after_input": 2, "name": "wrapped.key", "base64": base64.b64encode(b"\0blob").decode()},
    ]
    recording.with_suffix(".files.json").write_text(json.dumps(effects))
    with replayed(recording) as console:
        console.hear(ASKED, limit=LIMIT)
        assert (tmp_path / "start").read_bytes() == b""
        console.say_secret(PIN, hides=True)
        console.hear(COMMAND, limit=LIMIT)
        assert not (tmp_path / "wrapped.key").exists()
        console.say("hello")
        console.hear(COMMAND, limit=LIMIT)
        assert (tmp_path / "wrapped.key").read_bytes() == b"\0blob"
