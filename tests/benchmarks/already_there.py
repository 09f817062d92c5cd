"""What ALREADY-THERE costs per key when it is asked before and after each unwrap.

python tests/benchmarks/already_there.py [KEYS]
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from counting import Job, counted

from keyferry.emulator import install
from keyferry.migration.already_there import AlreadyThere
from runner import PASSWORD, PIN

TOOLS = ("key_mgmt_util", "cloudhsm-cli")
WITHOUT = "without"
COUNTS = ("prompts", "bytes", "cpu", "wall")


def main(keys: int) -> None:
    sys.stdout.write("| tool | keys | prompts per key | bytes read per key | CPU ms per key | wall ms per key |\n")
    sys.stdout.write("|---|---|---|---|---|---|\n")
    for tool in TOOLS:
        asked, not_asked = (_in_a_process(tool, keys, how) for how in ("with", WITHOUT))
        cost = {name: (asked[name] - not_asked[name]) / asked["verified"] for name in COUNTS}
        sys.stdout.write(
            f"| {tool} | {asked['verified']} | {cost['prompts']:.1f} | {cost['bytes']:.0f}"
            f" | {cost['cpu'] * 1000:.2f} | {cost['wall'] * 1000:.1f} |\n"
        )


def _in_a_process(tool: str, keys: int, how: str) -> dict[str, Any]:
    """Two runs in one process would share what the first has loaded."""
    done = subprocess.run([sys.executable, __file__, tool, str(keys), how], check=True, stdout=subprocess.PIPE)
    counts: dict[str, Any] = json.loads(done.stdout)
    return counts


def _run(tool: str, keys: int, how: str) -> None:
    if how == WITHOUT:
        AlreadyThere.others = lambda *_what: []  # type: ignore[method-assign] # the question is left out
    with tempfile.TemporaryDirectory() as folder:
        world = Path(folder) / "hsm"
        install.create(world, keys=keys, destination=tool)
        words = [(world / "secrets" / name).read_text() for name in ("pin", "password")]
        secrets = dict(zip((PIN, PASSWORD), words, strict=True))
        sys.stdout.write(json.dumps(counted(Job(str(world / "keyferry.toml"), f"{folder}/run", "5e1f1e55", secrets))))


if __name__ == "__main__":
    if len(sys.argv) == 4:
        _run(sys.argv[1], int(sys.argv[2]), sys.argv[3])
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
