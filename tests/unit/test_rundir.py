from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from typing import TYPE_CHECKING

import pytest

from keyferry.errors import RecordFailedError, UsageError
from keyferry.procedure.rundir import RunDirectory
from keyferry.transcript.recorder import Recorder

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mock import MockerFixture

HEADER = {"tool": "vtl", "host": "classic", "path": "/bin/vtl", "sha256": "0" * 64}


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
    assert run.head == head == hashlib.sha256(b"keyferry-run/1\nmanifest\n" + before + body).hexdigest()
    assert not any(stat.S_IMODE(path.stat().st_mode) & 0o222 for path in run.path.rglob("*") if path.is_file())


def test_a_session_that_was_not_completed_has_no_head(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "run", tmp_path)
    Recorder(run.sessions / "001-vtl.cast", HEADER, anchor=run.journal)
    run.finish()
    [session] = json.loads((run.path / "manifest.json").read_bytes())["sessions"]
    assert session["end"] is None


def test_a_run_that_began_says_how(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "run", tmp_path)
    run.begin({"cloudhsm.user": "cu"})
    about = json.loads((run.path / "run.json").read_bytes())
    (line,) = (run.path / "journal.jsonl").read_bytes().splitlines()
    assert about["run_id"] == json.loads(line)["run_id"] == run.run_id
    assert about["settings"] == json.loads(line)["settings"] == {"cloudhsm.user": "cu"}


def test_a_full_disk_is_an_error_of_its_own(tmp_path: Path, mocker: MockerFixture) -> None:
    run = RunDirectory.create(tmp_path / "run", tmp_path)
    mocker.patch("os.fsync", side_effect=OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    with pytest.raises(RecordFailedError, match="No space left"):
        run.write_json("plan.json", {})
    assert not (run.path / "plan.json").exists()
