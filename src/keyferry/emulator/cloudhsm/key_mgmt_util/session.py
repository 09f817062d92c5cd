from __future__ import annotations

import os
from typing import TYPE_CHECKING

from keyferry.emulator import faults, files
from keyferry.emulator.cloudhsm.cluster import Cluster, Code, NodeState, Refused, User
from keyferry.emulator.cloudhsm.key_mgmt_util.dialect import NO_BLOCK
from keyferry.emulator.cloudhsm.key_mgmt_util.errors import Misused
from keyferry.emulator.cloudhsm.objects import Keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keyferry.emulator.cloudhsm.key_mgmt_util.dialect import Block, Dialect
    from keyferry.emulator.cloudhsm.key_mgmt_util.screen import Screen
    from keyferry.emulator.store import Store

TOOL = "key_mgmt_util"
BLOCK_FIRST = frozenset({"findKey"})
MAKING = ("genRSAKeyPair", "genSymKey", "importPubKey", "unWrapKey")
BLOCK_AFTER = frozenset({*MAKING, "loginHSM", "logoutHSM", "deleteKey", "setAttribute", "findSingleKey"})
BLOCK_ALWAYS = frozenset({"findKey", "findSingleKey"})
"""Whose block, or what stands in its place, is printed even if the request never went out."""
WITH_BLOCK = (*sorted(BLOCK_FIRST | BLOCK_AFTER),)


class Session:
    """One run of the tool: who is logged in, and what its commands share."""

    def __init__(self, store: Store, screen: Screen) -> None:
        self.store = store
        self.screen = screen
        self.cluster = Cluster(store)
        self.keys = Keys(store, f"{os.getpid()}-{os.urandom(4).hex()}")
        self.verb = "startup"
        self._user: User | None = None
        self._busy = self._lost = False

    def begin(self, verb: str) -> None:
        """The next command."""
        self.verb = verb
        self._busy, self._lost = self.struck("busy"), self.struck("request-lost")
        if self.struck("logged-out"):
            self.log_in(None)

    @property
    def dialect(self) -> Dialect:
        return self.screen.dialect

    @property
    def user(self) -> User:
        """Who is logged in; Refused if nobody is, or the HSM is busy. Every request to it begins here."""
        if self._lost:
            raise Refused(Code.DAEMON_UNREACHABLE)
        if self._busy:
            raise Refused(Code.BUSY)
        if self._user is None:
            raise Refused(Code.NOT_LOGGED_IN)
        return self._user

    @property
    def logged_in(self) -> bool:
        return self._user is not None

    def require_login(self) -> None:
        _ = self.user

    def log_in(self, user: User | None) -> None:
        self._user = user

    def struck(self, fault: str) -> bool:
        """Whether this fault strikes the command at hand. Ask once for each command."""
        return faults.strikes(self.store, TOOL, fault, self.verb)

    def states(self, code: Code, nodes: Sequence[int] | None = None) -> list[NodeState]:
        return [NodeState(node, code) for node in (self.cluster.nodes() if nodes is None else nodes)]

    def succeed(self) -> None:
        """The usual end of a command that did what it was asked."""
        self.screen.result(self.dialect.functions[self.verb], Code.SUCCESS)
        if self.verb in BLOCK_AFTER:
            self.block(self.states(Code.SUCCESS))

    def block(self, states: Sequence[NodeState], form: Block | None = None) -> None:
        """The cluster block, or what a fault makes of it."""
        if self.struck("block-missing"):
            self.screen.say(NO_BLOCK)
            return
        if self.struck("block-empty"):
            states = []
        self.screen.block(states[: len(states) - self.struck("node-unlisted")], form)

    def refuse(self, refused: Refused, function: str = "") -> None:
        """Result line and block of a command that the cluster refused."""
        if self.verb in BLOCK_FIRST:
            self._refused_block(refused)
        self.screen.result(function or self.dialect.functions[self.verb], refused.code)
        if self.verb in BLOCK_AFTER:
            self._refused_block(refused)

    def read_file(self, name: str) -> bytes:
        """A file that the command line names; Misused, with the tool's words, if it gives nothing."""
        missing = "Error: Key filename (-f) is missing."
        warning = f'WARNING: Failed to read from the file "{name}".'
        try:
            data = files.read(name)
        except (OSError, ValueError):
            raise Misused(warning, missing) from None
        if not data:
            raise Misused(f" {name} is an empty file.", warning, missing)
        return data

    def _refused_block(self, refused: Refused) -> None:
        """None for the client's own errors; empty where access is denied; else each node says the same."""
        if refused.code >= Code.DAEMON_UNREACHABLE:
            self.screen.say(NO_BLOCK if self.verb in BLOCK_ALWAYS else "")
            return
        silent = refused.code is Code.ACCESS_DENIED or not self.dialect.blocks_on_refusal
        states = refused.states if refused.states is not None else self.states(refused.code)
        self.screen.block([] if silent and refused.states is None else states)
