from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from typing import TYPE_CHECKING

import pytest

from keyferry.errors import JournalHeldError, RecordFailedError, UsageError
from keyferry.recording.recorder import Recorder
from keyferry.run.directory import RunDirectory
from keyferry.run.journal import read
from keyferry.run.state import load
from records import both_say

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mock import MockerFixture

HEADER = {"tool": "vtl", "host": "source", "path": "/bin/vtl", "sha256": "0" * 64}


def _lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def test_everything_in_it_is_private(tmp_path: Path) -> None:
    run = RunDirectory.create(None, tmp_path / "runs")
    run.begin({"wrapping.bits": "2048"})
    for folder in (run.path, run.sessions, run.files):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for file in (run.path / "run.json", run.journal.path):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_run_has_a_name_of_its_own(tmp_path: Path) -> None:
    first, second = (RunDirectory.create(None, tmp_path) for _ in range(2))
    assert first.run_id != second.run_id
    assert {first.path.parent, second.path.parent} == {tmp_path}
    assert first.path.name.endswith(f"Z-{first.run_id}")


@pytest.mark.parametrize("taken", ["folder", "file"])
def test_a_directory_that_is_there_is_not_used_again(tmp_path: Path, taken: str) -> None:
    wanted = tmp_path / "run"
    if taken == "folder":
        wanted.mkdir()
    else:
        wanted.write_text("x")
    with pytest.raises(UsageError, match="cannot be made") as refused:
        RunDirectory.create(wanted, tmp_path)
    assert refused.value.keys == "nothing was changed"


def test_json_is_canonical_and_its_hash_is_told(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "run", tmp_path)
    digest = run.write_json("plan.json", {"b": "é", "a": [1, None]})
    data = (run.path / "plan.json").read_bytes()
    assert data == b'{"a":[1,null],"b":"\\u00e9"}\n'
    assert digest == hashlib.sha256(data).hexdigest()


def test_the_manifest_names_every_file_as_it_is(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "run", tmp_path)
    run.begin({})
    (run.files / "7.wrapped").write_bytes(b"wrapped")
    run.finish()
    manifest = json.loads((run.path / "manifest.json").read_bytes())
    there = {str(path.relative_to(run.path)): path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    del there["manifest.json"]
    assert {"run.json", "journal.jsonl", "files/7.wrapped"} <= set(there)
    assert manifest["files"] == {
        name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in there.items()
    }
    assert manifest["journal"] == {"count": 1, "head": hashlib.sha256(there["journal.jsonl"]).hexdigest()}


def test_a_run_that_is_over_has_one_head_over_it_all_and_no_write_bits(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "run", tmp_path)
    run.begin({})
    recorder = Recorder(run.sessions / "001-vtl.cast", HEADER, anchor=run.journal)
    recorder.output(b"rows")
    recorder.close()
    run.finish()
    manifest = json.loads((run.path / "manifest.json").read_bytes())
    [session] = manifest["sessions"]
    assert session["head"] == json.loads(_lines(run.journal.path)[-1])["head"]
    assert manifest["tools"] == [HEADER]
    head = manifest.pop("head")
    body = json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    before = bytes.fromhex(manifest["journal"]["head"])
    assert run.head == head == hashlib.sha256(b"keyferry-run/2\nmanifest\n" + before + body).hexdigest()
    assert not any(stat.S_IMODE(path.stat().st_mode) & 0o222 for path in run.path.rglob("*") if path.is_file())


def test_a_session_that_was_not_completed_has_no_head(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "run", tmp_path)
    Recorder(run.sessions / "001-vtl.cast", HEADER, anchor=run.journal)
    run.finish()
    [session] = json.loads((run.path / "manifest.json").read_bytes())["sessions"]
    assert session["end"] is None


def test_a_run_that_began_says_how(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "run", tmp_path)
    run.begin({"destination.user": "cu"})
    about = json.loads((run.path / "run.json").read_bytes())
    (line,) = (run.path / "journal.jsonl").read_bytes().splitlines()
    assert about["run_id"] == json.loads(line)["run_id"] == run.run_id
    assert about["settings"] == json.loads(line)["settings"] == {"destination.user": "cu"}


def test_a_full_disk_is_an_error_of_its_own(tmp_path: Path, mocker: MockerFixture) -> None:
    run = RunDirectory.create(tmp_path / "run", tmp_path)
    mocker.patch("os.fsync", side_effect=OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    with pytest.raises(RecordFailedError, match="No space left"):
        run.write_json("plan.json", {})
    assert not (run.path / "plan.json").exists()


@pytest.mark.parametrize("left", [[], ["sessions/"], ["sessions/", "files/", "verify.py", "run.json.part"]])
@pytest.mark.parametrize("journal", [b"", b'{"seq":1,"at":"2026-'])
def test_a_run_that_was_killed_before_its_first_line_is_started_again(
    tmp_path: Path, left: list[str], journal: bytes
) -> None:
    folder = tmp_path / "run"
    folder.mkdir(mode=0o700)
    (folder / "journal.jsonl").write_bytes(journal)
    for name in left:
        (folder / name).mkdir(mode=0o700) if name.endswith("/") else (folder / name).write_bytes(b"half")
    with pytest.raises(UsageError, match="no run began here") as told:
        load(folder)
    assert f"--run-dir {folder}" in (told.value.hint or "")
    run = RunDirectory.create(folder, tmp_path)
    run.begin({})
    run.finish()
    assert read(folder / "journal.jsonl").entries[0]["run_id"] == run.run_id
    both_say("complete", folder)


def test_an_empty_private_folder_becomes_the_run_directory(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir(mode=0o700)
    assert RunDirectory.create(folder, tmp_path).path == folder


def test_a_run_directory_that_is_a_file_is_told_from_one_with_a_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "open").mkdir(mode=0o755)
    RunDirectory.create(tmp_path / "run", tmp_path).begin({})
    for name, why, resume in (
        ("file", f"{tmp_path}/file cannot be made: it is a file, not a folder", False),
        ("file/x/y", f"{tmp_path}/file is a file, not a folder", False),
        ("link", "it is a link that leads nowhere", False),
        ("open", "neither a run's nor an empty one", False),
        ("run", "a run began in it", True),
    ):
        with pytest.raises(UsageError, match=why) as told:
            RunDirectory.create(tmp_path / name, tmp_path)
        assert ("keyferry resume" in (told.value.hint or "")) == resume
        assert "name a folder that is not there yet" in (told.value.hint or "")
    assert (tmp_path / "file").read_bytes() == b"x"


@pytest.mark.parametrize("name", ["plan.json", "sessions/001-vtl.cast", "notes"])
def test_a_folder_with_anything_else_is_left_alone(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "run"
    (folder / name).parent.mkdir(mode=0o700, parents=True)
    folder.chmod(0o700)
    (folder / name).write_bytes(b"somebody's")
    if name != "plan.json":  # a plan of the user's own in a folder without a journal
        (folder / "journal.jsonl").write_bytes(b"")
    with pytest.raises(UsageError, match="cannot be made"):
        RunDirectory.create(folder, tmp_path)
    assert (folder / name).read_bytes() == b"somebody's"


def test_two_processes_do_not_start_in_one_folder(tmp_path: Path) -> None:
    first = RunDirectory.create(tmp_path / "run", tmp_path)
    with pytest.raises(JournalHeldError):
        RunDirectory.create(tmp_path / "run", tmp_path)
    first.begin({})
    first.journal.close()
    with pytest.raises(UsageError, match="cannot be made"):
        RunDirectory.create(tmp_path / "run", tmp_path)


LEFT = ["manifest.json.part", "plan.json.part", "files/7.wrapped.part"]


def test_what_was_left_under_a_temporary_name_does_not_spoil_the_record(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "run", tmp_path)
    run.begin({})
    for name in LEFT:
        (run.path / name).write_bytes(b'{"half":')
    run.finish()
    assert not any((run.path / name).exists() for name in LEFT)
    both_say("complete", run.path)


def test_what_was_left_under_a_temporary_name_is_removed_on_resume(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "run", tmp_path)
    run.begin({})
    run.journal.close()
    for name in LEFT:
        (run.path / name).write_bytes(b'{"half":')
    both_say("incomplete", run.path)
    again, past = RunDirectory.reopen(run.path)
    again.go_on(past)
    assert not any((run.path / name).exists() for name in LEFT)
    again.finish()
    both_say("complete", run.path)


def test_a_file_that_could_not_be_written_leaves_nothing(tmp_path: Path, mocker: MockerFixture) -> None:
    run = RunDirectory.create(tmp_path / "run", tmp_path)
    run.begin({})
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    fsync = mocker.patch("os.fsync", side_effect=full)
    with pytest.raises(RecordFailedError):
        run.finish()
    mocker.stop(fsync)
    assert not list(run.path.glob("*.part"))
    again, past = RunDirectory.reopen(run.path)
    again.complete(past)
    both_say("complete", run.path)
