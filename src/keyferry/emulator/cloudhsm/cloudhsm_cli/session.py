from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, NoReturn

from keyferry.emulator import faults
from keyferry.emulator.cloudhsm.cluster import Cluster, User
from keyferry.emulator.cloudhsm.objects import Keys
from keyferry.emulator.faults import rubbish, wait_too_long
from keyferry.emulator.jitter import Jitter

if TYPE_CHECKING:
    from keyferry.emulator.store import Store
    from keyferry.emulator.terminal import Terminal

TOOL = "cloudhsm-cli"
PROMPT = "aws-cloudhsm > "
CLUSTER_ID = "cluster_id"  # the setting that holds the cluster's id, if the client has several clusters configured
_NOISE = "Error writing to log file. Falling back to standard error.\n"
_TOO_FEW = "Cannot perform the requested key operation as the key must be available on at least 2 HSMs."
_TOO_FEW_ADVICE = "Either increase the number of HSMs in the cluster, or disable the key availability check."
_FEWEST = 2  # HSMs on which a key must be, unless the client is told otherwise


class Failed(Exception):  # noqa: N818 - an answer, not a mistake of ours
    """The answer is an error: `error_code` 1 and a message."""


class Session:
    """One run of the tool: who is logged in, and how it answers."""

    def __init__(self, store: Store, terminal: Terminal) -> None:
        self.store = store
        self.terminal = terminal
        self.cluster = Cluster(store)
        self.jitter = Jitter(store.setting("jitter"))
        self.keys = Keys(store, f"{os.getpid()}-{os.urandom(4).hex()}")
        self.verb = "startup"
        self.logged_in: User | None = None

    def begin(self, verb: str) -> None:
        """The next command."""
        self.verb = verb
        if self.struck("logged-out"):
            self.logged_in = None

    @property
    def prompt(self) -> str:
        """With several clusters configured, a user who is logged in is named in the prompt."""
        cluster = self.store.setting(CLUSTER_ID) or self.jitter.pick("cluster-id", "", "cluster-1234abcdefg")
        return f"{self.logged_in.name.lower()}@{cluster} > " if cluster and self.logged_in else PROMPT

    @property
    def user(self) -> User:
        """Who works with keys; Failed if nobody is logged in, or the cluster is too small for keys to be used."""
        if self.logged_in is None:
            raise Failed(
                self.jitter.pick("no-login-text", "Login is required to perform this operation", "Not logged in")
            )
        checked = self.store.setting("key_availability_check", "on") == "on"
        if checked and len(self.cluster.nodes()) < _FEWEST:
            raise Failed(_TOO_FEW + self.jitter.pick("too-few-break", " ", "\n") + _TOO_FEW_ADVICE)
        return self.logged_in

    def struck(self, fault: str) -> bool:
        """Whether this fault strikes the command at hand. Ask once for each command."""
        return faults.strikes(self.store, TOOL, fault, self.verb)

    def answer(self, data: object, code: int = 0) -> None:
        """Print the answer, with log lines around it where a fault says so."""
        if code == 0 and self.struck("disconnected"):
            self.terminal.write('Error: "HSM is disconnected"\n')
            return
        if code == 0 and self.struck("lost-answer"):
            code, data = 1, self.jitter.pick("lost-text", "The request timed out", "No response from the HSM")
        text = json.dumps({"error_code": code, "data": data}, indent=2, ensure_ascii=False) + "\n"
        noisy = self.struck("log-noise")
        if noisy:
            self.terminal.complain(_NOISE + self._log_line("request"))
        if self.struck("die"):
            self._die(text)
        self.terminal.write(text)
        if noisy:
            self.terminal.complain(self._log_line("response"))

    def noise(self) -> None:
        """What a log directory that cannot be written makes of the start."""
        panic = "thread 'CloudHSM Worker' panicked at 'failed to create appender: PermissionDenied'\n"
        self.terminal.complain(panic + _NOISE)

    def disturbed(self) -> bool:
        """Faults that may strike any command; True if one has taken the place of the answer."""
        self.terminal.drips = self.struck("drip")
        if self.struck("die-before"):
            os.kill(os.getpid(), signal.SIGKILL)
        if self.struck("hang"):
            self._hang()
        data = rubbish(self.struck)
        if not data and self.struck("garbage"):
            data = b"CloudHSM worker: internal state 7f3a, see log\n"
        self.terminal.write(data)
        return bool(data)

    def disturbed_after(self) -> None:
        """Faults of an answer that is complete."""
        if self.struck("late"):
            wait_too_long()
        if self.struck("die-after"):
            self.terminal.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        if self.struck("two-prompts"):
            self.terminal.write(f"{self.prompt}\n")

    def _hang(self) -> NoReturn:
        self.terminal.flush()
        while True:
            signal.pause()

    def _log_line(self, what: str) -> str:
        return f"2026-05-11T09:14:07.113Z  INFO {TOOL}: {what} {{ verb: {self.verb!r} }}\n"

    def _die(self, text: str) -> None:
        self.terminal.write(text[: len(text) // 2])
        self.terminal.flush()
        os.kill(os.getpid(), signal.SIGKILL)
