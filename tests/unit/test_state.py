"""The state of a run as its journal and plan tell it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from keyferry.errors import CheckFailedError, UsageError
from keyferry.run import state
from keyferry.run.directory import RunDirectory
from keyferry.run.state import Decision, PairStage, Stage

if TYPE_CHECKING:
    from pathlib import Path

ENDED: dict[str, Any] = {"rule": None, "detail": None, "proof": None, "handle": None, "open": False, "code": None}
UNWRAP = {"act": "unwrap", "key": 11, "label": "a", "id": "kf-1"}
WAY: list[tuple[dict[str, Any], Stage]] = [
    ({"kind": "intent", "act": "wrap", "key": 11}, Stage.WRAP_INTENT),
    ({"kind": "done", "act": "wrap", "key": 11, "sha256": "ab", "size": 256}, Stage.WRAPPED),
    ({"kind": "done", "act": "move", "key": 11, "file": "11.wrapped", "sha256": "ab"}, Stage.MOVED),
    ({"kind": "intent", **UNWRAP}, Stage.UNWRAP_INTENT),
    ({"kind": "done", "act": "unwrap", "key": 11, "handle": 700}, Stage.UNWRAPPED),
    ({"kind": "key", "key": 11, "state": "verified", **ENDED, "proof": "kcv", "handle": 700}, Stage.VERIFIED),
]
PAIR_WAY: list[tuple[dict[str, Any], PairStage]] = [
    ({"kind": "intent", "act": "generate", "label": "wrap"}, PairStage.GENERATE_INTENT),
    ({"kind": "done", "act": "generate", "public": 1, "private": 2}, PairStage.GENERATED),
    ({"kind": "done", "act": "export", "sha256": "cd"}, PairStage.EXPORTED),
    ({"kind": "done", "act": "move", "file": "wrapping_public.pem", "sha256": "ef", "key": "cd"}, PairStage.EXPORTED),
    ({"kind": "intent", "act": "import", "label": "wrap", "sha256": "cd"}, PairStage.IMPORT_INTENT),
    ({"kind": "done", "act": "import", "handle": 149}, PairStage.IMPORTED),
    ({"kind": "intent", "act": "allow wrapping", "handle": 149}, PairStage.IMPORTED),
    ({"kind": "done", "act": "allow wrapping", "handle": 149}, PairStage.READY),
]


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    """A run that planned three keys, one of them skipped."""
    run = RunDirectory.create(tmp_path / "run", tmp_path)
    run.begin({"wrapping.bits": "2048"}, {"max_failures": False})
    run.journal.write("before", handles=[600, 601])
    keys = [_planned(11, "a"), _planned(12, "b"), _planned(13, "c") | {"state": "skipped", "rule": "KEY-TYPE"}]
    run.journal.write("planned", keys=3, sha256=run.write_json("plan.json", {"keys": keys}))
    return run


def _planned(handle: int, label: str) -> dict[str, Any]:
    return {"source_handle": handle, "label": label, "state": "planned", "rule": None, "detail": None}


def write(run: RunDirectory, **line: Any) -> None:
    run.journal.write(line.pop("kind"), **line)


def test_what_was_ordered_and_planned(run: RunDirectory) -> None:
    found = state.load(run.path)
    assert (found.run_id, found.settings, found.order["max_failures"]) == (run.run_id, {"wrapping.bits": "2048"}, False)
    assert sorted(found.before or ()) == [600, 601]
    assert [key.stage for key in found.keys.values()] == [Stage.PLANNED, Stage.PLANNED, Stage.SKIPPED]
    assert [key.handle for key in found.open_keys] == [11, 12]
    assert (found.head, found.ended) == (run.journal.head, False)


@pytest.mark.parametrize("length", range(1, len(WAY) + 1))
def test_each_line_takes_its_key_further_and_no_other(run: RunDirectory, length: int) -> None:
    for line, _stage in WAY[:length]:
        write(run, **line)
    found = state.load(run.path)
    assert found.keys[11].stage is WAY[length - 1][1]  # type: ignore[index] # handles are integers
    assert found.keys[12].stage is Stage.PLANNED  # type: ignore[index] # as above
    assert found.stages[Stage.SKIPPED] == 1


def test_a_key_keeps_what_was_learned_of_it(run: RunDirectory) -> None:
    for line, _stage in WAY:
        write(run, **line)
    key = next(iter(state.load(run.path).keys.values()))
    assert (key.blob, key.cloud_handle, key.proof, key.settled) == ("ab", 700, "kcv", True)


@pytest.mark.parametrize("length", range(1, len(PAIR_WAY) + 1))
def test_the_wrapping_pair_goes_its_own_way(run: RunDirectory, length: int) -> None:
    for line, _stage in PAIR_WAY[:length]:
        write(run, **line)
    pair = state.load(run.path).pair
    assert pair.stage is PAIR_WAY[length - 1][1]
    if length == len(PAIR_WAY):
        assert (pair.label, pair.public, pair.private, pair.source, pair.sha256) == ("wrap", 1, 2, 149, "cd")


def test_an_unknown_outcome_is_open_and_a_known_failure_is_not(run: RunDirectory) -> None:
    for line, _stage in WAY[:4]:
        write(run, **line)
    write(run, kind="key", key=11, state="needs_operator", **ENDED | {"rule": "OUTCOME-UNKNOWN", "open": True})
    write(run, kind="key", key=12, state="failed", **ENDED | {"rule": "TOOL-REFUSED"})
    found = state.load(run.path)
    assert [(key.handle, key.stage, key.before) for key in found.open_keys] == [
        (11, Stage.NEEDS_OPERATOR, Stage.UNWRAP_INTENT)
    ]


def test_a_decision_opens_a_key_until_the_run_acts_on_it(run: RunDirectory) -> None:
    write(run, kind="key", key=12, state="failed", **ENDED | {"rule": "TOOL-REFUSED"})
    write(run, kind="resolve", key=12, order="adopt", handle=700)
    (_, key) = state.load(run.path).open_keys
    assert (key.handle, key.decision) == (12, Decision("adopt", 700))  # type: ignore[arg-type] # an integer
    write(run, kind="key", key=12, state="verified", **ENDED | {"handle": 700})
    assert [key.handle for key in state.load(run.path).open_keys] == [11]


def test_the_last_login_of_a_role_counts(run: RunDirectory) -> None:
    for outcome in ("typed", "accepted", "typed", "refused"):
        write(run, kind="login", secret="PIN", outcome=outcome)
    write(run, kind="login", secret="password", outcome="typed")
    assert state.load(run.path).logins == {"PIN": "refused", "password": "typed"}


def test_a_line_without_an_end_never_happened(run: RunDirectory) -> None:
    with run.journal.path.open("ab") as file:
        file.write(b'{"seq":4,"kind":"intent","act":"wrap"')
    found = state.load(run.path)
    assert (found.open_keys[0].stage, found.torn) == (Stage.PLANNED, 37)


def test_lines_of_kinds_that_say_nothing_here_are_passed_over(run: RunDirectory) -> None:
    write(run, kind="notice", text="x")
    write(run, kind="done", act="compare", places={})
    assert state.load(run.path).stages == {"planned": 2, "skipped": 1}


@pytest.mark.parametrize("line", [1, 2])
def test_an_edited_journal_is_named_where_its_chain_breaks(run: RunDirectory, line: int) -> None:
    lines = run.journal.path.read_bytes().splitlines(keepends=True)
    lines[line - 1] = lines[line - 1].replace(b'"at":"2', b'"at":"3')
    run.journal.path.write_bytes(b"".join(lines))
    with pytest.raises(CheckFailedError, match=f"line {line + 1} is not as it was written"):
        state.load(run.path)


def test_a_plan_of_another_run_is_refused(run: RunDirectory) -> None:
    plan = json.loads((run.path / "plan.json").read_bytes())
    run.write_json("plan.json", plan | {"keys": plan["keys"][:1]})
    with pytest.raises(CheckFailedError, match="not the plan that this run made"):
        state.load(run.path)


def test_a_folder_without_a_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        state.load(tmp_path)
    (tmp_path / "journal.jsonl").write_bytes(b"")
    with pytest.raises(UsageError, match="holds no run"):
        state.load(tmp_path)
