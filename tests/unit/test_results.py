from __future__ import annotations

import json
from pathlib import Path

import pytest

from keyferry.errors import (
    CheckFailedError,
    Exit,
    InterruptedRunError,
    JournalHeldError,
    KeyferryError,
    LockoutNearError,
    LoginRefusedError,
    MismatchError,
    NeedsOperatorError,
    RecordFailedError,
    ToolRefusedError,
    UnknownScreenError,
    UnreachableError,
    UsageError,
    first_of,
)
from keyferry.migration.results import KeyResult, RunResult
from keyferry.pkcs11 import DestinationHandle
from keyferry.planning.rules import Verdict
from keys import planned, source

REFUSED = ToolRefusedError("no", code="CKR_X", tool="ckdemo")


def _result(state: str, error: KeyferryError | None = None) -> KeyResult:
    result = KeyResult(planned())
    result.end(state)
    result.error = error
    return result


def _run(*states: str | tuple[str, KeyferryError], error: KeyferryError | None = None) -> RunResult:
    results = [_result(state) if isinstance(state, str) else _result(*state) for state in states]
    return RunResult(Path("run"), results, error=error)


@pytest.mark.parametrize(
    ("run", "code"),
    [
        (_run(), 0),
        (_run("verified", "skipped"), 0),
        (_run("skipped"), 0),
        (_run("planned"), 0),
        (_run("verified", ("failed", REFUSED)), 3),
        (_run("skipped", ("failed", REFUSED)), 1),
        (_run("failed"), 1),
        (_run("verified", ("failed", MismatchError("x")), ("failed", REFUSED)), 6),
        (_run("verified", ("needs_operator", NeedsOperatorError("x")), ("failed", REFUSED)), 7),
        (_run(("needs_operator", NeedsOperatorError("x")), ("failed", MismatchError("x"))), 6),
        (_run(("needs_operator", UnreachableError("x")), error=UnreachableError("x")), 9),
        (_run("verified", ("needs_operator", UnknownScreenError("x")), error=UnknownScreenError("x")), 10),
        (_run(("failed", MismatchError("x")), error=RecordFailedError("x")), 12),
        (_run("verified", error=JournalHeldError("x")), 11),
        (_run(("failed", MismatchError("x")), error=LoginRefusedError("x")), 4),
        (_run("verified", ("failed", REFUSED), error=REFUSED), 3),
        (_run(error=REFUSED), 1),
        (_run(error=UsageError("x")), 2),
        (_run(error=LockoutNearError("x")), 5),
        (_run("planned", error=CheckFailedError("x")), 8),
        (_run("verified", ("failed", MismatchError("x")), error=InterruptedRunError(1)), 129),
        (_run("verified", "planned", error=InterruptedRunError(2)), 130),
        (_run("verified", "planned", error=InterruptedRunError(15)), 143),
    ],
)
def test_the_exit_code(run: RunResult, code: int) -> None:
    assert run.exit_code == code


def test_the_first_that_applies() -> None:
    left = {Exit(code) for code in (12, 11, 10, 9, 4, 6, 7, 3, 1)}
    for code in (12, 11, 10, 9, 4, 6, 7, 3, 1):
        assert first_of(left) == code
        left.remove(Exit(code))
    assert first_of(left) == Exit.DONE


def test_totals_count_every_key_once() -> None:
    run = _run("verified", "verified", "skipped", "failed", "needs_operator", "planned")
    assert run.totals == {"planned": 6, "verified": 2, "skipped": 1, "failed": 1, "needs_operator": 1}


def test_the_document_of_a_key_that_crossed() -> None:
    result = KeyResult(planned(source(label="a b"), new_label="a_b-42", new_id="kf-1"))
    result.end("verified")
    result.proof, result.destination_handle = "kcv", DestinationHandle(9)
    assert result.json() == {
        "source_handle": 42,
        "label": "a b",
        "new_label": "a_b-42",
        "id": "kf-1",
        "type": "AES",
        "bits": 256,
        "state": "verified",
        "rule": None,
        "detail": None,
        "proof": "kcv",
        "kcv": "a1b2c3",
        "destination_handle": 9,
    }


@pytest.mark.parametrize(("shown", "told"), [("cafe", "cafe"), ("", None)])
def test_a_key_that_stays_has_no_new_names(shown: str, told: str | None) -> None:
    result = KeyResult(planned(source(id_shown=shown), verdict=Verdict("KEY-TYPE", "x"), new_id="kf-1", kcv=None))
    result.end("skipped", "KEY-TYPE", "x")
    document = result.json()
    assert (document["new_label"], document["id"], document["rule"], document["kcv"]) == (None, told, "KEY-TYPE", None)


def test_the_document_is_json_whatever_a_label_holds() -> None:
    stays = planned(source(label="\udcff\x00é"), verdict=Verdict("LABEL-TYPEABLE", "x"))
    run = RunResult(Path("run"), [KeyResult(stays)])
    document = json.loads(json.dumps(run.json(), ensure_ascii=False).encode())
    assert document["schema"] == "keyferry.run/2"
    assert document["wrapping_key"] is None
    assert document["keys"][0]["label"] == "?\x00é"


def test_a_failed_run_can_be_told_from_an_empty_partition() -> None:
    empty = RunResult(Path("run"), head="ab").json()
    assert (empty["exit_code"], empty["error"], empty["head"]) == (0, None, "ab")
    error = MismatchError("the keys differ", rule="KCV-MATCH", step="7.2", keys="one key", hint="look", seen="x")
    failed = RunResult(Path("run"), error=error).json()
    assert (failed["exit_code"], failed["head"]) == (6, None)
    assert failed["error"] == {
        "what": "the keys differ",
        "rule": "KCV-MATCH",
        "step": "7.2",
        "keys": "one key",
        "hint": "look",
    }
