"""What the record costs: `python tests/benchmarks/recording.py [KEYS [ROUNDS]]` (100 and 5 unless told).

The same rehearsal is done with its record and without (no session recorded, no journal, no manifest), in turn; the
share is what the record adds to the wall time, of the medians. Then how long the two verifiers take over such a
record, and in how much memory. The issue wants the share under 15 %.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
import tracemalloc
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from keyferry.config import load
from keyferry.emulator import install
from keyferry.events import Bus
from keyferry.procedure.command import migrate
from keyferry.procedure.journal import Journal
from keyferry.procedure.order import Selection
from keyferry.procedure.rundir import RunDirectory
from keyferry.procedure.verification import verify
from keyferry.transcript.recorder import Recorder
from keyferry.transcript.verify import Run

if TYPE_CHECKING:
    from collections.abc import Callable

RECORDING = {
    Recorder: ("output", "keys", "secret", "cut", "exit", "flush", "sync", "close"),
    Journal: ("write", "note"),
    RunDirectory: ("finish",),
}


def carried(folder: Path, keys: int, *, record: bool) -> float:
    """Carry so many keys, and give the wall time."""
    install.create(folder / "hsm", keys=keys)
    config = load(folder / "hsm/keyferry.toml", {})
    with ExitStack() as without:
        for owner, names in () if record else RECORDING.items():
            for name in names:
                without.enter_context(mock.patch.object(owner, name, _nothing))
        start = time.perf_counter()
        result = migrate(config, Selection(), folder / "run", Bus())
        wall = time.perf_counter() - start
    assert result.error is None, result.error
    return wall


def _nothing(*_arguments: Any, **_named: Any) -> None:
    pass


def measured(check: Callable[[], object]) -> dict[str, float]:
    """Seconds, and in a second go the peak of what Python allocates, in MB."""
    start = time.perf_counter()
    check()
    seconds = time.perf_counter() - start
    tracemalloc.start()
    check()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return {"seconds": round(seconds, 2), "peak_mb": round(peak / 1e6, 2)}


def main(keys: int = 100, rounds: int = 5) -> None:
    with tempfile.TemporaryDirectory() as name:
        walls: dict[bool, list[float]] = {True: [], False: []}
        for number in range(2 * rounds):
            record = number % 2 == 0
            walls[record].append(carried(Path(name, str(number)), keys, record=record))
        with_record, without = (statistics.median(walls[record]) for record in (True, False))
        run = Path(name, "0/run")
        found = {
            "keys": keys,
            "wall_seconds": round(with_record, 2),
            "without_record": round(without, 2),
            "recording_share": round(1 - without / with_record, 3),
            "verify": measured(lambda: verify(run)),
            "verify.py": measured(lambda: Run(run).verify()),
        }
    sys.stdout.write(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
