"""What a person sees of a recording: its steps, its turns, and nothing that moves a cursor."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyferry.errors import UsageError
from keyferry.recording.play import play
from keyferry.recording.reader import Event, Recording, read
from keyferry.recording.show import pieces
from keyferry.recording.turns import turns
from keyferry.steps import split

if TYPE_CHECKING:
    from collections.abc import Sequence

RECORDINGS = Path(__file__).parents[2] / "transcripts" / "luna-7_kmu-g2"
CKDEMO = RECORDINGS / "003-ckdemo.cast"


def _recording(*events: tuple[float, str, str], **header: object) -> Recording:
    numbered = enumerate(events, start=2)
    return Recording({"version": 2, **header}, tuple(Event(line, *event) for line, event in numbered))


WRAPPED = _recording(
    (0.0, "o", "Choice: "),
    (1.0, "m", "5.1 Describe the keys: which may leave"),
    (1.0, "i", "27\r"),
    (1.1, "o", "27\r\nHandle: "),
    (1.2, "m", "5.2 Wrap the key (RSA OAEP): pay: roll"),
    (1.2, "i", "60\r"),
    (31.0, "o", "60\r\nPIN: "),
    (31.1, "s", "partition PIN"),
    (31.2, "v", "SECRET-STARS -"),
    (31.3, "o", "\r\nOK\r\n"),
    argv=["ckdemo", "a b"],
    step="4.3",
)


def test_one_step_is_shown_alone_with_its_parts() -> None:
    assert "".join(text for _at, text in pieces(WRAPPED, "5.1")).splitlines() == [
        "",
        "== 5.1 Describe the keys: which may leave",
        "27",
        "Handle: ",
    ]
    assert next(at for at, _text in pieces(WRAPPED, "5")) == 1.0
    assert "".join(text for _at, text in pieces(WRAPPED, "4.3")) == "Choice: \n"


def test_a_step_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(UsageError) as refused:
        list(pieces(read(CKDEMO), "7.2"))
    assert (refused.value.hint or "").startswith("it has 4.3, 4.4")


def test_a_marker_is_taken_apart_by_the_titles() -> None:
    assert split("5.2 Wrap the key (RSA OAEP): pay: roll") == ("5.2", "Wrap the key (RSA OAEP)", "pay: roll")
    assert split("5.1 Describe the keys: which may leave") == ("5.1", "Describe the keys: which may leave", None)
    assert split("9.9 Of a later version: x") == ("9.9", "Of a later version: x", None)


def test_turns_are_what_was_said_with_its_question_and_answer() -> None:
    start, describe, wrap, pin = turns(WRAPPED)
    assert (start.step, start.typed, start.answer, start.first, start.last) == ("4.3", "ckdemo 'a b'", "Choice: ", 1, 2)
    assert (describe.step, describe.key, describe.typed, describe.question) == ("5.1", None, "27", "Choice: ")
    assert (wrap.step, wrap.key, wrap.at, wrap.first, wrap.last) == ("5.2", "pay: roll", 1.2, 7, 8)
    assert (pin.question, pin.typed, pin.answer) == ("PIN: ", "[partition PIN]", "[cut: SECRET-STARS -]\nOK\n")


def test_a_line_that_an_editor_shows_before_the_return_key_is_one_turn() -> None:
    recording = _recording(
        (0.0, "o", "\x1b[?2004h\r\x1b[Kaws-cloudhsm > "),
        (1.0, "i", "user list"),
        (1.1, "o", "user list"),
        (1.2, "i", "\r"),
        (1.3, "o", "\r\n{}\r\naws-cloudhsm > "),
        (1.4, "i", "\r"),
        (1.5, "o", "\r\n"),
    )
    assert [(turn.question, turn.typed, turn.answer) for turn in turns(recording)][1:] == [
        ("aws-cloudhsm > ", "user list", "user list\n{}\naws-cloudhsm > "),
        ("aws-cloudhsm > ", "", "\n"),
    ]


def test_every_line_that_was_typed_is_in_one_turn() -> None:
    for path in RECORDINGS.glob("*.cast"):
        recording = read(path)
        typed = [event.line for event in recording.events if event.code in "is"]
        assert [turn.first for turn in turns(recording)] == [1, *typed]


def _played(recording: Recording, *, speed: float = 1.0, idle_limit: float | None = None) -> tuple[str, list[float]]:
    out, pauses = list[str](), list[float]()

    def wait(pause: float) -> bool:
        pauses.append(pause)
        return False

    assert play(recording, out.append, wait, speed=speed, idle_limit=idle_limit)
    return "".join(out), pauses


def test_a_recording_is_played_in_its_own_time() -> None:
    text, pauses = _played(WRAPPED)
    assert text == "".join(text for _at, text in pieces(WRAPPED))
    assert sum(pauses) == pytest.approx(31.3)
    assert sum(_played(WRAPPED, speed=10)[1]) == pytest.approx(3.13)
    assert sum(_played(WRAPPED, idle_limit=2, speed=2)[1]) == pytest.approx((31.3 - 29.8 + 2) / 2)


def test_it_stops_where_the_person_says_so() -> None:
    out = list[str]()
    assert not play(WRAPPED, out.append, lambda pause: pause > 20, speed=1, idle_limit=None)
    assert "".join(out).endswith("pay: roll\n")


@given(st.lists(st.tuples(st.floats(), st.sampled_from("oimsvxb"), st.text(max_size=20)), max_size=6))
def test_nothing_played_moves_a_cursor_and_no_time_is_too_odd(events: Sequence[tuple[float, str, str]]) -> None:
    text, pauses = _played(_recording(*events))
    assert all(0 <= pause <= 86_400 for pause in pauses)
    assert {unicodedata.category(char) for char in text if char not in "\n\t"} & {"Cc", "Cf", "Cs", "Zl", "Zp"} == set()
