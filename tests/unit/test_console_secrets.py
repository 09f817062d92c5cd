"""What never reaches a record or an answer: typed secrets in every kind of echo, and key values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from keyferry.errors import UnknownScreenError, UsageError
from keyferry.recording.reader import read
from keyferry.secrets import Secret
from keyferry.terminal import console as console_module
from keyferry.terminal.prompts import InputLimits, Prompt
from programs import COMMAND, LIMIT, open_console, shown

if TYPE_CHECKING:
    from pathlib import Path

    from keyferry.recording.reader import Recording

PIN = Secret("pin", b"s3cr*t!x")
ASKED = Prompt("PIN", rb"PIN: *")
SIZES = pytest.mark.parametrize("read_size", [1, 7, 65536])

HIDDEN = "out('PIN: ')\necho(False)\nline()\necho(True)\nout('\\n')\n"
STARRED = "out('PIN: ')\necho(False)\nout('*' * len(line()) + '\\n')\necho(True)\n"
VISIBLE = "out('PIN: ')\nline()\n"
VISIBLE_THEN_STARRED = "out('PIN: ')\nout('*' * len(line()) + '\\n')\n"
AFTER = "out('welcome\\nCommand: ')\nline()\n"


def _notes(recording: Recording) -> list[tuple[str, str]]:
    return [(event.code, event.data) for event in recording.events if event.code in "sv"]


@SIZES
@pytest.mark.parametrize(
    ("script", "hides", "cut"),
    [
        (HIDDEN, True, []),
        (HIDDEN, False, []),
        (STARRED, True, [("v", "SECRET-STARS -")]),
        (VISIBLE, False, [("v", "SECRET-SHOWN -")]),
        (VISIBLE_THEN_STARRED, False, [("v", "SECRET-SHOWN -")]),
    ],
)
def test_a_secret_and_its_length_reach_neither_answer_nor_record(
    tmp_path: Path, script: str, *, hides: bool, cut: list[tuple[str, str]], read_size: int
) -> None:
    with open_console(tmp_path, script + AFTER, secrets=[PIN], read_size=read_size) as console:
        console.hear(ASKED, limit=LIMIT)
        console.say_secret(PIN, hides=hides)
        assert shown(console.hear(COMMAND, limit=LIMIT)).strip() == "welcome"
    recording = read(tmp_path / "tool.cast")
    assert _notes(recording) == [("s", "pin"), *cut]
    whole = (tmp_path / "tool.cast").read_bytes()
    assert PIN.reveal() not in whole
    assert b"**" not in whole


def test_a_hidden_secret_waits_until_the_echo_is_off(tmp_path: Path) -> None:
    script = (
        "out('PIN: ')\n"
        "early = select.select([0], [], [], 0.2)[0]\n"
        "echo(False)\nline()\nout('\\n' + ('early' if early else 'in time') + '\\nCommand: ')\nline()\n"
    )
    with open_console(tmp_path, script, secrets=[PIN]) as console:
        console.hear(ASKED, limit=LIMIT)
        console.say_secret(PIN, hides=True)
        assert shown(console.hear(COMMAND, limit=LIMIT)).strip() == "in time"


def test_a_secret_is_not_typed_where_the_echo_stays_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console_module, "ECHO_LIMIT", 0.05)
    script = "out('PIN: ')\nline()\nopen('typed', 'w')\n"
    with open_console(tmp_path, script, secrets=[PIN]) as console:
        console.hear(ASKED, limit=LIMIT)
        with pytest.raises(UnknownScreenError, match="echo stayed on"):
            console.say_secret(PIN, hides=True)
    assert not (tmp_path / "typed").exists()
    assert _notes(read(tmp_path / "tool.cast")) == []


def test_a_secret_longer_than_the_tool_takes_is_refused_without_being_shown(tmp_path: Path) -> None:
    with open_console(tmp_path, VISIBLE, secrets=[PIN], manners=InputLimits(longest_secret=7)) as console:
        console.hear(ASKED, limit=LIMIT)
        with pytest.raises(UsageError, match="longer than 7") as refused:
            console.say_secret(PIN, hides=False)
    assert "s3cr" not in str(vars(refused.value))


@SIZES
def test_a_tool_that_tells_the_secret_later_is_redacted_in_the_record_and_in_errors(
    tmp_path: Path, read_size: int
) -> None:
    script = HIDDEN + "out('bad pin s3cr*t!x, ' + b's3cr*t!x'.hex() + '\\n')\n"
    with open_console(tmp_path, script, secrets=[PIN], read_size=read_size) as console:
        console.hear(ASKED, limit=LIMIT)
        console.say_secret(PIN, hides=True)
        with pytest.raises(Exception, match="exited unexpectedly") as early:
            console.hear(COMMAND, limit=LIMIT)
    assert "bad pin [pin], [pin]" in str(early.value.seen)  # type: ignore[attr-defined] # a KeyferryError
    whole = (tmp_path / "tool.cast").read_text()
    assert "s3cr*t!x" not in whole
    assert PIN.reveal().hex() not in whole


@SIZES
def test_a_key_value_is_cut_before_it_is_recorded_or_parsed(tmp_path: Path, read_size: int) -> None:
    script = "out('CKA_VALUE_LEN=10\\n CKA_VALUE=00112233\\n\\tvalue=aabbcc\\tlabel=x\\nCommand: ')\nline()\n"
    with open_console(tmp_path, script, read_size=read_size) as console:
        heard = console.hear(COMMAND, limit=LIMIT)
    assert shown(heard) == "CKA_VALUE_LEN=10\n CKA_VALUE=\n\tvalue=\tlabel=x"
    assert _notes(read(tmp_path / "tool.cast")) == [("v", "VALUE-NEVER-SHOWN 8"), ("v", "VALUE-NEVER-SHOWN 6")]
    assert "001122" not in (tmp_path / "tool.cast").read_text()
