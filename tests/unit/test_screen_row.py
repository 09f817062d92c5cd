"""A tool's own line editor: what its escape sequences leave on the screen, and how the console types to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from keyferry.errors import UnknownScreenError, UsageError
from keyferry.recording.reader import read
from keyferry.secrets import Secret
from keyferry.terminal.prompts import InputLimits, Prompt
from keyferry.terminal.screen_row import ScreenRow, UnknownSequenceError, drawn
from programs import LIMIT, open_console

if TYPE_CHECKING:
    from pathlib import Path

    from keyferry.terminal.console import Console

PROMPT = Prompt("prompt", rb"aws > ?")
EDITS = InputLimits(longest_line=900, edits_lines=True)
SIZES = pytest.mark.parametrize("read_size", [1, 7, 65536])


@pytest.mark.parametrize(
    ("sent", "screen"),
    [
        (b"aws > \x1b[?2004hkey list\x1b[?2004l\r\n{}", b"aws > key list\n{}"),
        (b"\r\x1b[Kaws > k\r\x1b[Kaws > ke\r\x1b[6Cy", b"aws > ye"),
        (b"aws > key\b\b\x1b[Kit", b"aws > kit"),
        (b"aws > ab\x1b[1Dc\x1b[D\x1b[Dxy", b"aws > xy"),
        (b"abcd\x1b[2G\x1b[2P!", b"a!"),
        (b"abcd\x1b[2D\x1b[@-", b"ab-cd"),
        (b"abcd\x1b[3D\x1b[2X", b"a  d"),
        (b"ab\x1b[4Cx", b"ab    x"),
        (b"abc\x1b7de\x1b8xx\x1b[J", b"abcxx"),
        (b"wrong\x1b[2K\rright", b"right"),
        (b"\x1b]0;a title\x07\x1b[1;34maws\x1b[0m > \x1b(B\x1b[6n\a\0", b"aws > "),
        (b"\x1b[6n\x1b[23;1H\x1b[Kaws > \x1b[23;1H\x1b[Kaws > x\n\x1b[9;1Hy", b"aws > x\ny"),
        (b"\x1b]8;;x\x1b\\link\x1b[?25l\x1b[5 q\x1b[?25h", b"link"),
        ("é\ttab\r\n\udcff".encode("utf-8", "surrogateescape"), b"\xc3\xa9\ttab\n\xff"),
    ],
)
def test_the_screen_shows_what_a_terminal_would(sent: bytes, screen: bytes) -> None:
    assert drawn(sent) == screen
    shown, row = bytearray(), ScreenRow(captured=True)
    for byte in sent:
        row.feed(shown, bytes([byte]))
    assert shown == screen


@pytest.mark.parametrize("sent", [b"\x1b[2A", b"\x1b[3;1H\x1b[2;1H", b"\x1b[3;x1H", b"\x1b[1K", b"\x1bZ", b"\x1b[>1C"])
def test_a_sequence_that_is_not_known_is_an_error(sent: bytes) -> None:
    with pytest.raises(UnknownSequenceError):
        drawn(b"aws > " + sent)


EDITOR = """
import tty
tty.setraw(0, termios.TCSANOW)
mode = termios.tcgetattr(0); mode[1] |= termios.OPOST; termios.tcsetattr(0, termios.TCSANOW, mode)
def edited(style):
    typed = b""
    out(style(b"", True))
    while (key := os.read(0, 1)) not in b"\\r\\n":
        typed += key
        out(style(typed, False))
    out("\\x1b[K\\x1b[?2004l\\r\\n")
    return typed
def plain(typed, first):
    return b"\\x1b[?2004haws > " if first else typed[-1:]
def redrawn(typed, first):
    return b"\\r\\x1b[K\\x1b[1maws > \\x1b[0m" + typed + b"\\r\\x1b[%dC" % (6 + len(typed))
def hinted(typed, first):
    hint = b"key list --verbose"[len(typed):]
    if first:
        return b"aws > \\x1b[2m" + hint + b"\\x1b[0m\\x1b[%dD" % len(hint)
    return typed[-1:] + b"\\x1b[K" + (b"\\x1b[2m" + hint + b"\\x1b[0m\\x1b[%dD" % len(hint) if hint else b"")
"""


@SIZES
@pytest.mark.parametrize("style", ["plain", "redrawn", "hinted"])
def test_a_line_is_seen_before_return_is_pressed(style: str, read_size: int, tmp_path: Path) -> None:
    script = f"{EDITOR}\nfor n in range(2):\n    out(b'got ' + edited({style}) + b'\\n')\nout('aws > ')\nline()"
    with open_console(tmp_path, script, manners=EDITS, read_size=read_size) as console:
        assert console.hear(PROMPT, limit=LIMIT).text == ""
        for line in ("key list", "key list --max-items 2"):
            console.say(line)
            assert console.hear(PROMPT, limit=LIMIT).text == f"got {line}"
    typed = [event.data for event in read(tmp_path / "tool.cast").events if event.code == "i"]
    assert typed == ["key list", "\r", "key list --max-items 2", "\r"]


ASKING = """
def where(column):
    out("\\x1b[6n")
    answer = b""
    while not answer.endswith(b"R"):
        answer += os.read(0, 1)
    assert answer == b"\\x1b[1;%dR" % column, answer
def placed(typed, first):
    if first:
        where(1)
    return b"\\x1b[1;1H\\x1b[Jaws > " + typed + b"\\x1b[1;%dH" % (7 + len(typed))
"""


@SIZES
def test_an_editor_that_asks_where_the_cursor_is_gets_an_answer(read_size: int, tmp_path: Path) -> None:
    script = f"{EDITOR}{ASKING}\nfor n in range(2):\n    out(b'got ' + edited(placed) + b'\\n')\nout('aws > ')\nline()"
    with open_console(tmp_path, script, manners=EDITS, read_size=read_size) as console:
        console.hear(PROMPT, limit=LIMIT)
        for line in ("key list", "key list --verbose"):
            console.say(line)
            assert console.hear(PROMPT, limit=LIMIT).text == f"got {line}"
    events = read(tmp_path / "tool.cast").events
    assert [event.data for event in events if event.code == "i"] == ["key list", "\r", "key list --verbose", "\r"]
    assert [event.data for event in events if event.code == "v"] == ["CURSOR-ASKED 4", "CURSOR-ASKED 4"]
    assert "\x1b[6n" not in "".join(event.data for event in events if event.code == "o")


def test_asking_again_and_again_does_not_make_an_answer_longer(tmp_path: Path) -> None:
    script = "while True:\n    out('flood ' * 100_000 + '\\x1b[6n')\n"
    with (
        open_console(tmp_path, f"import tty\ntty.setraw(0)\n{script}", manners=EDITS) as console,
        pytest.raises(UnknownScreenError, match="more than 8388608 bytes"),
    ):
        console.hear(PROMPT, limit=LIMIT)


def test_behind_a_question_for_a_secret_nothing_is_answered() -> None:
    shown, row = bytearray(), ScreenRow()
    row.feed(shown, b"aws > login\r\nEnter password: \x1b[6n")
    assert row.replies == []
    row.feed(shown, b"\r\n\x1b[6n")
    assert row.replies == [b"\x1b[1;1R"]


@pytest.mark.parametrize("sent", [b"\x1b[1;1H", b"\x1b[6n\x1b[2;1H"])
def test_no_row_is_known_but_the_one_that_was_told(sent: bytes) -> None:
    with pytest.raises(UnknownSequenceError):
        ScreenRow().feed(bytearray(), sent)


@SIZES
def test_a_terminal_that_echoes_by_itself_will_do(read_size: int, tmp_path: Path) -> None:
    script = "out('aws > ')\ngot = line()\nout(b'got ' + got + b'\\naws > ')\nline()"
    with open_console(tmp_path, script, manners=EDITS, read_size=read_size) as console:
        console.hear(PROMPT, limit=LIMIT)
        console.say("key list")
        assert console.hear(PROMPT, limit=LIMIT).text == "got key list"


def test_return_is_not_pressed_on_another_line_than_was_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keyferry.terminal.console.ECHO_LIMIT", 0.5)
    script = EDITOR + "\nout(b'got ' + edited(lambda typed, first: b'aws > ' if first else b'?'))"
    with open_console(tmp_path, script, manners=EDITS) as console:
        console.hear(PROMPT, limit=LIMIT)
        with pytest.raises(UnknownScreenError, match="the echo of 'key list'") as unknown:
            console.say("key list")
    assert "????????" in (unknown.value.seen or "")
    assert [event.data for event in read(tmp_path / "tool.cast").events if event.code == "i"] == ["key list"]


def test_what_cannot_be_drawn_ends_the_conversation(tmp_path: Path) -> None:
    script = "out('aws > ')\nline()\nout('\\x1b[9A{}\\naws > ')\nline()"
    with open_console(tmp_path, script, manners=EDITS) as console:
        console.hear(PROMPT, limit=LIMIT)
        with pytest.raises(UnknownScreenError, match=r"ESC \[ 9A"):  # at the echo or after it
            _ask(console)


def _ask(console: Console) -> None:
    console.say("x")
    console.hear(PROMPT, limit=LIMIT)


@SIZES
def test_a_secret_asked_for_among_edited_lines_leaves_no_trace(read_size: int, tmp_path: Path) -> None:
    secret = Secret("password", b"tell-nobody")
    script = f"""{EDITOR}
out(b'' + edited(redrawn)[:0] + b'Enter password: ')
mode[3] = mode[3] | termios.ICANON; mode[0] |= termios.ICRNL; termios.tcsetattr(0, termios.TCSANOW, mode)
got = line()
out('\\r\\n' + ('right' if got == b'tell-nobody' else 'wrong') + '\\n' )
tty.setraw(0, termios.TCSANOW)
out('aws > ')
os.read(0, 1)
"""
    ask = Prompt("password", rb"Enter password: ?")
    with open_console(tmp_path, script, secrets=[secret], manners=EDITS, read_size=read_size) as console:
        console.hear(PROMPT, limit=LIMIT)
        console.say("login")
        console.hear(ask, limit=LIMIT)
        console.say_secret(secret, hides=True)
        assert console.hear(PROMPT, limit=LIMIT).text.strip() == "right"
    assert b"tell-nobody" not in (tmp_path / "tool.cast").read_bytes()


def test_a_line_longer_than_a_row_is_refused(tmp_path: Path) -> None:
    with open_console(tmp_path, "out('aws > ')\nline()", manners=EDITS) as console:
        console.hear(PROMPT, limit=LIMIT)
        with pytest.raises(UsageError):
            console.say("x" * 901)
