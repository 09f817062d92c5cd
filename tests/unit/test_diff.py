"""Two runs of one plan side by side: what may differ is set aside, what may not is named."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

import shared
from keyferry.comparison.by_meaning import compare as by_meaning
from keyferry.comparison.by_text import ComparisonRow, compare
from keyferry.comparison.values import Pairing, choices, marked_line, marked_output
from runs import World, keyferry, recorded

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def runs() -> tuple[Path, Path]:
    """Two rehearsals of the same labels: other values, other handles on both sides, other serials of objects."""
    return recorded(keys=10), shared.once("run-other-handles", _with_other_handles) / "hsm/run"


def _with_other_handles(folder: Path) -> None:
    """Migrate after a pair was made and deleted, so that every later handle is another."""
    world = World.create(folder / "hsm", keys=10)
    config = ("--config", world.config)
    made = keyferry("kmu", "gen-rsa-key-pair", "--label", "x", "--json", *config).document
    for half in (made["public_handle"], made["private_handle"]):
        assert keyferry("kmu", "delete-key", half, "--yes", *config).status == 0
    assert world.migrate().status == 0


@pytest.fixture
def changed(runs: tuple[Path, Path], tmp_path: Path) -> Path:
    """The second run, to be changed."""
    shutil.copytree(runs[1], tmp_path / "changed")
    for path in (tmp_path / "changed").rglob("*"):
        path.chmod(0o700)
    return tmp_path / "changed"


def _differences(ours: Path, theirs: Path) -> list[ComparisonRow]:
    return [row for row in compare(ours, theirs) if row.differs]


def _joined(recording: str) -> str:
    """The same with each output in one piece: an echo may have come in two, and what is in both is not found."""
    events: list[list[object]] = []
    header, *lines = recording.splitlines()
    for event in map(json.loads, lines):
        if event[1] == "o" and events and events[-1][1] == "o":
            events[-1][2] = f"{events[-1][2]}{event[2]}"
        else:
            events.append(event)
    return "\n".join([header, *(json.dumps(one, ensure_ascii=False, separators=(",", ":")) for one in events), ""])


def _replace(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))


def test_runs_with_other_handles_and_values_are_the_same(runs: tuple[Path, Path]) -> None:
    rows = list(compare(*runs))
    assert [row for row in rows if row.differs] == []
    made = [row for row in rows if (row.ours or "").startswith("unWrapKey -f")]
    assert len(made) == 5
    assert all(row.ours != row.theirs for row in made)
    assert sum(row.step == "key" for row in rows) == 10


@pytest.mark.parametrize(
    ("tool", "before", "after", "step"),
    [
        ("001-key_mgmt_util", "-m 8 -t 2 -noheader", "-m 8 -t 3 -noheader", "7.2"),
        ("001-key_mgmt_util", " -nex\\r", "\\r", "1.2"),
        ("003-ckdemo", "CKA_EXTRACTABLE=01", "CKA_EXTRACTABLE=00", "5.1"),
        ("003-ckdemo", "CKA_VALUE_LEN=1800000000000000", "CKA_VALUE_LEN=1000000000000000", "5.1"),
    ],
)
def test_what_was_typed_or_answered_otherwise_is_named(
    runs: tuple[Path, Path], changed: Path, tool: str, before: str, after: str, step: str
) -> None:
    path = changed / "sessions" / f"{tool}.cast"
    line = path.read_text()[: path.read_text().index(before)].count("\n") + 1
    _replace(path, before, after)
    first = _differences(runs[0], changed)[0]
    assert first.step == step
    assert first.where[1].startswith(f"sessions/{tool}.cast:")
    assert 0 <= line - int(first.where[1].rpartition(":")[2]) <= 4


def test_a_handle_that_stands_for_two_is_a_difference(runs: tuple[Path, Path], changed: Path) -> None:
    path = changed / "sessions" / "001-key_mgmt_util.cast"
    handles = [row.theirs for row in compare(*runs) if (row.theirs or "").startswith("findSingleKey -k")]
    first, second = handles[2] or "", handles[3] or ""
    path.write_text(path.read_text().replace(f'"{second}\\r"', f'"{first}\\r"'))
    [different] = [row for row in _differences(runs[0], changed) if row.differs == "typed"]
    assert different.theirs == first


def test_a_line_too_many_and_one_too_few_are_named(runs: tuple[Path, Path], changed: Path) -> None:
    path = changed / "sessions" / "001-key_mgmt_util.cast"
    lines = path.read_text().split("\n")
    place = next(number for number, line in enumerate(lines) if '"i","exportPubKey -k' in line)
    path.write_text("\n".join([*lines[:place], '[0.3,"i","deleteKey -k 12\\r"]', *lines[place:]]))
    found = [(row.ours, row.theirs, row.step) for row in _differences(runs[0], changed) if row.ours is None]
    assert found == [(None, "deleteKey -k 12", "2.1")]
    back = [(row.ours, row.theirs) for row in _differences(changed, runs[0]) if row.theirs is None]
    assert back == [("deleteKey -k 12", None)]


def test_another_plan_or_outcome_comes_first(runs: tuple[Path, Path], changed: Path) -> None:
    _replace(changed / "journal.jsonl", '"state":"verified"', '"state":"failed"')
    plan = json.loads((changed / "plan.json").read_text())
    gone = plan["keys"].pop()
    (changed / "plan.json").write_text(json.dumps(plan))
    kinds = [(row.differs, (row.ours or "").partition(":")[0]) for row in _differences(runs[0], changed)[:2]]
    assert ("only one of the plans has this key", gone["label"]) in kinds
    assert "outcome" in {kind for kind, _label in kinds}


def test_the_command_tells_both_sides_and_ends_with_6(runs: tuple[Path, Path], changed: Path) -> None:
    same = keyferry("transcript", "diff", *runs)
    assert (same.status, same.err) == (0, "")
    assert " 1.2  genRSAKeyPair" in same.out
    _replace(changed / "sessions" / "001-key_mgmt_util.cast", " -nex\\r", "\\r")
    different = keyferry("transcript", "diff", runs[0], changed)
    assert different.status == 6
    assert "<- only one side typed this" in different.out or "<- typed" in different.out
    assert "step 1.2" in different.err
    assert keyferry("transcript", "diff", *runs, "--json").document["schema"] == "keyferry.diff/2"


@pytest.fixture
def worded_otherwise() -> Path:
    """The same keys through tools that say it all in other words, numbers and orders."""
    return recorded(keys=10, jitter="A")


def test_by_meaning_other_words_are_no_difference(runs: tuple[Path, Path], worded_otherwise: Path) -> None:
    assert keyferry("transcript", "diff", runs[0], worded_otherwise).status == 6
    done = keyferry("transcript", "diff", runs[0], worded_otherwise, "--meaning")
    assert (done.status, done.err) == (0, "")
    assert "wrap a key (key tenant=0007, digest sha1" in done.out


@pytest.mark.parametrize(
    ("tool", "before", "after", "words"),
    [
        ("001-key_mgmt_util", "-m 8 -t 2 -noheader", "-m 8 -t 3 -noheader", "digest sha256"),
        ("001-key_mgmt_util", " -nex\\r", "\\r", "make the pair (label classic_wrap, bits 2048, extractable True"),
        ("003-ckdemo", "CKA_EXTRACTABLE=01", "CKA_EXTRACTABLE=00", "extractable False"),
        ("003-ckdemo", "Wrapped key was saved", "Wrapped key was lost", "not understood"),
    ],
)
def test_by_meaning_other_acts_are(
    worded_otherwise: Path, changed: Path, tool: str, before: str, after: str, words: str
) -> None:
    """In the answer or, as a person would see it, in its echo."""
    path = changed / "sessions" / f"{tool}.cast"
    text = _joined(path.read_text())
    assert before in text
    path.write_text(text.replace(before, after).replace(before.replace("\\r", "\\r\\n"), after))
    different = [row for row in by_meaning(worded_otherwise, changed) if row.differs]
    assert any(words in (row.theirs or "") for row in different), different
    assert all(row.where[0].startswith("sessions/") or row.ours is None for row in different)


@pytest.fixture
def runs_by_cli() -> tuple[Path, Path, Path]:
    """Through CloudHSM CLI: twice alike but for values, references and handles, then in other words."""
    tool = "cloudhsm-cli"
    return recorded(tool, keys=10), recorded(tool, keys=10, other="again"), recorded(tool, keys=10, jitter="A")


def test_runs_through_cloudhsm_cli_are_the_same(runs_by_cli: tuple[Path, Path, Path]) -> None:
    ours, theirs, in_other_words = runs_by_cli
    rows = list(compare(ours, theirs))
    assert [row for row in rows if row.differs] == []
    assert sum((row.ours or "").startswith("key unwrap rsa-oaep") for row in rows) == 5
    rows = list(by_meaning(ours, in_other_words))
    assert [row for row in rows if row.differs] == []
    assert sum((row.ours or "").startswith("unwrap a key (label ") for row in rows) == 5


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("--hash-function sha1", "--hash-function sha256", "digest sha256"),
        ("--label tenant", "--label tenent", "label tenent"),
        ("extractable=false", "extractable=true", "extractable True"),
    ],
)
def test_what_cloudhsm_cli_was_told_otherwise_is_named(
    runs_by_cli: tuple[Path, Path, Path], tmp_path: Path, before: str, after: str, words: str
) -> None:
    ours, theirs, _ = runs_by_cli
    changed = shutil.copytree(theirs, tmp_path / "changed")
    path = changed / "sessions/001-cloudhsm-cli.cast"
    path.chmod(0o600)
    text = _joined(path.read_text())
    assert before in text
    path.write_text(text.replace(before, after))
    assert {row.differs for row in _differences(ours, changed)} & {"typed"}
    different = [row for row in by_meaning(ours, changed) if row.differs]
    assert any(words in (row.theirs or "") for row in different), different


def test_numbers_of_a_menu_have_names() -> None:
    screen = "( 1) Open Session  (60) Wrap key\n[25]RSA_OAEP       [26]SET_OAEP\n15 - CKA_WRAP\n"
    assert choices(screen) == {
        "1": "Open Session",
        "60": "Wrap key",
        "25": "RSA_OAEP",
        "26": "SET_OAEP",
        "15": "CKA_WRAP",
    }


@given(st.lists(st.integers(0, 99_999), min_size=1, max_size=8), st.permutations(range(8)))
def test_values_pair_off_one_to_one(handles: list[int], order: list[int]) -> None:
    """Any renaming of handles that is one to one is no difference; one that joins two is."""
    there = {handle: str(700_000 + order[place % 8] + 8 * place) for place, handle in enumerate(dict.fromkeys(handles))}
    pairing = Pairing(frozenset())
    for handle in handles:
        ours, theirs = marked_line(f"getAttribute -o {handle}", ""), marked_line(f"getAttribute -o {there[handle]}", "")
        assert pairing.same(ours, theirs, "destination")
    new, taken = max(handles) + 1, there[handles[0]]
    assert not pairing.same(marked_line(f"findKey -k {new}", ""), marked_line(f"findKey -k {taken}", ""), "destination")


def test_names_of_the_plan_are_no_values() -> None:
    ours, theirs = marked_output("CKA_LABEL=payments\n"), marked_output("CKA_LABEL=payroll\n")
    assert Pairing(frozenset()).same(ours, theirs, "source")
    assert not Pairing(frozenset({"payments"})).same(ours, theirs, "source")


@pytest.mark.parametrize(("theirs", "same"), [(1216, True), (24, False)])
def test_how_long_a_private_key_is_written_is_a_value(theirs: int, same: bool) -> None:
    ours = 1218 if same else 32
    one, other = (marked_output(f'"key-length-bytes": {length},\n') for length in (ours, theirs))
    assert Pairing(frozenset()).same(one, other, "destination") == same
