"""What the record costs: `python tests/benchmarks/recording.py [KEYS]` (100 unless told).

In one rehearsal, the share of its wall time that is spent recording: recorder, journal, manifest, their hashes
and their waits for the disk. Then how long the two verifiers take over that record, and in how much memory.
The issue wants the first under 15 %.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any

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

_RECORDING = {
    Recorder: ("__init__", "output", "typed", "secret", "cut", "exit", "flush", "sync", "close"),
    Journal: ("write", "note"),
    RunDirectory: ("write", "write_json", "finish"),
}


class Meter:
    """Seconds inside any of the watched methods, each moment counted once."""

    def __init__(self) -> None:
        self.seconds, self._depth = 0.0, 0

    def watch(self, owner: type, name: str) -> None:
        inner = getattr(owner, name)

        def timed(*arguments: Any, **named: Any) -> Any:
            start, self._depth = time.perf_counter(), self._depth + 1
            try:
                return inner(*arguments, **named)
            finally:
                self._depth -= 1
                if not self._depth:
                    self.seconds += time.perf_counter() - start

        setattr(owner, name, timed)


def recorded(folder: Path, keys: int) -> tuple[float, float]:
    """Carry so many keys; gives the wall time and what of it was recording."""
    meter = Meter()
    for owner, names in _RECORDING.items():
        for name in names:
            meter.watch(owner, name)
    install.create(folder / "hsm", keys=keys)
    config = load(folder / "hsm/keyferry.toml", {})
    start = time.perf_counter()
    result = migrate(config, Selection(), folder / "run", Bus())
    wall = time.perf_counter() - start
    assert result.error is None, result.error
    return wall, meter.seconds


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


def main() -> None:
    keys = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wall, recording = recorded(folder, keys)
        found = {
            "keys": keys,
            "wall_seconds": round(wall, 2),
            "recording_seconds": round(recording, 2),
            "recording_share": round(recording / wall, 3),
            "verify": measured(lambda: verify(folder / "run")),
            "verify.py": measured(lambda: Run(folder / "run").verify()),
        }
    sys.stdout.write(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
