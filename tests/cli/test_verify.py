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

from keyferry.errors import MismatchError
from keyferry.procedure.verification import verify
from records import SCRIPT, by_package, by_script, by_script_here, edit, rechain, restamp
from runs import World, keyferry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CKDEMO, CMU = "sessions/003-ckdemo.cast", "sessions/005-cmu.cast"


@pytest.fixture(scope="session")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two runs of the same kind."""
    folders = []
    for name in ("one", "other"):
        folder = tmp_path_factory.mktemp("records") / name
        assert World.create(folder).migrate().status == 0
        folders.append(folder / "run")
    return folders[0], folders[1]


@pytest.fixture
def run(worlds: tuple[Path, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(worlds[0], tmp_path / "run"))


@pytest.fixture
def other(worlds: tuple[Path, Path]) -> Path:
    return worlds[1]


def head_of(run: Path) -> str:
    return str(json.loads((run / "manifest.json").read_bytes())["head"])


def both_say(verdict: str, run: Path, *words: str, head: str | None = None) -> None:
    for told in (by_package(run, head), by_script(run, head)):
        assert told.verdict == verdict, told
        assert all(word in told.words for word in words), told


def test_a_run_is_whole_and_so_is_a_copy_that_lost_its_modes(run: Path) -> None:
    both_say("complete", run)
    both_say("complete", run, head=head_of(run))
    for path in run.rglob("*"):
        path.chmod(0o777)
    both_say("complete", run, head=head_of(run))


def event_edited(lines: list[bytes]) -> list[bytes]:
    return [*lines[:40], lines[40].replace(b'"', b'" ', 1), *lines[41:]]


def typed_line_edited(lines: list[bytes]) -> list[bytes]:
    place = next(number for number, line in enumerate(lines) if number > 40 and b'"i","' in line)
    return [*lines[:place], lines[place].replace(b'"i","', b'"i","9'), *lines[place + 1 :]]


def event_removed(lines: list[bytes]) -> list[bytes]:
    return lines[:40] + lines[41:]


def event_repeated(lines: list[bytes]) -> list[bytes]:
    return lines[:41] + lines[40:]


def two_events_swapped(lines: list[bytes]) -> list[bytes]:
    return [*lines[:40], lines[41], lines[40], *lines[42:]]


def tail_cut(lines: list[bytes]) -> list[bytes]:
    return lines[:-5]


def line_torn(lines: list[bytes]) -> list[bytes]:
    return [*lines[:-1], lines[-1][:-9]]


def closing_record_removed(lines: list[bytes]) -> list[bytes]:
    return lines[:-1]


def header_edited(lines: list[bytes]) -> list[bytes]:
    return [lines[0].replace(b'"user":"', b'"user":"x'), *lines[1:]]


def redaction_edited(lines: list[bytes]) -> list[bytes]:
    place = next(number for number, line in enumerate(lines) if b'"v","' in line)
    return [*lines[:place], lines[place].replace(b" -", b" 4"), *lines[place + 1 :]]


def secret_renamed(lines: list[bytes]) -> list[bytes]:
    return [line.replace(b"partition PIN", b"another PIN") for line in lines]


def line_added(lines: list[bytes]) -> list[bytes]:
    return [*lines, b'[99.0,"x","0"]\n']


def carriage_returns(lines: list[bytes]) -> list[bytes]:
    return [line.replace(b"\n", b"\r\n") for line in lines]


def byte_order_mark(lines: list[bytes]) -> list[bytes]:
    return [b"\xef\xbb\xbf" + lines[0], *lines[1:]]


def key_doubled(lines: list[bytes]) -> list[bytes]:
    return [b'{"version":2,' + lines[0][1:], *lines[1:]]


def number_otherwise(lines: list[bytes]) -> list[bytes]:
    return [lines[0].replace(b'"version":2,', b'"version":2e0,'), *lines[1:]]


def emptied(_lines: list[bytes]) -> list[bytes]:
    return []


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
    path = run / "run.json"
    path.chmod(0o600)
    path.write_bytes(path.read_bytes().replace(b'"started":"2', b'"started":"1'))
    before = (run / "manifest.json").read_bytes()
    both_say("wrong", run, "run.json")
    restamp(run)  # whoever can rewrite everything can forge everything ...
    both_say("complete", run)
    both_say("wrong", run, "head", head=head)  # ... but not a head that was noted elsewhere
    forged = (run / "manifest.json").read_bytes()
    (run / "manifest.json").write_bytes(forged.replace(head_of(run).encode(), head.encode()))
    both_say("wrong", run, "manifest.json")
    (run / "manifest.json").write_bytes(before.replace(b'"failed":0', b'"failed":1'))
    both_say("wrong", run)


@pytest.mark.parametrize(
    "data", [b"", b"{", b"null\n", b"[]\n", b"{}\n", b'{"head":"x","head":"y"}\n', b"\xff\n", b"[" * 99999]
)
def test_what_is_no_manifest_is_refused(run: Path, data: bytes) -> None:
    (run / "manifest.json").chmod(0o600)
    (run / "manifest.json").write_bytes(data)
    both_say("wrong", run)


@settings(max_examples=int(os.environ.get("KEYFERRY_TEST_FLIPS", "120")))
@given(data=st.data())
def test_no_flipped_bit_goes_unnoticed(worlds: tuple[Path, Path], data: st.DataObject) -> None:
    run = worlds[0]
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


def test_the_command_tells_what_it_proves(run: Path) -> None:
    done = keyferry("verify", run)
    assert done.status == 0
    assert "complete and intact" in done.out
    assert f"head: {head_of(run)}" in done.out
    assert done.out.endswith("unsigned: whoever can rewrite everything can forge everything\n")
    assert "unsigned" not in keyferry("verify", run, "--head", head_of(run)).out


def test_the_command_names_what_is_wrong(run: Path) -> None:
    assert keyferry("verify", run, "--head", "0" * 64).status == 6
    edit(run / CKDEMO, event_edited)
    done = keyferry("verify", run)
    assert done.status == 6
    assert "003-ckdemo.cast: line 41" in done.err
    assert done.out == ""


@pytest.mark.parametrize("arguments", [(), ("nowhere",), (".", "--head", "12")])
def test_words_that_name_no_run(arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert keyferry("verify", *arguments).status == 2


def test_the_script_is_in_every_run_and_the_package_gives_it(run: Path) -> None:
    assert (run / "verify.py").read_bytes() == SCRIPT.read_bytes()
    assert keyferry("verify", "--emit-script").out == SCRIPT.read_text()
    assert len(SCRIPT.read_text().splitlines()) < 200
    digest = hashlib.sha256(SCRIPT.read_bytes()).hexdigest()
    assert digest in (Path(__file__).parents[2] / "docs" / "audit.md").read_text()


def test_a_single_action_has_a_record_too(tmp_path: Path) -> None:
    world = World.create(tmp_path / "hsm")
    done = keyferry("kmu", "list-users", "--config", world.config, KEYFERRY_RUN_DIRECTORY=str(tmp_path / "runs"))
    assert done.status == 0, done.err
    [run] = (tmp_path / "runs").iterdir()
    both_say("complete", run)
    with pytest.raises(MismatchError):
        verify(run, "0" * 64)
