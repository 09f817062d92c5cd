"""The chain of a recording, computed here from FORMAT.md's words alone."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyferry.errors import RecordFailedError
from keyferry.recording import chain
from keyferry.recording.recorder import Recorder
from keyferry.recording.wordlist import spoken
from keyferry.run.journal import Journal
from keyferry.secrets import Secret
from programs import COMMAND, LIMIT, open_console

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mock import MockerFixture


def _links(path: Path) -> list[str]:
    """The link of each line."""
    links, before = [], bytes(32)
    for number, line in enumerate(path.read_bytes().split(b"\n")[:-1]):
        kind = json.loads(line)[1] if number else "header"
        before = hashlib.sha256(b"keyferry-transcript/2\n" + kind.encode() + b"\n" + before + line).digest()
        links.append(before.hex())
    return links


def _recorded(path: Path, anchor: Journal | None = None) -> Recorder:
    recorder = Recorder(path, {"tool": "vtl"}, [Secret("pin", b"tell-nobody")], anchor=anchor)
    recorder.step("5.2", "Wrap")
    recorder.output("grüße \udcff\u2028".encode("utf-8", "surrogateescape"))
    recorder.typed(b"go \xff")
    recorder.secret("pin")
    recorder.exit(0)
    return recorder


def test_each_chain_record_tells_the_links_since_the_last_one(tmp_path: Path) -> None:
    _recorded(tmp_path / "x.cast").close()
    links = _links(tmp_path / "x.cast")
    events = [json.loads(line) for line in (tmp_path / "x.cast").read_bytes().split(b"\n")[1:-1]]
    records = {number: event[2].split() for number, event in enumerate(events) if event[1] == "h"}
    assert len(records) == 2  # before the secret, the closing one
    sealed = 0
    for number, (count, last, *short) in records.items():
        closing = ["end"] if number == len(events) - 1 else []
        assert (int(count), last) == (number, links[number])
        assert short == [link[:8] for link in links[sealed : number + 1]] + closing
        sealed = number + 2


def test_whatever_is_put_on_the_disk_is_sealed(tmp_path: Path, mocker: MockerFixture) -> None:
    path = tmp_path / "x.cast"
    ends: list[str] = []
    mocker.patch("os.fdatasync", side_effect=lambda _file: ends.append(path.read_text().splitlines()[-1]))
    recorder = Recorder(path, {"tool": "vtl"})
    assert ends
    assert json.loads(ends.pop())["version"] == 2  # the header is on the disk before the tool can say anything
    ends.clear()
    recorder.output(b"PIN: ")
    recorder.secret("pin")
    recorder.output(b"done")
    recorder.sync()
    recorder.sync()
    recorder.close()
    assert [json.loads(line)[1] for line in ends] == ["h"] * 4  # the second sync had nothing to seal


def test_what_was_said_is_on_the_disk_before_a_driver_hears_it(tmp_path: Path, mocker: MockerFixture) -> None:
    with open_console(tmp_path, "out('Command: ')\nwhile True:\n    line()\n    out('Command: ')\n") as console:
        fsync = mocker.patch("os.fdatasync")
        for times in (1, 2, 3):  # also where one prompt follows the other at once
            console.hear(COMMAND, limit=LIMIT)
            assert fsync.call_count == times
            assert json.loads((tmp_path / "tool.cast").read_bytes().splitlines()[-1])[1] == "h"
            console.say("on")


def test_a_session_is_anchored_when_it_begins_and_when_it_ends(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    before = journal.head
    recorder = _recorded(tmp_path / "001-vtl.cast", journal)
    links = _links(tmp_path / "001-vtl.cast")
    header = json.loads((tmp_path / "001-vtl.cast").read_bytes().split(b"\n")[0])
    assert header["continues"] == before
    assert _last(journal) == {"kind": "opened", "file": "sessions/001-vtl.cast", "header": links[0]}
    recorder.close()
    links = _links(tmp_path / "001-vtl.cast")
    count = len(links) - 2  # neither the header nor the closing record
    assert _last(journal) == {"kind": "closed", "file": "sessions/001-vtl.cast", "head": links[-1], "count": count}


def test_a_record_that_failed_is_never_closed(tmp_path: Path, mocker: MockerFixture) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    recorder = _recorded(tmp_path / "001-vtl.cast", journal)
    mocker.patch("os.fdatasync", side_effect=OSError(5, os.strerror(5)))
    with pytest.raises(RecordFailedError):
        recorder.sync()
    mocker.stopall()
    with pytest.raises(RecordFailedError):
        recorder.close()
    assert _last(journal)["kind"] == "opened"
    assert (tmp_path / "001-vtl.cast").stat().st_mode & 0o200


@given(st.floats(0, 1e9), st.sampled_from("oimsvbxh"), st.text(st.characters()))
def test_an_event_has_the_one_form_of_a_line(seconds: float, code: str, data: str) -> None:
    line = chain.event(seconds, code, data)
    assert line == chain.event_line([round(seconds, 6), code, data])
    assert json.loads(line)[:2] == [round(seconds, 6), code]


def test_no_two_inputs_are_one_message() -> None:
    assert len({chain.link("a", "b", chain.START, b"c"), chain.link("a", "bc", chain.START, b"")}) == 2


_LEGAL = "legal winner thank year wave sausage worth useful "
_LETTER = "letter advice cage absurd amount doctor acoustic avoid "


@pytest.mark.parametrize(
    ("head", "words"),
    [  # test vectors of BIP-39
        ("00" * 32, "abandon " * 23 + "art"),
        ("7f" * 32, f"{_LEGAL}{_LEGAL}{_LEGAL[:-7]}title"),
        ("80" * 32, f"{_LETTER}{_LETTER}{_LETTER[:-6]}bless"),
        ("ff" * 32, "zoo " * 23 + "vote"),
    ],
)
def test_a_head_is_told_in_words(head: str, words: str) -> None:
    assert spoken(head) == words.split()


def _last(journal: Journal) -> dict[str, object]:
    line = json.loads(journal.path.read_bytes().splitlines()[-1])
    return {name: value for name, value in line.items() if name not in ("seq", "at", "prev")}
