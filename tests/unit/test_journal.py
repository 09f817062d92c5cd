from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import stat
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from keyferry.errors import Exit, JournalHeldError, RecordFailedError
from keyferry.run.journal import Journal, is_held, now, read

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mock import MockerFixture

FIRST = hashlib.sha256(b"keyferry-journal/2").hexdigest()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


def test_each_line_carries_the_hash_of_the_line_before_it(path: Path) -> None:
    journal = Journal(path)
    assert journal.head == FIRST
    journal.write("intent", act="wrap", key=42)
    journal.write("done", label="two\nlines \udcff \u2028 é")
    lines = path.read_bytes().splitlines(keepends=True)
    entries = [json.loads(line) for line in lines]
    assert [entry["prev"] for entry in entries] == [FIRST, hashlib.sha256(lines[0]).hexdigest()]
    assert journal.head == hashlib.sha256(lines[1]).hexdigest()
    assert [(entry["seq"], entry["kind"]) for entry in entries] == [(1, "intent"), (2, "done")]
    assert entries[0]["key"] == 42
    assert entries[1]["label"] == "two\nlines \udcff \u2028 é"


def test_only_its_owner_reads_it(path: Path) -> None:
    Journal(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_it_has_one_writer(path: Path) -> None:
    first = Journal(path)
    first.write("begin")
    with pytest.raises(JournalHeldError) as held:
        Journal(path)
    assert held.value.exit_code is Exit.JOURNAL_HELD
    first.write("still mine")
    assert len(path.read_bytes().splitlines()) == 2
    first.close()
    Journal(path).close()


def test_who_only_looks_keeps_no_writer_out(path: Path, mocker: MockerFixture) -> None:
    """`status --watch` asks for the lock each second; a run that is resumed at that moment is not told of another."""
    flock = fcntl.flock
    path.touch()
    with path.open() as looker:
        flock(looker, fcntl.LOCK_SH)

        def until_it_is_found(file: int, how: int) -> None:
            flock(file, how)
            if how == fcntl.LOCK_UN:
                looker.close()

        mocker.patch("fcntl.flock", side_effect=until_it_is_found)
        Journal(path).close()


def test_a_line_is_on_the_disk_before_the_next_command(path: Path, mocker: MockerFixture) -> None:
    journal = Journal(path)
    written: list[int] = []
    mocker.patch("os.fdatasync", side_effect=lambda _file: written.append(path.stat().st_size))
    journal.write("intent")
    assert written == [path.stat().st_size]
    assert written[0] > 0


def test_a_full_disk_is_an_error_of_its_own(path: Path, mocker: MockerFixture) -> None:
    journal = Journal(path)
    journal.write("begin")
    head = journal.head
    mocker.patch("os.write", side_effect=OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    with pytest.raises(RecordFailedError, match="No space left") as failed:
        journal.write("intent")
    assert failed.value.exit_code is Exit.RECORD_FAILED
    assert journal.head == head


def test_nothing_follows_a_torn_line(path: Path, mocker: MockerFixture) -> None:
    journal = Journal(path)
    mocker.patch("os.fdatasync", side_effect=OSError(errno.EIO, os.strerror(errno.EIO)))
    with pytest.raises(RecordFailedError):
        journal.write("intent")
    mocker.stopall()
    before = path.read_bytes()
    with pytest.raises(RecordFailedError):
        journal.write("error")
    assert path.read_bytes() == before


def test_a_write_in_pieces_is_one_line(path: Path, mocker: MockerFixture) -> None:
    journal, whole = Journal(path), os.write
    mocker.patch("os.write", side_effect=lambda file, data: whole(file, data[:7]))
    journal.write("begin", run_id="abc")
    assert json.loads(path.read_bytes())["run_id"] == "abc"


def test_it_goes_on_where_it_was(path: Path) -> None:
    first = Journal(path)
    first.write("begin")
    first.close()
    second, found = Journal.reopen(path)
    second.write("resumed")
    assert [entry["kind"] for entry in found.entries] == ["begin"]
    assert [entry["seq"] for entry in read(path).entries] == [1, 2]
    with pytest.raises(JournalHeldError):
        Journal.reopen(path)
    assert is_held(path)
    second.close()
    assert not is_held(path)


def test_to_close_it_twice_closes_no_other_file(path: Path) -> None:
    """As where a run that died before its manifest is completed on a full disk."""
    journal = Journal(path)
    journal.close()
    with path.open("rb") as other:
        journal.close()
        assert other.read() == b""


def test_what_is_no_folder_holds_no_run(path: Path) -> None:
    path.write_bytes(b"")
    assert not is_held(path / "journal.jsonl")


def test_a_torn_last_line_is_cut_off_before_it_goes_on(path: Path) -> None:
    first = Journal(path)
    first.write("begin")
    first.close()
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:40])
    second, found = Journal.reopen(path)
    assert (found.torn, path.read_bytes()) == (40, whole + whole[:40])
    second.write("resumed")
    assert [entry["kind"] for entry in read(path).entries] == ["begin", "resumed"]


INTERRUPTED = """
import os, pathlib, signal, sys
from keyferry.run.journal import Journal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job begins with SIGINT ignored
journal, fsync = Journal(pathlib.Path(sys.argv[1])), os.fdatasync
os.fdatasync = lambda file: os.kill(os.getpid(), signal.SIGINT)
try:
    journal.write("begin")
except KeyboardInterrupt:
    os.fdatasync = fsync
    journal.write("error")
"""


def test_a_signal_waits_until_the_line_is_whole(path: Path) -> None:
    """A second SIGINT ends a run where it stands; a line that is begun is ended before."""
    subprocess.run([sys.executable, "-c", INTERRUPTED, str(path)], check=True)
    assert [entry["kind"] for entry in read(path).entries] == ["begin", "error"]


def test_the_time_is_rfc_3339() -> None:
    date, _, time = now().partition("T")
    assert len(date.split("-")) == 3
    assert time.endswith("Z")
    assert len(time.partition(".")[2]) == len("123Z")


def test_a_session_is_opened_right_behind_the_line_that_its_header_names(path: Path) -> None:
    """Also where another thread has something to write at that moment."""
    journal = Journal(path)
    writer = threading.Thread(target=journal.write, args=("intent",))
    with journal.alone():
        before = journal.head
        writer.start()
        journal.opened("001-ckdemo.cast", "00")
    writer.join()
    journal.close()
    opened, _other = read(path).entries
    assert (opened["kind"], opened["prev"]) == ("opened", before)
