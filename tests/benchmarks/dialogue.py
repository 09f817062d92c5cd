"""The dialogue of a whole migration, driven by Keyferry, by a Tcl expect script, by pexpect as it comes, and blind."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pexpect
import plain_tool
from counting import Job

import record
from keyferry.recording.reader import read
from runner import PASSWORD, PIN

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = Path(__file__).parent
SECRETS = {PIN: "replayed-pin-17", PASSWORD: "replayed-word-4"}


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds: on the clock, and of CPU time of the driver alone; None where there is no driver."""

    wall: float
    cpu: float | None


@dataclass(frozen=True, slots=True)
class Session:
    """One tool's start and what is typed: after which prompt which line."""

    tool: str
    arguments: tuple[str, ...]
    turns: tuple[tuple[bytes, bytes], ...]


class Dialogue:
    """The recording of one emulated run, and the ways to have it again. `folder` is a new one."""

    def __init__(self, folder: Path, keys: int) -> None:
        self._folder = folder
        self._recording = folder / "recording"
        self._count = 0
        record.WORLDS["benchmark"] = {"luna": "7", "kmu": "g2", "nodes": 2, "keys": keys}
        record.record("benchmark", self._recording)
        self.sessions = [_session(path) for path in sorted(self._recording.glob("*.cast"))]
        self.prompts = sum(len(session.turns) for session in self.sessions)

    def keyferry(self, *, delay: float = 0, fsync: bool = True) -> dict[str, Any]:
        """The whole procedure with its record, its journal, its files and its proofs."""
        tools = self._tools(delay)
        outcome = json.loads((self._recording / "outcome.json").read_bytes())
        config = tools.parent / "keyferry.toml"
        config.write_text(
            f'[source]\nbin = "{tools}"\nslot = "{outcome["slot"]}"\n'
            f'[destination]\nbin = "{tools}"\nuser = "{outcome["user"]}"\n'
        )
        return count(Job(str(config), str(tools.parent / "run"), outcome["run_id"], SECRETS, fsync))

    def expect(self, *, delay: float = 0) -> Spent:
        tools, used, began = self._tools(delay), 0, time.monotonic()
        for session in self.sessions:
            turns = tools.parent / "turns"
            turns.write_text(" ".join(_tcl(word) for turn in session.turns for word in turn))
            words = ["expect", str(HERE / "dialogue.exp"), str(turns), str(tools / session.tool), *session.arguments]
            done = subprocess.run(words, cwd=tools.parent, stdout=subprocess.PIPE, check=True)
            used += int(done.stdout)
        return Spent(time.monotonic() - began, used / 1e9)

    def pexpect(self) -> Spent:
        """As its documentation begins: spawn, expect, sendline."""
        tools, began, used = self._tools(0), time.monotonic(), time.process_time()
        for session in self.sessions:
            child = pexpect.spawn(str(tools / session.tool), list(session.arguments), cwd=str(tools.parent), timeout=60)
            for prompt, line in session.turns:
                child.expect_exact(prompt)
                child.sendline(line)
            child.expect(pexpect.EOF)
            child.close()
        return Spent(time.monotonic() - began, time.process_time() - used)

    def blind(self) -> Spent:
        """Everything that is to be typed, at once, whatever the tool says."""
        tools, began = self._tools(0), time.monotonic()
        for session in self.sessions:
            subprocess.run(
                [tools / session.tool, *session.arguments],
                cwd=tools.parent,
                input=b"".join(line + b"\n" for _prompt, line in session.turns),
                stdout=subprocess.PIPE,
                check=True,
            )
        return Spent(time.monotonic() - began, None)

    def _tools(self, delay: float) -> Path:
        self._count += 1
        return plain_tool.install(self._recording, self._folder / str(self._count), SECRETS, delay)


def count(job: Job) -> dict[str, Any]:
    """Run a migration in a process of its own; gives what it took."""
    path = Path(job.run).with_suffix(".job")
    path.write_text(json.dumps(asdict(job)))
    done = subprocess.run([sys.executable, HERE / "counting.py", path], stdout=subprocess.PIPE, check=True)
    counts: dict[str, Any] = json.loads(done.stdout)
    return counts


def _session(path: Path) -> Session:
    recording = read(path)
    argv: Sequence[str] = recording.header["argv"]  # type: ignore[assignment] # as our own recorder writes it
    turns, shown = [], b""
    for code, data in recording.conversation():
        if code == "o":
            shown += data
            continue
        line = SECRETS[data.decode()].encode() if code == "s" else data.removesuffix(b"\r")
        turns.append((shown.rpartition(b"\n")[2], line))
        shown = b""
    return Session(argv[0], tuple(argv[1:]), tuple(turns))


def _tcl(word: bytes) -> str:
    """A word of a Tcl list, every character that could mean something escaped."""
    plain = "".join(chr(byte) if chr(byte).isalnum() and byte < 128 else f"\\x{byte:02x}" for byte in word)
    return plain or "{}"
