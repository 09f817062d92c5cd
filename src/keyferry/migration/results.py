from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from keyferry.errors import PRECEDENCE, Exit, KeyferryError, MismatchError, first_of
from keyferry.events import KeyFinished, KeysPlanned
from keyferry.run.rehearsal import is_rehearsal
from keyferry.run.state import Decision, Stage
from keyferry.text import value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from keyferry.events import Bus
    from keyferry.migration.wrapping_key import WrappingKey
    from keyferry.pkcs11 import DestinationHandle, Kcv, Sha256, SourceHandle
    from keyferry.planning.evaluate import PlannedKey


_NO_FOLDER = Path(os.devnull)  # no file is in it
STATES = ("planned", "verified", "skipped", "failed", "needs_operator")


@dataclass(slots=True)
class KeyResult:
    """What became of one key. proof: `kcv`, `length` or None; notes: the lists of ATTRIBUTES-MATCH.

    stage: how far it came, blob: the hash of its wrapped file. beside: keys of the destination that look like it and
    are known not to be it; others: those that its end speaks of. decision: an operator's. open: its end is not
    known, so a resumed run finds it out. intended: when its last command was. code: of its error.
    kcv_there, attributes_there: what the destination gives; nodes, coverage: CLUSTER-COVERAGE as the tool printed it.
    """

    planned: PlannedKey
    state: str = "planned"
    stage: Stage = Stage.PLANNED
    blob: Sha256 | None = None
    beside: frozenset[DestinationHandle] = frozenset()
    others: frozenset[DestinationHandle] = frozenset()
    decision: Decision | None = None
    intended: str | None = None
    open: bool = False
    code: Exit | None = None
    rule: str | None = None
    detail: str | None = None
    proof: str | None = None
    destination_handle: DestinationHandle | None = None
    kcv_there: Kcv | None = None
    attributes_there: dict[str, str] = field(default_factory=dict)
    nodes: tuple[int, ...] = ()
    coverage: Mapping[str, Sequence[str]] = field(default_factory=dict)
    notes: dict[str, list[str]] = field(default_factory=dict)
    error: KeyferryError | None = None

    def end(self, state: str, rule: str | None = None, detail: str | None = None) -> None:
        self.state, self.rule, self.detail = state, rule, detail

    @property
    def handle(self) -> SourceHandle:
        return self.planned.handle

    def json(self) -> dict[str, object]:
        return self.planned.json() | {
            "state": self.state,
            "rule": self.rule,
            "detail": self.detail,
            "proof": self.proof,
            "destination_handle": self.destination_handle,
        }


@dataclass(slots=True)
class RunResult:
    """What a run came to, also when an error ended it (`error`). head: of its record, once that is complete."""

    run_dir: Path
    keys: list[KeyResult] = field(default_factory=list)
    wrapping_key: WrappingKey | None = None
    error: KeyferryError | None = None
    head: str | None = None

    @property
    def totals(self) -> dict[str, int]:
        """TOTALS-BALANCE: at the end `planned` is the sum of the four others."""
        counts = Counter(result.state for result in self.keys)
        return {"planned": len(self.keys)} | {state: counts[state] for state in STATES[1:]}

    def json(self) -> dict[str, object]:
        """The document `keyferry.run/2`."""
        return {
            "schema": "keyferry.run/2",
            "run_dir": str(self.run_dir),
            "head": self.head,
            "exit_code": int(self.exit_code),
            "error": self.error and error_json(self.error),
            "rehearsal": is_rehearsal(self.run_dir),
            "wrapping_key": self.wrapping_key.json() if self.wrapping_key else None,
            "keys": [result.json() for result in self.keys],
            "totals": self.totals,
        }

    @property
    def exit_code(self) -> Exit:
        """With mixed outcomes the strongest; an error of another kind (usage, a check, a signal) stands alone."""
        some_crossed = any(result.state == "verified" for result in self.keys)
        codes = {_code(result, some_crossed) for result in self.keys} - {Exit.DONE}
        if self.error is None:
            return first_of(codes)
        if self.error.exit_code not in PRECEDENCE:
            return self.error.exit_code
        return first_of(codes | {self.error.exit_code})


def not_begun(error: KeyferryError, run_dir: Path | None) -> dict[str, object]:
    """Return the document `keyferry.run/2` of a command that failed before it could begin or resume a run."""
    told = RunResult(run_dir or _NO_FOLDER, error=error).json()
    return told if run_dir else told | {"run_dir": None}


def announce(bus: Bus, keys: Sequence[KeyResult]) -> list[PlannedKey]:
    """Tell what is planned, and of each other key how it ended; gives the keys that cross."""
    crossing = [result.planned for result in keys if result.state == "planned"]
    bus.tell(KeysPlanned(len(keys), len(crossing)))
    for result in keys:
        if result.state != "planned":
            bus.tell(KeyFinished(result.planned.name, result.state, result.rule, result.detail))
    return crossing


def error_json(error: KeyferryError) -> dict[str, str | None]:
    """Return the fields of an error that a caller can act on."""
    return {name: getattr(error, name) for name in ("what", "rule", "step", "keys")} | {"hint": error.advice}


def _code(result: KeyResult, some_crossed: bool) -> Exit:
    if result.state not in ("needs_operator", "failed"):
        return Exit.DONE
    if Exit.MISMATCH in (result.code, result.error and result.error.exit_code):
        return Exit.MISMATCH
    if result.state == "needs_operator":
        return Exit.NEEDS_OPERATOR
    return Exit.PARTIAL if some_crossed else Exit.FAILED


def balance(
    result: RunResult,
    before: frozenset[DestinationHandle],
    now: frozenset[DestinationHandle],
    arrived: frozenset[DestinationHandle],
    rejected: frozenset[DestinationHandle] = frozenset(),
) -> None:
    """MismatchError where the totals do not balance.

    before, now: the destination's secret keys before anything was changed, and now. arrived: all that unwraps of
    this run made. rejected: those of them that have another value, which an operator may have removed. A key that
    needs an operator may have come without anybody seeing its handle.
    """
    totals = result.totals
    ended = sum(count for state, count in totals.items() if state != "planned")
    wanted = {key.destination_handle for key in result.keys if key.destination_handle is not None}
    gone = sorted(wanted - rejected - now)
    told = arrived.union(*(key.others for key in result.keys))
    strange = sorted(now - before - told)
    if ended == totals["planned"] and not gone and len(strange) <= totals["needs_operator"]:
        return
    raise MismatchError(
        f"the totals do not balance: {value(totals)}; {len(arrived)} unwrapped,"
        f" {len(now) - len(before)} more keys on the destination",
        rule="TOTALS-BALANCE",
        step="end",
        seen=f"unwrapped by this run and gone: {_told(gone)}\nnot of this run and new: {_told(strange)}",
        keys="each key's own verdict stands; something else made or removed keys of this user meanwhile",
    )


def _told(handles: list[DestinationHandle]) -> str:
    return ", ".join(map(str, handles)) or "none"
