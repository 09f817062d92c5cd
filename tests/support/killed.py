"""Keyferry in a process of its own that kills itself at a chosen moment; and what both sides hold in the end."""

from __future__ import annotations

import json
import os
import re
import signal
from collections import Counter
from typing import TYPE_CHECKING, Any

import forked
from keyferry.emulator.cloudhsm.objects import Keys
from runs import LIMIT, Done

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runs import World

_AFTER_LINE = """
import os, signal, sys
from keyferry.run.journal import Journal
wanted, add = int(sys.argv.pop(1)), Journal._add
def counted(self, kind, what, *, durable):
    add(self, kind, what, durable=durable)
    if self.count == wanted:
        os.kill(os.getpid(), signal.SIGKILL)
Journal._add = counted
from keyferry.cli.__main__ import main
main()
"""

_BESIDE = """
import json, subprocess, sys
from keyferry.run.journal import Journal
wanted, others, add = int(sys.argv.pop(1)), json.loads(sys.argv.pop(1)), Journal._add
def counted(self, kind, what, *, durable):
    add(self, kind, what, durable=durable)
    if self.count == wanted:
        for other in others:
            subprocess.run([sys.executable, "-m", "keyferry.cli", *other], capture_output=True)
Journal._add = counted
from keyferry.cli.__main__ import main
main()
"""

# Everything that passes a terminal, by the events of its records: each prompt, each line typed, each piece of output.
_AT_EVENT = """
import itertools, os, signal, sys
from keyferry.terminal import signals
from keyferry.recording.recorder import Recorder
first, number, times, apart = (int(sys.argv.pop(1)) for _ in range(4))
if apart:
    signals.SIGNALLED = signals.Counter(itertools.count(0, apart).__next__)
count, line = 0, Recorder._line
def counted(self, kind, value):
    global count
    line(self, kind, value)
    count += 1
    if first <= count < first + times:
        os.kill(os.getpid(), number)
Recorder._line = counted
from keyferry.cli.__main__ import main
main()
"""

# A disk that is full for one kind of file beyond so many bytes; the tools write as before.
_FULL = """
import resource, signal, sys
from keyferry.run import directory
from keyferry.run.journal import Journal
from keyferry.terminal import host
from keyferry.recording.recorder import Recorder
kind, size = sys.argv.pop(1), int(sys.argv.pop(1))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
def full(write):
    def limited(*args, **named):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        try:
            return write(*args, **named)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    return limited
if kind == "journal":
    Journal._add = full(Journal._add)
elif kind == "record":
    Recorder._line = full(Recorder._line)
elif kind == "document":
    rundir.write_private = full(rundir.write_private)
else:
    host.write_private = full(host.write_private)
from keyferry.cli.__main__ import main
main()
"""


def signalled_at_event(
    world: World, event: int, number: int, *arguments: object, times: int = 1, apart: int = 10
) -> Done:
    """Run a command that sends itself a signal at an event of its records, and again at those after it.

    apart: seconds between them by the command's clock; 0: as they come.
    """
    return scripted(world, _AT_EVENT, [event, number, times, apart, *arguments])


def on_a_full_disk(world: World, kind: str, size: int, *arguments: object) -> Done:
    """Run a command that can write `size` bytes to a file of a kind (journal, record, document, file), and no more."""
    return scripted(world, _FULL, [kind, size, *arguments])


def with_others(world: World, line: int, others: Sequence[Sequence[object]], *arguments: object) -> Done:
    """Run a command, and others from beginning to end while it stands right after the journal's line of this number."""
    words = [[str(word) for word in other] for other in others]
    return scripted(world, _BESIDE, [line, json.dumps(words), *arguments])


def killed_after_line(world: World, line: int, *arguments: object) -> bool:
    """Run a command that dies by SIGKILL right after the journal's line of this number; False if it ended before."""
    return killed(world, _AFTER_LINE, [line, *arguments])


def killed(world: World, script: str, arguments: Sequence[object]) -> bool:
    done = scripted(world, script, arguments)
    assert done.status in (-signal.SIGKILL, 0), done.err
    return done.status != 0


def scripted(world: World, script: str, arguments: Sequence[object]) -> Done:
    """Run the command line after some lines of Python."""
    words = [str(argument) for argument in arguments]
    environment = os.environ | world.environment
    done = forked.run(words, given="", environment=environment, limit=LIMIT, script=script)
    return Done(done.returncode, done.stdout, done.stderr)


def holds(world: World) -> Counter[tuple[Any, ...]]:
    """Every key of the destination with what it is, less its handle and what differs from run to run."""
    rows = world.store.rows("SELECT * FROM cloud_key")
    return Counter(_plain(row) for row in rows)


def _plain(row: Any) -> tuple[Any, ...]:
    value = row["value"] if row["class"] == _SECRET else None  # every pair is another
    id_ = re.sub(rb"^kf-[0-9a-f]{8}", b"kf", row["id"])  # of the run's making
    label = re.sub(rb"^classic_wrap_[0-9a-f]{8}$", b"classic_wrap", row["label"])  # as above
    return row["class"], row["type"], label, id_, value, row["flags"], row["session"], row["owner"]


_SECRET = 4


def copied(world: World, handle: int) -> int:
    """Somebody unwraps the same key again: its copy's handle."""
    (key,) = world.store.rows("SELECT * FROM cloud_key WHERE handle = ?", handle)
    return _insert(world, dict(key))


def by_hand(world: World, source_handle: int) -> int:
    """Somebody brings a key of the source partition to the cluster under its own label: its handle there."""
    (row,) = world.store.rows("SELECT attributes FROM luna_object WHERE partition = 1 AND handle = ?", source_handle)
    shown = {name: bytes.fromhex(value) for name, value in json.loads(row["attributes"]).items()}
    like = _private_half(world)
    key = dict(like) | {"class": _SECRET, "type": shown["CKA_KEY_TYPE"][0], "label": shown["CKA_LABEL"], "id": b""}
    flags = "DECRYPT DESTROYABLE ENCRYPT EXTRACTABLE PRIVATE SENSITIVE TOKEN"
    return _insert(world, key | {"value": shown["CKA_VALUE"], "public": b"", "flags": flags})


def arrivals(world: World) -> list[int]:
    """The secret keys of the crypto user that makes the wrapping pair."""
    pairs = world.store.rows(_PAIRS)
    owner = pairs[0]["owner"] if pairs else None
    found = world.store.rows("SELECT handle FROM cloud_key WHERE class = ? AND owner = ?", _SECRET, owner)
    return [int(row["handle"]) for row in found]


_PAIRS = "SELECT * FROM cloud_key WHERE CAST(label AS TEXT) LIKE 'classic_wrap%' AND class = 3 ORDER BY handle"


def _private_half(world: World) -> Any:
    """Of the first wrapping pair that a run made."""
    return world.store.rows(_PAIRS)[0]


def _insert(world: World, key: dict[str, Any], handle: int | None = None) -> int:
    store = world.store
    key["handle"] = Keys(store, "").new_handles(1)[0] if handle is None else handle
    marks = ", ".join("?" * len(key))
    store.run(f"INSERT INTO cloud_key ({', '.join(key)}) VALUES ({marks})", *key.values())  # noqa: S608 - columns
    store.run("INSERT INTO cloud_copy SELECT ?, id FROM cloud_node", key["handle"])
    return int(key["handle"])


def deleted(world: World, handle: int) -> None:
    """Somebody deletes a key, on every node."""
    world.store.run("DELETE FROM cloud_copy WHERE handle = ?", handle)
    world.store.run("DELETE FROM cloud_key WHERE handle = ?", handle)


def named_like(world: World, label: str, handle: int | None = None) -> int:
    """Somebody makes another key under this label, and under this handle if it is free again: its handle."""
    like = _private_half(world)
    flags = "DECRYPT DESTROYABLE ENCRYPT LOCAL PRIVATE SENSITIVE TOKEN UNWRAP WRAP"
    key = dict(like) | {"class": _SECRET, "type": 31, "label": label.encode(), "value": bytes(32), "public": b""}
    return _insert(world, key | {"flags": flags}, handle)
