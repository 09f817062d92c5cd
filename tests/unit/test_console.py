"""The facts of reliability.md about pexpect that a conversation must hold, by their numbers."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from keyferry.errors import KeyferryError, RecordFailedError, UnknownScreenError, UnreachableError, UsageError
from keyferry.recording.reader import read
from keyferry.recording.recorder import Recorder
from keyferry.terminal.console import Console
from keyferry.terminal.prompts import InputLimits, Prompt
from programs import COMMAND, END, LIMIT, open_console, program, shown

if TYPE_CHECKING:
    from pathlib import Path

SIZES = pytest.mark.parametrize("read_size", [1, 7, 65536])
ECHOES = "out('Command: ')\nwhile True:\n    out(b'said ' + line() + b'\\nCommand: ')\n"


@SIZES
def test_1_a_line_is_answered_after_its_echo(tmp_path: Path, read_size: int) -> None:
    with open_console(tmp_path, ECHOES, read_size=read_size) as console:
        assert console.hear(COMMAND, limit=LIMIT).text == ""
        for word in ("one", "two", "one"):
            console.say(word)
            heard = console.hear(COMMAND, limit=LIMIT)
            assert shown(heard) == f"said {word}"
            assert heard.question == "Command:"
        assert console.asked == 3


def test_2_a_session_that_timed_out_is_never_used_again(tmp_path: Path) -> None:
    script = "out('Command: ')\nline()\nline()\nout('late\\nCommand: ')\nline()\n"
    with open_console(tmp_path, script) as console:
        console.hear(COMMAND, limit=LIMIT)
        console.say("slow")
        with pytest.raises(UnreachableError, match=r"did not give Command within 0\.05 s"):
            console.hear(COMMAND, limit=0.05)
        with pytest.raises(UnreachableError, match="is over"):
            console.say("next")
        with pytest.raises(UnreachableError, match="is over"):
            console.hear(COMMAND, limit=LIMIT)
    assert [event.data for event in read(tmp_path / "tool.cast").events if event.code == "i"] == ["slow\r"]


def test_3_nothing_is_typed_when_the_record_cannot_be_written(tmp_path: Path) -> None:
    script = "out('Command: ')\nline()\nopen('typed', 'w')\nout('Command: ')\nline()\n"
    with open_console(tmp_path, script) as console:
        console.hear(COMMAND, limit=LIMIT)
        kept = os.dup(console.recorder._fd)
        _put_on_a_full_disk(console.recorder._fd)
        with pytest.raises(RecordFailedError, match="No space left"):
            console.say("anything")
        os.dup2(kept, console.recorder._fd)
        os.close(kept)
        with pytest.raises(RecordFailedError):  # space again does not mend a torn record
            console.say("anything")
        with pytest.raises(RecordFailedError):
            console.close()
    assert not (tmp_path / "typed").exists()


def _put_on_a_full_disk(descriptor: int) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, descriptor)
    os.close(full)


@SIZES
def test_4_a_line_as_long_as_the_tool_takes_arrives_whole(tmp_path: Path, read_size: int) -> None:
    script = "out('Command: ')\nout(f'{len(line())} bytes\\nCommand: ')\nline()\n"
    with open_console(tmp_path, script, read_size=read_size) as console:
        console.hear(COMMAND, limit=LIMIT)
        console.say("x" * 4094)
        assert shown(console.hear(COMMAND, limit=LIMIT)) == "4094 bytes"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("x" * 4095, "is cut after 4094"),
        ("ü" * 2048, "is cut after 4094"),
        ("a\nb", "control characters"),
        ("a\x03", "control characters"),
        ("a\x7f", "control characters"),
        ("# note", "read as a comment"),
        ("  # note", "read as a comment"),
    ],
)
def test_4_what_the_tool_cannot_take_is_refused_before_it_is_typed(tmp_path: Path, line: str, why: str) -> None:
    with open_console(tmp_path, ECHOES, manners=InputLimits(comment="#")) as console:
        console.hear(COMMAND, limit=LIMIT)
        with pytest.raises(UsageError, match=why):
            console.say(line)
        console.say("still here")
        assert shown(console.hear(COMMAND, limit=LIMIT)) == "said still here"
    assert [event.data for event in read(tmp_path / "tool.cast").events if event.code == "i"] == ["still here\r"]


@SIZES
@pytest.mark.parametrize(
    "answer",
    [
        "label: Command: \nCommand: x\nstill more\n",
        "Command: \nCommand: \n",
        "label: not at the start Command: ",
    ],
)
def test_5_a_label_that_holds_the_prompt_ends_no_answer(tmp_path: Path, answer: str, read_size: int) -> None:
    last = "" if answer.endswith("\n") else "\n"
    script = f"out('Command: ')\nline()\nout({answer + last + 'Command: '!r})\nline()\n"
    with open_console(tmp_path, script, read_size=read_size) as console:
        console.hear(COMMAND, limit=LIMIT)
        console.say("show")
        assert shown(console.hear(COMMAND, limit=LIMIT)) == answer.removesuffix("\n")


def test_5_a_label_that_ends_what_has_come_so_far_with_the_prompt_ends_no_answer(tmp_path: Path) -> None:
    with open_console(tmp_path, "out('label: Command: ')\nline()\n") as console, pytest.raises(KeyferryError):
        console.hear(COMMAND, limit=0.3)


def test_5_an_echo_inside_other_output_is_no_echo(tmp_path: Path) -> None:
    script = "echo(False)\nout('Command: ')\nline()\nout('by the way\\ngo\\nCommand: ')\nline()\n"
    with open_console(tmp_path, script) as console:
        console.hear(COMMAND, limit=LIMIT)
        with pytest.raises(UnknownScreenError, match="before it was asked") as unknown:
            console.say("go")
        assert "by the way" in (unknown.value.seen or "")


def test_5_output_before_an_echo_is_allowed_where_the_driver_says_so(tmp_path: Path) -> None:
    script = "echo(False)\nout('[1]RSA_OAEP\\n')\nline()\nout('the rest\\n1\\nCommand: ')\nline()\n"
    with open_console(tmp_path, script) as console:
        console.hear(Prompt("table", rb"RSA_OAEP", settle=0.02), limit=LIMIT)
        console.say("1", among_output=True)
        assert console.hear(COMMAND, limit=LIMIT).text == ""


@SIZES
def test_6_a_stray_byte_passes_and_is_recorded_exactly(tmp_path: Path, read_size: int) -> None:
    script = r"out(b'a\xff\x00b \xc3\xa9\nCommand: ')" + "\nline()\n"
    with open_console(tmp_path, script, read_size=read_size) as console:
        heard = console.hear(COMMAND, limit=LIMIT)
    assert shown(heard) == "a\udcff\0b é"
    played = b"".join(data for code, data in read(tmp_path / "tool.cast").conversation() if code == "o")
    assert played == b"a\xff\x00b \xc3\xa9\r\nCommand: "


def test_7_a_program_does_not_outlive_its_console(tmp_path: Path) -> None:
    script = "import signal\nsignal.signal(signal.SIGHUP, signal.SIG_IGN)\nout(f'{os.getpid()}\\nCommand: ')\nline()\n"
    with open_console(tmp_path, script) as console:
        process = int(console.hear(COMMAND, limit=LIMIT).text)
        os.kill(process, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_8_a_fatal_prompt_takes_no_answer_and_ends_the_session(tmp_path: Path) -> None:
    again = Prompt("again", rb"PIN again: *", fatal=True)
    with open_console(tmp_path, "out('handle 7\\nPIN again: ')\nline()\n") as console:
        with pytest.raises(UnknownScreenError, match="PIN again") as unknown:
            console.hear(COMMAND, again, limit=LIMIT)
        assert "handle 7" in (unknown.value.seen or "")
        with pytest.raises(UnreachableError, match="is over"):
            console.say("1234")


def test_8_an_early_end_is_an_error_that_shows_the_last_words(tmp_path: Path) -> None:
    with (
        open_console(tmp_path, "out('cannot load library\\n')\n") as console,
        pytest.raises(UnreachableError, match="exited unexpectedly") as early,
    ):
        console.hear(COMMAND, limit=LIMIT)
    assert early.value.seen == "cannot load library"
    assert early.value.record == f"{tmp_path}/tool.cast:2"


def test_8_an_end_before_the_echo_is_the_same_error(tmp_path: Path) -> None:
    with open_console(tmp_path, "echo(False)\nout('Command: ')\nline()\nout('killed')\n") as console:
        console.hear(COMMAND, limit=LIMIT)
        with pytest.raises(UnreachableError, match="exited unexpectedly") as early:
            console.say("go")
        assert early.value.seen == "killed"
        with pytest.raises(UnreachableError, match="is over"):
            console.say("go")


@SIZES
def test_8_an_end_that_was_awaited_gives_everything_and_the_status(tmp_path: Path, read_size: int) -> None:
    with open_console(tmp_path, "out('no newline at the end')\nsys.exit(3)\n", read_size=read_size) as console:
        assert console.hear(COMMAND, END, limit=LIMIT).text == "no newline at the end"
        assert console.close() == 3
    assert [event.data for event in read(tmp_path / "tool.cast").events if event.code == "x"] == ["3"]


def test_8_a_signal_is_no_status(tmp_path: Path) -> None:
    with open_console(tmp_path, "out('x\\n')\nos.kill(os.getpid(), 9)\n") as console:
        console.hear(END, limit=LIMIT)
        assert console.close() is None


def test_9_an_answer_of_five_megabytes_is_heard(tmp_path: Path) -> None:
    script = "out('0123456789abcdef\\n' * 300_000 + 'Command: ')\nline()\n"
    with open_console(tmp_path, script) as console:
        assert len(shown(console.hear(COMMAND, limit=LIMIT))) == 17 * 300_000 - 1


def test_9_a_flood_is_not_understood(tmp_path: Path) -> None:
    with (
        open_console(tmp_path, "while True:\n    out('flood ' * 10_000)\n") as console,
        pytest.raises(UnknownScreenError, match="more than 8388608 bytes"),
    ):
        console.hear(COMMAND, limit=LIMIT)


def test_a_table_that_ends_without_a_prompt_is_whole_after_silence(tmp_path: Path) -> None:
    table = Prompt("table", rb"\[2\] *OAEP", settle=0.05)
    with open_console(tmp_path, "out('[1] X\\n[2] OAEP\\n')\nout('[3] Y\\n')\nline()\n") as console:
        assert shown(console.hear(table, COMMAND, limit=LIMIT)) == "[1] X\n[2] OAEP\n[3] Y"


def test_a_program_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="could not be started"):
        Console(replace(program(tmp_path, ""), argv=("/nowhere/tool",)), Recorder(tmp_path / "x", {}), InputLimits())


def test_the_child_is_private_and_its_terminal_wide(tmp_path: Path) -> None:
    script = (
        "import resource\n"
        "out(f'{os.umask(0):o} {resource.getrlimit(resource.RLIMIT_CORE)} {os.getcwd()} '"
        "f'{os.get_terminal_size(0).columns} {sorted(os.environ)}')\n"
    )
    with open_console(tmp_path, script) as console:
        text = console.hear(END, limit=LIMIT).text
    assert text == f"77 (0, 0) {tmp_path} 1000 ['LC_ALL']"
