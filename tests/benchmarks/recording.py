"""What the record costs: `python tests/benchmarks/recording.py [KEYS [ROUNDS]]` (100 and 5 unless told).

`keyferry rehearse` is done with its record (`on`), with the same record that waits for no disk (`unwaited`) and without
one (`off`: no session recorded, no journal, no manifest), in turn, each time by a process of its own as a user would.
The share is what the record adds to the wall time, of the medians; the issue wants that of `on` under 15 %. Beside it
the same of the run alone, without the start of Python and the making of two HSMs that a rehearsal also is. Then how
long the two verifiers take over such a record, and in how much memory.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from unittest import mock

from keyferry.cli.__main__ import main as keyferry
from keyferry.migration import start as command
from keyferry.recording.recorder import Recorder
from keyferry.run.directory import RunDirectory
from keyferry.run.journal import Journal
from keyferry.verification.record import verify
from keyferry.verification.verify import Run

if TYPE_CHECKING:
    from collections.abc import Callable

    from keyferry.config import Config
    from keyferry.events import Bus
    from keyferry.migration.results import RunResult
    from keyferry.planning.selection import Selection

Record = Literal["on", "unwaited", "off"]
RECORDING = {
    Recorder: ("output", "keys", "secret", "cut", "exit", "flush", "sync", "close"),
    Journal: ("write", "note"),
    RunDirectory: ("finish",),
}


def timed(folder: Path, keys: int, record: Record) -> dict[str, float]:
    """One rehearsal's wall times in seconds: of the command, and of the run in it."""
    told = folder.with_suffix(".run")
    call = [sys.executable, __file__, record, str(told), "rehearse", f"--keys={keys}", f"--dir={folder}"]
    start = time.perf_counter()
    subprocess.run(call, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return {"rehearsal": time.perf_counter() - start, "run": float(told.read_text())}


def rehearsal(record: str, told: Path) -> None:
    """The command of this process's arguments; the wall time of its run gets into a file."""
    if record == "unwaited":
        mock.patch("os.fdatasync", _nothing).start()  # only the record waits by it
    for owner, names in RECORDING.items() if record == "off" else ():
        for name in names:
            mock.patch.object(owner, name, _nothing).start()
    migrate = command.migrate

    def run(config: Config, selection: Selection, folder: Path | None, bus: Bus) -> RunResult:
        start = time.perf_counter()
        result = migrate(config, selection, folder, bus)
        told.write_text(str(time.perf_counter() - start))
        return result

    mock.patch.object(command, "migrate", run).start()
    keyferry()


def _nothing(*_arguments: Any, **_named: Any) -> None:
    pass


def compared(walls: dict[Record, list[dict[str, float]]], what: str) -> dict[str, float]:
    wall = {record: statistics.median(one[what] for one in found) for record, found in walls.items()}
    return {
        **{f"{record}_seconds": round(seconds, 2) for record, seconds in wall.items()},
        "recording_share": round(1 - wall["off"] / wall["on"], 3),
        "share_without_waits": round(1 - wall["off"] / wall["unwaited"], 3),
    }


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
        walls: dict[Record, list[dict[str, float]]] = {"on": [], "unwaited": [], "off": []}
        for number in range(rounds):
            for record, found in walls.items():
                found.append(timed(Path(name, f"{number}-{record}"), keys, record))
        run = Path(name, "0-on/run")
        told = {
            "keys": keys,
            "rehearsal": compared(walls, "rehearsal"),
            "run alone": compared(walls, "run"),
            "verify": measured(lambda: verify(run)),
            "verify.py": measured(lambda: Run(run).verify()),
        }
    sys.stdout.write(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    if sys.argv[1:2] in (["on"], ["unwaited"], ["off"]):
        _record, _told = sys.argv[1:3]
        del sys.argv[1:3]
        rehearsal(_record, Path(_told))
    else:
        main(*map(int, sys.argv[1:]))
