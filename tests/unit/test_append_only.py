"""A signal's handler may raise between any two instructions: a line is whole, or completed with the next."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import pytest

from keyferry.recording.append_only import AppendOnlyFile
from keyferry.recording.chain_reader import CheckedSession
from keyferry.recording.recorder import Recorder
from keyferry.run.journal import Journal, read

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import FrameType

FILES = ("keyferry/recording/append_only.py", "keyferry/recording/recorder.py", "keyferry/run/journal.py")


class SignalError(Exception):
    """What a handler raises."""


def _interrupted(act: Callable[[], object], after: int) -> bool:
    """Do it, and raise after so many instructions of the files above. Gives whether it came so far."""
    left = after

    def trace(frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal left
        if not frame.f_code.co_filename.endswith(FILES):
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            left -= 1
            if left == 0:
                raise SignalError
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        act()
    except SignalError:
        return True
    finally:
        sys.settrace(before)
    return False


def _raises(_handle: int, _data: bytes) -> int:
    raise SignalError


@pytest.mark.parametrize("chunk", [3, 4096])
def test_a_line_that_was_cut_short_is_completed_before_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: write(handle, data[:chunk]))
    after, came = 0, True
    while came:
        after += 1
        path = tmp_path / str(after)
        handle = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        file = AppendOnlyFile(handle, 0)
        file.add(b"first\n", 1)
        came = _interrupted(lambda file=file: file.add(b"second\n", 2), after)  # type: ignore[misc]
        file.complete()
        lines = path.read_bytes().splitlines()
        assert file.state == len(lines)
        file.add(b"third\n", len(lines) + 1)
        assert path.read_bytes().splitlines() == [*lines, b"third"]
        assert lines in ([b"first"], [b"first", b"second"])
        os.close(handle)
    assert after > 10


def test_a_file_that_became_shorter_is_not_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    handle = os.open(tmp_path / "x", os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o600)
    file = AppendOnlyFile(handle, 0)
    file.add(b"first\n", 1)
    monkeypatch.setattr(os, "write", _raises)
    with pytest.raises(SignalError):
        file.add(b"second\n", 2)
    os.ftruncate(handle, 2)
    with pytest.raises(OSError, match="shorter"):
        file.complete()
    os.close(handle)


def test_a_journal_stays_whole(tmp_path: Path) -> None:
    after, came = 0, True
    while came:
        after += 1
        path = tmp_path / f"{after}.jsonl"
        journal = Journal(path)
        journal.write("begin")
        came = _interrupted(lambda journal=journal: journal.write("intent", key=7), after)  # type: ignore[misc]
        journal.write("error")
        journal.close()
        kinds = [entry["kind"] for entry in read(path).entries]
        assert kinds in (["begin", "error"], ["begin", "intent", "error"])
    assert after > 30


def test_a_record_stays_whole(tmp_path: Path) -> None:
    after, came = 0, True
    while came:
        after += 1
        path = tmp_path / f"{after}.cast"
        recorder = Recorder(path, {})

        def turn(recorder: Recorder = recorder) -> None:
            recorder.typed(b"listUsers")
            recorder.output(b"Command: ")
            recorder.sync()

        came = _interrupted(turn, after)
        recorder.exit(None)
        recorder.close()
        session = CheckedSession(tmp_path, path.name)
        list(session.events())
        assert (session.complete, session.loose) == (True, 0)
    assert after > 100
