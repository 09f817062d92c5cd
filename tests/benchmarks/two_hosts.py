"""The same run on this machine and between two real sshd's: the wall time of each, and their ratio.

python tests/benchmarks/two_hosts.py [KEYS]
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from runs import World
from sshd import two_hosts

if TYPE_CHECKING:
    from collections.abc import Callable

    from runs import Done


def main(keys: int) -> None:
    with tempfile.TemporaryDirectory() as folder, two_hosts(Path(folder), keys=keys) as hosts:
        here = World.create(Path(folder) / "here", keys=keys)
        local = _seconds(here.migrate)
        far = _seconds(hosts.migrate)
        connections = hosts.source.connections, hosts.destination.connections
    sys.stdout.write(f"{keys} keys: here {local:.2f} s, over ssh {far:.2f} s, ratio {far / local:.2f}\n")
    sys.stdout.write(f"connections: {connections[0]} and {connections[1]}\n")


def _seconds(run: Callable[[], Done]) -> float:
    start = time.monotonic()
    done = run()
    if done.status != 0:
        sys.exit(done.err)
    return time.monotonic() - start


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
