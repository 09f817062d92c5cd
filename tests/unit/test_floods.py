"""Whatever a tool prints, the work grows in proportion to it and time limits hold."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from keyferry.errors import UnreachableError
from keyferry.recording import chain_reader, recorder
from keyferry.recording.recorder import Recorder
from keyferry.secrets import Secret
from keyferry.terminal.login_noise import LoginNoise
from keyferry.terminal.prompts import InputLimits, Prompt
from keyferry.terminal.screen_row import ScreenRow, UnknownSequenceError
from keyferry.terminal.secret_echo import EchoMask, LineEnd
from keyferry.terminal.value_filter import ValueFilter
from programs import COMMAND, LIMIT, open_console

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PIECE = 4096
"""Bytes that a terminal gives at once."""


def _row() -> Callable[[bytes], object]:
    row, shown = ScreenRow(), bytearray()
    return lambda data: row.feed(shown, data)


def _line_end(words: bytes) -> Callable[[bytes], object]:
    ends, text = LineEnd(words), bytearray()

    def feed(data: bytes) -> None:
        text.extend(data)
        ends.search(text)

    return feed


FLOODS: dict[str, tuple[Callable[[], Callable[[bytes], object]], bytes]] = {
    "tabs": (_row, b"\t"),
    "cursor back and forth": (_row, b"xy\b\a"),
    "erased to the end": (_row, b"xy\x1b[D\x1b[K"),
    "a secret's prompt": (_row, b": \x1b[6n"),
    "blanks behind a value's name": (lambda: ValueFilter(lambda _length: None).feed, b" "),
    "stars at a secret": (lambda: EchoMask(b"s3cret", lambda _shown: None).feed, b"*"),
    "login noise": (lambda: LoginNoise(b"marker", lambda _length: None).feed, b"mark"),
    "the echo among digits": (lambda: _line_end(b"1"), b"1"),
}


@pytest.mark.parametrize("name", FLOODS)
def test_work_grows_in_proportion_to_what_a_tool_prints(name: str) -> None:
    make, repeated = FLOODS[name]
    spent = []
    for pieces in (16, 128):
        feed = make()
        feed(b"value")
        start = time.process_time()
        for _ in range(pieces):
            feed(repeated * (PIECE // len(repeated)))
        spent.append(time.process_time() - start)
    assert spent[1] < 8 * 4 * spent[0] + 0.1


@pytest.mark.parametrize(
    "sent",
    [
        b"\x1b[99999C",
        b"\x1b[" + b"9" * 5000 + b"C",
        b"\x1b[6n\x1b[1;99999H",
        b"x" * 70_000 + b"\r\x1b[@",
        b"\x1b]0;" + b"x" * 5000,
        b"\n\x1b[9999Cx" * 2000,
    ],
)
def test_a_sequence_no_editor_would_send_is_an_error(sent: bytes) -> None:
    with pytest.raises(UnknownSequenceError) as unknown:
        ScreenRow().feed(bytearray(), sent)
    assert "b'" not in str(unknown.value)
    assert len(str(unknown.value)) < 100


ENDLESS = "import time\nwhile True:\n    out('x')\n"


@pytest.mark.parametrize("edits", [False, True])
def test_a_time_limit_holds_while_a_tool_prints(tmp_path: Path, edits: bool) -> None:
    start = time.monotonic()
    with (
        open_console(tmp_path, ENDLESS, manners=InputLimits(edits_lines=edits), read_size=1) as console,
        pytest.raises(UnreachableError, match=r"did not give Command within 0\.1 s"),
    ):
        console.hear(COMMAND, limit=0.1)
    assert time.monotonic() - start < LIMIT / 2


def test_a_screen_that_never_settles_is_not_an_answer(tmp_path: Path) -> None:
    with (
        open_console(tmp_path, ENDLESS, read_size=1) as console,
        pytest.raises(UnreachableError, match="was still printing when its time was up"),
    ):
        console.hear(Prompt("x", rb"x", settle=0.5), limit=0.1)


def test_a_tool_that_reads_nothing_does_not_keep_us_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keyferry.terminal.child.SEND_LIMIT", 0.1)
    script = "import tty\ntty.setraw(0)\nwhile True:\n    out('\\x1b[6n' * 1000)\n"
    with (
        open_console(tmp_path, script, manners=InputLimits(edits_lines=True)) as console,
        pytest.raises(UnreachableError, match="did not read what was typed"),
    ):
        console.hear(COMMAND, limit=LIMIT)


def test_a_long_answer_is_sealed_before_its_prompt(tmp_path: Path) -> None:
    record = Recorder(tmp_path / "long.cast", {}, [Secret("pin", b"1234")])
    for _ in range(2 * recorder.SEAL_AFTER):
        record.output(b"\xff")  # two events: its text and its bytes
    record.close()
    session = chain_reader.CheckedSession(tmp_path, "long.cast")
    chained = [event for event in session.events() if event.code == "h"]
    assert len(chained) > 3
    assert session.complete
    assert max(len(event.data) for event in chained) < 10 * recorder.SEAL_AFTER
