"""Runs with faults, resumes, and somebody else at work on both sides, against a model of what may come of it.

`KEYFERRY_LONG=1` takes a hundred such stories.
"""

from __future__ import annotations

import json
import shutil
import signal
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from keyferry.emulator.cloudhsm.objects import Keys
from keyferry.run import state
from keyferry.run.state import Stage
from killed import arrivals, by_hand, copied, deleted, named_like, signalled_at_event
from longer import LONG
from runs import World
from undisturbed import migration, resumption

if TYPE_CHECKING:
    from keyferry.run.state import KeyState
    from runs import Done

KEYS = 3
FAULTS = [
    ("key_mgmt_util", "die", "unWrapKey"),
    ("key_mgmt_util", "hang", "unWrapKey"),
    ("key_mgmt_util", "handle-missing", "unWrapKey"),
    ("key_mgmt_util", "garbage", "unWrapKey"),
    ("key_mgmt_util", "busy", "unWrapKey"),
    ("key_mgmt_util", "logged-out", "unWrapKey"),
    ("key_mgmt_util", "die", "genRSAKeyPair"),
    ("key_mgmt_util", "die", "getAttribute"),
    ("cmu", "die", "import"),
    ("ckdemo", "die", "wrapKey"),
    ("ckdemo", "blob-flipped", "wrapKey"),
    ("ckdemo", "logged-out", "wrapKey"),
]
LONG_STORIES = 100
PATTERN = Path(tempfile.mkdtemp(prefix="keyferry-model-")) / "hsm"
ENDS = {0, 1, 3, 6, 7}
"""Exit codes of a run that has nothing left to do."""


class Story(RuleBasedStateMachine):
    """The model: how many copies of each value somebody else made, and which handles somebody took away."""

    def __init__(self) -> None:
        super().__init__()
        if not PATTERN.exists():
            World.create(PATTERN, keys=KEYS)
        self.folder = Path(tempfile.mkdtemp(prefix="keyferry-story-"))
        shutil.copytree(PATTERN, self.folder / "hsm")
        self.world = World(self.folder / "hsm", {"KEYFERRY_LIMITS_ANSWER": "2"})
        self.by_others: Counter[bytes] = Counter()
        self.gone: set[int] = set()
        self.begun = False

    @rule(fault=st.sampled_from(FAULTS), nth=st.integers(1, KEYS))
    def goes_on_with_a_fault(self, fault: tuple[str, str, str], nth: int) -> None:
        self.world.arm(*fault, nth)
        self.told(self.world.resume() if self.begun else self.world.migrate())
        self.world.store.run("DELETE FROM fault")

    @rule(event=st.integers(40, 500))
    def is_killed(self, event: int) -> None:
        words = resumption(self.world) if self.begun else migration(self.world)
        done = signalled_at_event(self.world, event, signal.SIGKILL, *words)
        if done.status == -signal.SIGKILL:
            self.begun = True
        else:
            self.told(done)

    @precondition(lambda self: bool(arrivals(self.world)))
    @rule(which=st.integers(0, KEYS), recycled=st.booleans())
    def somebody_deletes_a_key(self, which: int, recycled: bool) -> None:
        there = sorted(arrivals(self.world))
        handle = there[which % len(there)]
        self.by_others[self.value(handle)] -= self.by_others[self.value(handle)] > 0
        deleted(self.world, handle)
        self.gone.add(handle)
        if recycled:
            named_like(self.world, "somebody-elses", handle)

    @precondition(lambda self: bool(arrivals(self.world)))
    @rule(which=st.integers(0, KEYS))
    def somebody_unwraps_a_key_too(self, which: int) -> None:
        there = sorted(arrivals(self.world))
        self.by_others[self.value(copied(self.world, there[which % len(there)]))] += 1

    @precondition(lambda self: bool(self.planned()))
    @rule(which=st.integers(0, KEYS))
    def somebody_moves_a_key_by_hand(self, which: int) -> None:
        planned = self.planned()
        self.by_others[self.value(by_hand(self.world, planned[which % len(planned)].handle))] += 1

    @precondition(lambda self: bool(self.planned()))
    @rule(which=st.integers(0, KEYS))
    def somebody_uses_a_label(self, which: int) -> None:
        planned = self.planned()
        named_like(self.world, planned[which % len(planned)].label)

    @precondition(lambda self: self.begun)
    @invariant()
    def nothing_is_there_twice(self) -> None:
        """Of each value there is what others made of it, and at most one of ours."""
        values = Counter(self.value(handle) for handle in arrivals(self.world))
        for value in self.sources():
            assert values[value] <= self.by_others[value] + 1

    def teardown(self) -> None:
        for _ in range(3):
            done = self.world.resume() if self.begun else self.world.migrate()
            self.told(done)
        assert done.status in ENDS, done.err
        assert done.document["totals"]["planned"] == sum(done.states.values()) == KEYS
        assert "planned" not in done.states
        for key in done.document["keys"]:
            if key["state"] == "verified":
                self.is_there(key)
            else:
                assert key["rule"], key
                assert key["detail"], key
        self.nothing_is_there_twice()
        shutil.rmtree(self.folder)

    def told(self, done: Done) -> None:
        """Whatever came, it was told as it should be."""
        self.begun = self.begun or (self.world.directory / "run" / "journal.jsonl").exists()
        assert "Traceback" not in done.err, done.err
        assert done.status in ENDS | {9, 10}, done.err
        assert done.document["schema"] == "keyferry.run/2"

    def is_there(self, key: dict[str, Any]) -> None:
        """A verified key has the value of its source, unless somebody took it away since."""
        handle = key["destination_handle"]
        assert handle in self.gone or self.value(handle) == self.sources_by_handle()[key["source_handle"]]

    def planned(self) -> list[KeyState]:
        """Keys that are not on the destination yet, once the run has made its pair."""
        run = state.load(self.world.directory / "run") if self.begun else None
        if run is None or run.pair.public is None:
            return []
        return [key for key in run.keys.values() if key.stage in (Stage.PLANNED, Stage.WRAPPED, Stage.MOVED)]

    def value(self, handle: int) -> bytes:
        row = self.world.store.row("SELECT value FROM cloud_key WHERE handle = ?", handle)
        assert row is not None, handle
        return bytes(row["value"])

    def sources_by_handle(self) -> dict[int, bytes]:
        rows = self.world.store.rows("SELECT handle, attributes FROM luna_object WHERE partition = 1")
        shown = {int(row["handle"]): json.loads(row["attributes"]) for row in rows}
        return {handle: bytes.fromhex(one["CKA_VALUE"]) for handle, one in shown.items() if "CKA_VALUE" in one}

    def sources(self) -> set[bytes]:
        return set(self.sources_by_handle().values())


def test_what_others_make_in_a_story_takes_no_handle_from_the_cluster(tmp_path: Path) -> None:
    """Here two long stories ended, and what they found was the test's own: keys of others half deleted, or numbered
    as the cluster then numbered its next.
    """
    world = World.create(tmp_path / "hsm", keys=1)
    some = int(world.store.rows("SELECT max(handle) AS handle FROM cloud_key WHERE class = 4")[0]["handle"])
    mine, theirs = copied(world, some), copied(world, some)
    assert Keys(world.store, "").new_handles(1)[0] not in (mine, theirs)
    deleted(world, theirs)
    again = copied(world, some)
    assert again not in (mine, theirs)


TestStories = Story.TestCase
TestStories.settings = settings(
    max_examples=LONG_STORIES if LONG else 3,
    stateful_step_count=6 if LONG else 4,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
