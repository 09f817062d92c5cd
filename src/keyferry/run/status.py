"""A run as an operator asks for it, also while it goes on: what is done, what is open, what to do next."""

from __future__ import annotations

import shlex
import signal
from typing import TYPE_CHECKING

from keyferry.run import state
from keyferry.run.journal import is_held
from keyferry.run.manifest import written_head
from keyferry.run.state import ENDS, JOURNAL, PairStage, RunState, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from keyferry.run.state import KeyState


WITHOUT_BLOB = frozenset({Stage.PLANNED, Stage.WRAP_INTENT})
"""Where a key must be wrapped (again): a wrap changes nothing on either side, so it may be repeated."""


_UNMADE = frozenset({PairStage.NONE, PairStage.GENERATE_INTENT, PairStage.GENERATED})
_LOOK_EVERY = 1.0  # seconds

SIDES = {"1-2": "destination", "4-5": "source", "7": "destination"}
"""Where the parts of an air-gapped run are done."""
ON = {"destination": "on the destination client", "source": "on the source client"}


def document(directory: Path) -> dict[str, object]:
    """The document `keyferry.status/2`. Nothing is locked and nothing is logged in to."""
    running, run = is_held(directory / JOURNAL), state.load(directory)
    return {
        "schema": "keyferry.status/2",
        "run_dir": str(directory),
        "run_id": run.run_id,
        "state": _state(run, running=running),
        "begun": run.begun,
        "last": run.last,
        "head": None if running else written_head(directory),
        "wrapping_key": {
            "stage": run.pair.stage.value,
            "label": run.pair.label,
            "public_handle": run.pair.public,
            "private_handle": run.pair.private,
            "source_handle": run.pair.source,
            "sha256": run.pair.sha256,
        },
        "keys": [_key(key) for key in run.keys.values()],
        "stages": run.stages,
        "next": None if running else _next(run, directory),
        "next_on": None if running else _next_on(run),
    }


def changes(directory: Path) -> Iterator[dict[str, object]]:
    """The status now, and again whenever it is another, until nobody writes the run or SIGINT comes."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    last = None
    try:
        while True:
            found = document(directory)
            if found != last:
                yield found
            last = found
            if found["state"] != "running" or signal.sigtimedwait({signal.SIGINT}, _LOOK_EVERY):
                return
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _state(run: RunState, *, running: bool) -> str:
    if running:
        return "running"
    if run.wrong_values:
        return "needs operator"
    if _has_more(run):
        return "resumable"
    return "needs operator" if Stage.NEEDS_OPERATOR.value in run.stages else "ended"


def _has_more(run: RunState) -> bool:
    """Whether a resumed run would do something: none of a single action, nor of a dry run that looked at all."""
    if not run.order or (run.ended and run.order.get("selection", {}).get("dry_run")):
        return False
    return not run.ended or bool(run.open_keys)


def _key(key: KeyState) -> dict[str, object]:
    return {
        "source_handle": key.handle,
        "label": key.label,
        "stage": key.stage.value,
        "rule": key.rule,
        "detail": key.detail,
        "destination_handle": key.cloud_handle,
        "decision": key.decision and key.decision.what,
    }


def _next(run: RunState, directory: Path) -> str | None:
    """The command that takes this run further."""
    where = shlex.quote(str(directory))
    for key in run.wrong_values:
        return f"keyferry resolve {where} {key.handle} --retry | --skip"
    if run.order.get("legs") and (steps := next_leg(run)):
        keys = " --all" if steps == "4-5" and run.plan is None else ""
        return f"keyferry migrate --run-dir {where} --steps {steps}{keys}"
    if _has_more(run):
        return f"keyferry resume {where}"
    if unsure := [key for key in run.keys.values() if key.stage is Stage.NEEDS_OPERATOR]:
        return f"keyferry resolve {where} {unsure[0].handle} --adopt HANDLE | --retry | --skip"
    return None


def _next_on(run: RunState) -> str | None:
    """The side on whose host the next command of an air-gapped run has to run; None where any host serves."""
    if run.wrong_values or not run.order.get("legs") or (steps := next_leg(run)) is None:
        return None
    return SIDES[steps]


def next_leg(past: RunState) -> str | None:
    """Which steps come next; None where all is done."""
    if past.pair.stage in _UNMADE:
        return "1-2"
    if past.plan is None or any(_stage(key) in WITHOUT_BLOB for key in past.open_keys):
        return "4-5"
    return None if past.ended and not past.open_keys else "7"


def _stage(key: KeyState) -> Stage:
    return key.before if key.stage in ENDS else key.stage
