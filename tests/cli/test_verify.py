"""Nothing in a run's directory can be changed without both verifiers naming it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyferry.text import canonical
from records import both_say, by_package, by_script, by_script_here, edit, head_of, rechain, restamp
from runs import recorded
from tampering import (
    byte_order_mark,
    carriage_returns,
    closing_record_removed,
    emptied,
    event_edited,
    event_removed,
    event_repeated,
    header_edited,
    key_doubled,
    line_added,
    line_torn,
    number_otherwise,
    redaction_edited,
    secret_renamed,
    tail_cut,
    two_events_swapped,
    typed_line_edited,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CKDEMO, CMU = "sessions/003-ckdemo.cast", "sessions/005-cmu.cast"


@pytest.fixture(scope="session")
def worlds() -> tuple[Path, Path]:
    """Two runs of the same kind."""
    return recorded(), recorded(other="again")


@pytest.fixture
def run(worlds: tuple[Path, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(worlds[0], tmp_path / "run"))


@pytest.fixture
def other(worlds: tuple[Path, Path]) -> Path:
    return worlds[1]


def test_a_run_is_whole_and_so_is_a_copy_that_lost_its_modes(run: Path) -> None:
    both_say("complete", run)
    both_say("complete", run, head=head_of(run))
    for path in run.rglob("*"):
        path.chmod(0o777)
    both_say("complete", run, head=head_of(run))


CHANGES = [
    event_edited,
    typed_line_edited,
    event_removed,
    event_repeated,
    two_events_swapped,
    tail_cut,
    line_torn,
    closing_record_removed,
    header_edited,
    redaction_edited,
    secret_renamed,
    line_added,
    carriage_returns,
    byte_order_mark,
    key_doubled,
    number_otherwise,
    emptied,
]


@pytest.mark.parametrize("known", [False, True], ids=["", "manifest-too"])
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_changed_recording_is_noticed(run: Path, change: Callable[[list[bytes]], list[bytes]], known: bool) -> None:
    edit(run / CKDEMO, change)
    if known:
        restamp(run)
    both_say("wrong", run, "003-ckdemo.cast")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (event_edited, 41),
        (event_removed, 41),
        (event_repeated, 42),
        (two_events_swapped, 41),
        (header_edited, 1),
        (tail_cut, None),
    ],
)
def test_the_first_wrong_line_is_named(
    run: Path, change: Callable[[list[bytes]], list[bytes]], line: int | None
) -> None:
    edit(run / CKDEMO, change)
    last = len((run / CKDEMO).read_bytes().splitlines())
    assert f"003-ckdemo.cast: line {line or last}: " in by_package(run).words


def test_each_line_that_is_gone_is_named(run: Path) -> None:
    lines = (run / CKDEMO).read_bytes().splitlines(keepends=True)
    for number in range(1, 60):
        (run / CKDEMO).chmod(0o600)
        (run / CKDEMO).write_bytes(b"".join(lines[: number - 1] + lines[number:]))
        assert f"003-ckdemo.cast: line {number}: " in by_package(run).words


@pytest.mark.parametrize("change", [event_edited, event_removed, two_events_swapped, tail_cut, line_torn, emptied])
def test_a_changed_journal_is_noticed(run: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    edit(run / "journal.jsonl", change)
    restamp(run)
    both_say("wrong", run, "journal.jsonl")


def test_a_recording_that_was_chained_anew_is_not_the_one_of_the_journal(run: Path) -> None:
    edit(run / CKDEMO, secret_renamed)
    rechain(run / CKDEMO)
    restamp(run)
    both_say("wrong", run, "003-ckdemo.cast", "journal")


def files(run: Path) -> list[str]:
    return sorted(str(path.relative_to(run)) for path in run.rglob("*") if path.is_file())


def test_each_missing_file_is_noticed(run: Path) -> None:
    for name in files(run):
        (run / name).rename(run.parent / "kept")
        both_say("wrong", run, name)
        (run.parent / "kept").rename(run / name)
    both_say("complete", run)


@pytest.mark.parametrize(
    "name", ["extra", "files/extra", "sessions/012-vtl.cast", "manifest.json.part", "files/.hidden"]
)
def test_a_file_too_many_is_noticed(run: Path, name: str) -> None:
    (run / name).write_bytes(b"")
    both_say("wrong", run, name)


def test_what_is_no_plain_file_is_noticed(run: Path) -> None:
    (run / "more").mkdir()
    both_say("wrong", run, "more")
    (run / "more").rmdir()
    (run / CMU).rename(run.parent / "moved.cast")
    (run / CMU).symlink_to(run.parent / "moved.cast")
    both_say("wrong", run, CMU)
    (run / CMU).unlink()
    os.mkfifo(run / CMU)
    both_say("wrong", run, CMU)


@pytest.mark.parametrize("known", [False, True], ids=["", "manifest-too"])
def test_a_changed_wrapped_file_is_noticed(run: Path, known: bool) -> None:
    wrapped = next((run / "files").glob("*.wrapped"))
    wrapped.chmod(0o600)
    wrapped.write_bytes(bytes(256))
    if known:
        restamp(run)
    both_say("wrong", run, f"files/{wrapped.name}")


def test_two_wrapped_files_swapped_are_noticed(run: Path) -> None:
    one, two = sorted((run / "files").glob("*.wrapped"))[:2]
    data = one.read_bytes(), two.read_bytes()
    for path, content in zip((two, one), data, strict=True):
        path.chmod(0o600)
        path.write_bytes(content)
    restamp(run)
    both_say("wrong", run, ".wrapped")


@pytest.mark.parametrize("known", [False, True], ids=["", "manifest-too"])
def test_a_session_of_another_run_is_noticed(run: Path, other: Path, known: bool) -> None:
    (run / CMU).unlink()
    shutil.copy(other / CMU, run / CMU)
    if known:
        restamp(run)
    both_say("wrong", run, "005-cmu.cast: line 1")


def test_two_runs_spliced_are_noticed(run: Path, other: Path) -> None:
    half = (other / "journal.jsonl").read_bytes().splitlines(keepends=True)[50:]
    edit(run / "journal.jsonl", lambda lines: lines[:50] + half)
    shutil.rmtree(run / "sessions")
    shutil.copytree(other / "sessions", run / "sessions")
    both_say("wrong", run, "journal.jsonl: line ")


def test_the_manifest_of_another_run_is_noticed(run: Path, other: Path) -> None:
    (run / "manifest.json").unlink()
    shutil.copy(other / "manifest.json", run)
    both_say("wrong", run)


def test_a_manifest_rewritten_is_noticed_by_its_head_or_by_the_one_from_outside(run: Path) -> None:
    head = head_of(run)
    before = (run / "manifest.json").read_bytes()
    edit(run / "verify.py", lambda lines: [*lines, b"# changed\n"])
    both_say("wrong", run, "verify.py")
    restamp(run)  # whoever can rewrite everything can forge everything ...
    both_say("complete", run)
    both_say("wrong", run, "head", head=head)  # ... but not a head that was noted elsewhere
    forged = (run / "manifest.json").read_bytes()
    (run / "manifest.json").write_bytes(forged.replace(head_of(run).encode(), head.encode()))
    both_say("wrong", run, "manifest.json")
    (run / "manifest.json").write_bytes(before.replace(b'"failed":0', b'"failed":1'))
    both_say("wrong", run)


@pytest.mark.parametrize("name", ["manifest.json", "journal.jsonl", CKDEMO])
@pytest.mark.parametrize("more", [b"x", b"{}", b"\n", b"[" * 99999 + b"\n", b"x" * 2**24 + b"\n"], ids=len)
def test_what_stands_behind_the_last_line_is_noticed(run: Path, name: str, more: bytes) -> None:
    edit(run / name, lambda lines: [*lines, more])
    if name != "manifest.json":
        restamp(run)
    both_say("wrong", run, name.rpartition("/")[2])


@pytest.mark.parametrize("name", ["run.json", "plan.json"])
def test_a_changed_file_that_the_journal_names_is_noticed(run: Path, name: str) -> None:
    edit(run / name, lambda lines: [lines[0].replace(b"0", b"1", 1)])
    restamp(run)
    both_say("wrong", run, name)


def test_another_public_key_is_noticed(run: Path) -> None:
    """Also by its DER alone: the file is the one that both hosts had, but not the key of the journal."""
    edit(run / "files" / "wrapping_public.pem", lambda lines: [lines[0], lines[1].swapcase(), *lines[2:]])
    restamp(run)
    both_say("wrong", run, "files/wrapping_public.pem")


def test_changed_totals_are_noticed(run: Path) -> None:
    edit(run / "manifest.json", lambda lines: [lines[0].replace(b'"verified":', b'"verified":1')])
    restamp(run)
    both_say("wrong", run, "manifest.json")


@pytest.mark.parametrize("value", [None, [], {}, "x", 1, True, ...])
def test_a_manifest_of_other_fields_is_refused(run: Path, value: object) -> None:
    """Each in its turn, under a head of its own; `...` takes it away. Its version is what it says."""
    whole = json.loads((run / "manifest.json").read_bytes())
    (run / "manifest.json").chmod(0o600)
    for name in whole.keys() - {"head", "keyferry"}:
        told = whole | {name: value}
        del told["head"]
        if value is ...:
            del told[name]
        head = bytes.fromhex(whole["journal"]["head"])
        told["head"] = hashlib.sha256(b"keyferry-run/2\nmanifest\n" + head + canonical(told)).hexdigest()
        (run / "manifest.json").write_bytes(canonical(told))
        for said in (by_package(run), by_script_here(run)):
            assert said.verdict == "wrong", (name, said)


@pytest.mark.parametrize(
    "name", ["HASH", "king-HASH.sig", "operator-HASH.sig.exe", "operator-0000000000000000.sig", "operator-HASH.SIG"]
)
def test_what_is_no_signature_is_a_file_too_many(run: Path, name: str) -> None:
    (run / "signatures").mkdir()
    name = name.replace("HASH", hashlib.sha256(b"it").hexdigest()[:16])
    (run / "signatures" / name).write_bytes(b"it")
    both_say("wrong", run, name)


def test_a_folder_of_ours_that_is_none_is_noticed(run: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for target in ("empty", "nowhere"):
        (run / "signatures").symlink_to(tmp_path / target)
        both_say("wrong", run, "signatures")
        (run / "signatures").unlink()
    os.mkfifo(run / "signatures")
    both_say("wrong", run, "signatures")
    (run / "signatures").unlink()
    (run / "sessions").rename(tmp_path / "sessions")
    (run / "sessions").symlink_to(tmp_path / "sessions")
    both_say("wrong", run, "sessions")


@pytest.mark.parametrize("name", [b"\x1b[2Jcomplete", b"a\nrun x: complete and intact", b"\xff", "\u202e".encode()])
def test_a_name_cannot_speak_for_the_verifier(run: Path, name: bytes) -> None:
    (run / os.fsdecode(name)).write_bytes(b"")
    assert by_package(run).verdict == "wrong"
    told = by_script(run)
    assert (told.verdict, told.words.isascii(), told.words.count("\n"), "\x1b" in told.words) == (
        "wrong",
        True,
        1,
        False,
    )


@pytest.mark.parametrize(
    "data", [b"", b"{", b"null\n", b"[]\n", b"{}\n", b'{"head":"x","head":"y"}\n', b"\xff\n", b"[" * 99999]
)
def test_what_is_no_manifest_is_refused(run: Path, data: bytes) -> None:
    (run / "manifest.json").chmod(0o600)
    (run / "manifest.json").write_bytes(data)
    both_say("wrong", run)


@pytest.fixture(scope="module")
def flipped(worlds: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(worlds[0], tmp_path_factory.mktemp("flipped") / "run"))


@settings(max_examples=int(os.environ.get("KEYFERRY_TEST_FLIPS", "120")))
@given(data=st.data())
def test_no_flipped_bit_goes_unnoticed(flipped: Path, data: st.DataObject) -> None:
    run = flipped
    name = data.draw(st.sampled_from([name for name in files(run) if name != "verify.py"]))
    content = bytearray((run / name).read_bytes())
    place = data.draw(st.integers(0, len(content) * 8 - 1))
    content[place // 8] ^= 1 << place % 8
    with changed(run / name, bytes(content)):
        assert by_package(run).verdict == "wrong", (name, place)
        assert by_script_here(run).verdict == "wrong", (name, place)


@contextlib.contextmanager
def changed(path: Path, content: bytes) -> Iterator[None]:
    before = path.read_bytes()
    path.chmod(0o600)
    path.write_bytes(content)
    try:
        yield
    finally:
        path.write_bytes(before)
        path.chmod(0o400)
