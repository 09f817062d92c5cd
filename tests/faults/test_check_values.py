"""A check value that the source refuses is no reason to end a run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from runs import World

if TYPE_CHECKING:
    from pathlib import Path


def test_a_refused_check_value_leaves_the_length_as_the_proof(tmp_path: Path) -> None:
    world = World.create(tmp_path / "hsm", keys=3)
    world.arm("ckdemo", "encrypt-refused", "encryptFile", nth=2)
    done = world.migrate()
    assert (done.status, done.states) == (0, {"verified": 3}), done.err
    assert sorted(key["proof"] for key in done.document["keys"]).count("length") >= 1
    lines = map(json.loads, (world.directory / "run" / "journal.jsonl").read_text().splitlines())
    [refused] = [line for line in lines if line.get("no_check_value")]
    assert refused["no_check_value"] == "CKR_FUNCTION_FAILED"
    [key] = [key for key in done.document["keys"] if key["source_handle"] == refused["key"]]
    assert (key["kcv"], key["proof"]) == (None, "length")
