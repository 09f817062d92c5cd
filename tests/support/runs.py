"""Keyferry as its users run it: the command in a process of its own, against emulated tools."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import forked
import patterns
import shared
from keyferry.emulator import faults
from keyferry.emulator.store import Store
from records import by_package, by_script_here

if TYPE_CHECKING:
    from pathlib import Path

DESTINATIONS = ("key_mgmt_util", "cloudhsm-cli")
ANSWER = "5"  # seconds in which an emulated tool answers, however loaded the machine is
LIMIT = 120  # seconds after which a command counts as hanging


@dataclass(frozen=True, slots=True)
class Done:
    """A command that ended. `document` is its one JSON document."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.out)
        return value

    @property
    def states(self) -> dict[str, int]:
        """How many keys ended in each state."""
        keys = [key["state"] for key in self.document["keys"]]
        return {state: keys.count(state) for state in set(keys)}

    @property
    def rules(self) -> set[str]:
        return {key["rule"] for key in self.document["keys"] if key["rule"]}


def keyferry(*arguments: object, answer: str = "", **environment: str) -> Done:
    """Run the command; `answer` is its input, and `environment` is added to this process'."""
    words = [str(argument) for argument in arguments]
    done = forked.run(words, given=answer, environment=os.environ | environment, limit=LIMIT)
    return Done(done.returncode, done.stdout, done.stderr)


def assert_not_wrong(run: Path) -> None:
    """However a run ended, its record is what it wrote: both verifiers find it intact, complete or not."""
    if (run / "journal.jsonl").exists():
        for told in (by_package(run), by_script_here(run)):
            assert told.verdict in ("complete", "incomplete"), told


def through(tool: str) -> dict[str, str]:
    """The environment in which the cluster is reached through this tool, where it is one of the cluster's."""
    return {"KEYFERRY_DESTINATION_TOOL": tool} if tool in DESTINATIONS else {}


@dataclass(frozen=True, slots=True)
class World:
    """An emulated pair of HSMs of a test's own, and its runs."""

    directory: Path
    environment: dict[str, str] = field(default_factory=lambda: {"KEYFERRY_LIMITS_ANSWER": ANSWER})

    @classmethod
    def create(cls, directory: Path, *, keys: int = 4, luna: str = "7", nodes: int = 2, jitter: str = "") -> World:
        return cls(patterns.copy(directory, keys=keys, luna=luna, nodes=nodes, jitter=jitter))

    @property
    def store(self) -> Store:
        return Store(self.directory)

    @property
    def config(self) -> Path:
        return self.directory / "keyferry.toml"

    def arm(self, tool: str, fault: str, at: str | None = None, nth: int = 1) -> None:
        faults.arm(self.store, tool, fault, at, nth)

    def migrate(self, *arguments: str, run: str = "run", **environment: str) -> Done:
        """`keyferry migrate --json` with this world's configuration; the run directory is `run` inside it."""
        chosen = arguments if "--all" in arguments or "--key" in arguments else ("--all", *arguments)
        call = ("migrate", *chosen, "--json", "--config", self.config, "--run-dir", self.directory / run)
        done = keyferry(*call, **self.environment | environment)
        assert_not_wrong(self.directory / run)
        return done

    def resume(self, *arguments: str, run: str = "run", **environment: str) -> Done:
        """`keyferry resume --json` of the run in the directory `run`.

        Unless a test sets it, the limit of an answer is two seconds: a resumed run waits that long for an unwrap that
        may still be in flight.
        """
        call = ("resume", self.directory / run, "--json", "--config", self.config, *arguments)
        environment = self.environment | environment
        if environment["KEYFERRY_LIMITS_ANSWER"] == ANSWER:
            environment["KEYFERRY_LIMITS_ANSWER"] = "2"
        done = keyferry(*call, **environment)
        if done.status == 0:  # else what a test changed in the record may be why
            assert_not_wrong(self.directory / run)
        return done

    def status(self, run: str = "run") -> dict[str, Any]:
        return keyferry("status", self.directory / run, "--json").document

    def secrets(self) -> tuple[str, str]:
        """The partition's PIN and the crypto user's password."""
        folder = self.directory / "secrets"
        return (folder / "pin").read_text(), (folder / "password").read_text()


def recorded(tool: str = "key_mgmt_util", *, keys: int = 4, nodes: int = 2, jitter: str = "", other: str = "") -> Path:
    """Return the directory of a run that succeeded, made once in a test run; `other` names a second one of its kind."""

    def migrate(folder: Path) -> None:
        done = World.create(folder / "hsm", keys=keys, nodes=nodes, jitter=jitter).migrate(**through(tool))
        assert done.status == 0, done.err

    return shared.once(f"run-{tool}-{keys}-{nodes}-{jitter.encode().hex()}-{other}", migrate) / "hsm/run"
