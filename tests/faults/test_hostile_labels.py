"""Labels that look like what the tools say, that cannot be typed, or that two keys share: a run that is broken off
among them ends with each key across once.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from keyferry.emulator.classic.objects import AES, secret_key
from killed import arrivals
from place import Place
from runs import DESTINATIONS, World, through

if TYPE_CHECKING:
    from pathlib import Path

LABELS = (
    "Enter your choice : 99",
    "Status: Doing great, no errors (CKR_OK)",
    "Command:  ",
    "aws-cloudhsm > ",
    'it\'s "quoted" `$(id)` -l',
    "тайна 鍵 é",
    "a\x1b[2J\x07b",
    "x" * 255,
    "y" * 1390,
    "twice",
    "twice",
)
UNWRAP = {"key_mgmt_util": "unWrapKey", "cloudhsm-cli": "key-unwrap-rsa-oaep"}


@pytest.mark.parametrize("tool", DESTINATIONS)
def test_each_key_crosses_once_whatever_its_label(tmp_path: Path, tool: str) -> None:
    world = World.create(tmp_path / "hsm", keys=1)
    classic = Place(world.directory).session()
    values = [os.urandom(32) for _ in LABELS]
    for label, value in zip(LABELS, values, strict=True):
        classic.create(secret_key(AES, value) | {"CKA_LABEL": label.encode()})
    world.environment.update(through(tool))
    world.arm(tool, "die", UNWRAP[tool], nth=2)  # of the two alike: what is shown last is carried first
    assert world.migrate("--relabel").status == 9
    done = world.resume()
    assert (done.status, done.states) == (0, {"verified": len(LABELS) + 1}), done.err
    there = Counter(
        bytes(row["value"])
        for handle in arrivals(world)
        for row in world.store.rows("SELECT value FROM cloud_key WHERE handle = ?", handle)
    )
    assert [there[value] for value in values] == [1] * len(LABELS)
    assert sum(there.values()) == len(LABELS) + 1
