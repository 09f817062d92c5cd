"""Measure what verifying one long session costs: `python tests/benchmarks/events.py [EVENTS ...]`.

The default is 10,000 and 200,000 events. A run of three keys gets a ckdemo session with that many more output events;
then `keyferry verify` and `verify.py` verify it. The cost per event must not grow with the number of events.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

import shared
from keyferry.verification.record import verify
from keyferry.verification.verify import Run
from records import lengthen
from runs import World

if TYPE_CHECKING:
    from collections.abc import Callable

EVENTS = (10_000, 200_000)


def microseconds(verifier: Callable[[Path], object], run: Path, events: int) -> float:
    """CPU time of this process per event."""
    start = time.process_time()
    verifier(run)
    return (time.process_time() - start) / events * 1e6


def by_script(run: Path) -> object:
    return Run(run).verify()


def main(sizes: tuple[int, ...] = EVENTS) -> None:
    sys.stdout.write("| events | verify: µs per event | verify.py: µs per event |\n|---|---|---|\n")
    with tempfile.TemporaryDirectory() as name:
        shared.begin()
        try:
            world = World.create(Path(name, "world"), keys=3)
            done = world.migrate()
        finally:
            shared.end()
        if done.status != 0:
            raise SystemExit(done.err)
        for events in sizes:
            run = Path(shutil.copytree(world.directory / "run", Path(name, str(events))))
            lengthen(run, "003-ckdemo", events)
            package, script = (microseconds(verifier, run, events) for verifier in (verify, by_script))
            sys.stdout.write(f"| {events} | {package:.1f} | {script:.1f} |\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(tuple(map(int, sys.argv[1:])) or EVENTS)
