"""One whole migration in this process, and what it took: `python counting.py JOB`, a JSON file (see `Job`).

Prints a JSON object: exact counts, and the CPU time and the peak memory of this process alone, without the tools.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from keyferry.terminal.child import Child
from keyferry.terminal.console import Console
from runner import migrate

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Job:
    """What to run. fsync: False leaves out the waits for the disk (fsync, fdatasync), to see what they cost."""

    config: str
    run: str
    run_id: str
    secrets: dict[str, str]
    fsync: bool = True


def counted(job: Job) -> dict[str, Any]:
    counts: Counter[str] = Counter()
    read, send = Child.read_nonblocking, Console._send

    def counted_read(self: Child, *arguments: Any) -> bytes:
        data: bytes = read(self, *arguments)
        counts["bytes"] += len(data)
        return data

    def counted_send(self: Console, data: bytes) -> None:
        counts["prompts"] += 1
        send(self, data)

    def counting(sync: Callable[[int], None]) -> Callable[[int], None]:
        def counted(handle: int) -> None:
            counts["fsyncs"] += 1
            if job.fsync:
                sync(handle)

        return counted

    began, used = time.monotonic(), time.process_time()
    with (
        mock.patch.object(Child, "read_nonblocking", counted_read),
        mock.patch.object(Console, "_send", counted_send),
        mock.patch.object(os, "fsync", counting(os.fsync)),
        mock.patch.object(os, "fdatasync", counting(os.fdatasync)),
    ):
        result = migrate(Path(job.config), Path(job.run), job.run_id, job.secrets, answer=60)
    wall, cpu = time.monotonic() - began, time.process_time() - used
    if result.exit_code != 0:
        raise SystemExit(f"the run ended with {result.exit_code}: {result.error and result.error.what}")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {**counts, "verified": result.totals["verified"], "wall": wall, "cpu": cpu, "memory": memory}


if __name__ == "__main__":
    print(json.dumps(counted(Job(**json.loads(Path(sys.argv[1]).read_bytes())))))  # noqa: T201 - its output
