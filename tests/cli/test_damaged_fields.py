"""Single fields of a record with a value that no run writes, each with every chain made to fit."""

from __future__ import annotations

import hashlib
import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from runs import keyferry, recorded

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return shutil.copytree(recorded(), tmp_path / "run")


def _header(run: Path, **fields: Any) -> Path:
    [cast] = (run / "sessions").glob("002-vtl.cast")
    cast.chmod(0o600)
    head, *rest = cast.read_text().splitlines(keepends=True)
    cast.write_text(json.dumps(json.loads(head) | fields) + "\n" + "".join(rest))
    return cast


@pytest.mark.parametrize("tool", ["vtlots", None, 7])
def test_a_header_that_names_no_tool_is_damage(run: Path, tool: object) -> None:
    _header(run, tool=tool)
    done = keyferry("verify", run)
    assert (done.status, "None" in done.err) == (6, False), done.err


def test_a_command_of_a_tool_that_nobody_knows_is_damage(run: Path) -> None:
    _header(run, argv=["vtlots", "listSlots"])
    done = keyferry("transcript", "diff", "--meaning", run, recorded())
    assert (done.status, "its header names no tool that Keyferry drives" in done.err) == (6, True), done.err


@pytest.mark.parametrize("words", [("explain", "--check"), ("transcript", "show"), ("transcript", "play")])
def test_half_a_character_in_a_recording_is_damage(run: Path, words: tuple[str, ...]) -> None:
    [cast] = (run / "sessions").glob("001-*.cast")
    cast.chmod(0o600)
    lines = cast.read_text().splitlines(keepends=True)
    cast.write_text("".join([lines[0], '[0.1,"o","\\ud800"]\n', *lines[2:]]))
    done = keyferry(*words, cast)
    assert (done.status, "half of a character" in done.err) == (6, True), done.err


def _changed(run: Path, kind: str, **fields: Any) -> None:
    """Change the first line that has these fields, and chain the journal anew; the manifest is gone."""
    path = run / "journal.jsonl"
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    next(line for line in lines if line["kind"] == kind and fields.keys() <= line.keys()).update(fields)
    head, out = hashlib.sha256(b"keyferry-journal/2").hexdigest(), b""
    for line in lines:
        data = json.dumps(line | {"prev": head}, separators=(",", ":")).encode() + b"\n"
        head, out = hashlib.sha256(data).hexdigest(), out + data
    for name in ("journal.jsonl", "manifest.json"):
        (run / name).chmod(0o600)
    path.write_bytes(out)
    (run / "manifest.json").unlink()


@pytest.mark.parametrize(
    ("kind", "fields"), [("done", {"host": []}), ("done", {"sha256": 1}), ("begin", {"order": {"settings": 5}})]
)
def test_a_field_of_another_type_in_the_journal_stops_what_would_go_on(
    run: Path, kind: str, fields: dict[str, Any]
) -> None:
    _changed(run, kind, **fields)
    done = keyferry("cleanup", run, "--yes")
    assert (done.status, "hint: " in done.err) == (8, True), done.err


def test_a_marker_without_a_step_is_compared_and_reported(run: Path) -> None:
    [cast] = (run / "sessions").glob("001-*.cast")
    cast.chmod(0o600)
    lines = [json.loads(line) for line in cast.read_text().splitlines()]
    next(line for line in lines[1:] if line[1] == "m")[2] = ""
    cast.write_text("".join(json.dumps(line) + "\n" for line in lines))
    for words in (("transcript", "diff", run, recorded()), ("report", run, "--format", "json")):
        done = keyferry(*words)
        assert done.status in {0, 6}, done.err


def test_the_report_of_lines_without_a_time_is_made(run: Path) -> None:
    path = run / "journal.jsonl"
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    path.chmod(0o600)
    path.write_text("".join(json.dumps(line | {"at": "yesterday"}) + "\n" for line in lines))
    assert keyferry("report", run, "--format", "json").status in {0, 6}
