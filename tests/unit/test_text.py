from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyferry.errors import UnknownScreenError
from keyferry.text import last_lines, printable
from keyferry.tools.lines import clean, lines, unknown, without_stars
from keyferry.tools.one_shot import screen


@given(st.text())
def test_nothing_printable_moves_a_cursor(text: str) -> None:
    assert not {unicodedata.category(char) for char in printable(text) if char != "\t"} & {"Cc", "Cf", "Zl", "Zp"}


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"])))
def test_harmless_text_is_left_as_it_is(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [("\x1b[2J", "\\x1b[2J"), ("a\udcffb", "a\\xffb"), ("\u202egnp", "\\u202egnp"), ("\0\n", "\\x00\\n"), ("\t", "\t")],
)
def test_what_could_deceive_is_written_as_an_escape(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_the_last_lines_of_a_screen() -> None:
    screen_text = "".join(f"line {number}\r\n" for number in range(20)) + "\0\r\n  \r\n"
    assert last_lines(screen_text, 2) == "line 18\nline 19"
    assert last_lines("x" * 1000) == "x" * 1000  # cut where it is shown, after secrets are out
    assert last_lines("") == ""


@given(st.lists(st.text("ab \t", max_size=5)), st.sampled_from(["\n", "\r\n", "\r\r\n", "\0\r\n", "\r"]))
def test_every_line_end_becomes_a_newline(parts: list[str], end: str) -> None:
    assert clean(end.join(parts)) == "\n".join(parts)


def test_lines_that_say_something() -> None:
    assert without_stars(lines("\r\n  a \r\n****\r\n\t\r\n b*\r\n")) == ["a", "b*"]


def test_an_unknown_line_is_shown_and_made_harmless() -> None:
    error = unknown("cmu", "list", "a line that is not known", "odd \x1b[1m")
    assert isinstance(error, UnknownScreenError)
    assert error.what == "cmu list: a line that is not known: odd \\x1b[1m"
    assert (error.tool, error.seen) == ("cmu", "odd \\x1b[1m")


@pytest.mark.parametrize(
    "text",
    [
        " one\n\nfoo two\n",
        "$ foo list -x\n one\nfoo two\n$ ",
        "[me@client ~]# ./foo list\r\n one\r\nfoo two\r\n[me@client ~]# ",
        "C:\\Tools>foo.exe list\r\n one\r\nfoo two\r\nC:\\Tools>",
        "foo list\n one\nfoo two\nbash-4.2$",
    ],
)
def test_a_shell_around_a_screen_is_taken_off(text: str) -> None:
    assert screen("foo", text) == [" one", "foo two"]


@pytest.mark.parametrize("text", ["foo (64-bit) v1\n", "handle=1\tlabel=x$\n", "handle=1\tlabel=foo list$"])
def test_a_tools_own_line_is_no_shells(text: str) -> None:
    assert screen("foo", text) == [text.rstrip("\n")]
