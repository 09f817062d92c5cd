"""The runbook of a run's plan prints the commands that the run's driver typed, key by key."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from keyferry.recording.reader import read
from runs import Done, World, keyferry, through

if TYPE_CHECKING:
    from pathlib import Path

VERBS = {
    "key_mgmt_util": ("genRSAKeyPair", "exportPubKey", "unWrapKey", "getKeyInfo"),
    "cloudhsm-cli": ("key generate-asymmetric-pair", "key generate-file", "key unwrap"),
}
SPECIAL = {
    "key_mgmt_util": {"extractable": False, "shared_users": ["1"], "quorum": 2, "id": "till-9"},
    "cloudhsm-cli": {"extractable": False, "id": "till-9"},
}


def _ran(world: World, tool: str) -> Done:
    """Two keys cross: one as it is, one with attributes of its own."""
    keys = [key for key in world.migrate("--dry-run", run="look").document["keys"] if key["state"] == "planned"]
    plain, special = (key["source_handle"] for key in keys[:2])
    wanted = world.directory / "keys.json"
    wanted.write_text(json.dumps([{"handle": plain}, {"handle": special, **SPECIAL[tool]}]))
    label = ("--wrapping-label", "classic_wrap")  # the document's, which the runbook prints
    words = ("--json", "--config", world.config, "--run-dir", world.directory / "run", *label)
    return keyferry("migrate", "--from", wanted, *words, **world.environment | through(tool))


def _typed(run: Path, tool: str) -> list[str]:
    events = (event for path in sorted(run.glob(f"sessions/*{tool}.cast")) for event in read(path).events)
    lines = (event.data.strip() for event in events if event.code == "i")
    return [line for line in lines if line.startswith(VERBS[tool]) and not line.endswith(" -h")]


def _printed(run: Path, tool: str) -> list[re.Pattern[str]]:
    """The commands of the runbook; what a person fills in is any handle."""
    done = keyferry("explain", run / "plan.json")
    assert done.status == 0, done.err
    lines = re.findall(r"(?m)^ {8}(\S.*)$", done.out)
    ours = [line for line in lines if line.startswith(VERBS[tool])]
    return [re.compile(re.sub(r"<[a-z\\ ]+>", r"(?:0x[0-9a-f]{16}|[0-9]+)", re.escape(line))) for line in ours]


@pytest.mark.parametrize("tool", VERBS)
def test_the_runbook_prints_what_the_driver_typed(tmp_path: Path, tool: str) -> None:
    world = World.create(tmp_path / "hsm", keys=4)
    done = _ran(world, tool)
    assert done.status == 0, done.err
    run = world.directory / "run"
    typed, printed = _typed(run, tool), _printed(run, tool)
    assert len(typed) == len(printed) == len(VERBS[tool]) + 1
    for line, pattern in zip(typed, printed, strict=True):
        assert pattern.fullmatch(line), (line, pattern.pattern)
    checked = keyferry("explain", "--check", run / "plan.json", run, "--json")
    assert checked.status == 0, checked.out
