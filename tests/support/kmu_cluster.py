"""An emulated cluster under the real driver of key_mgmt_util, for tests."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Protocol

import patterns
from keyferry.emulator import faults
from keyferry.emulator.store import Store
from keyferry.secrets import Secret
from keyferry.terminal.host import LocalHost
from keyferry.terminal.sessions import Sessions
from keyferry.tools.key_mgmt_util.driver import KeyMgmtUtil
from keyferry.tools.limits import Limits
from keyferry.tools.logins import Logins

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOOL = "key_mgmt_util"


class Cluster:
    """An emulated cluster and all that a driver needs to reach it."""

    def __init__(self, directory: Path, host: LocalHost, password: bytes | None, read_size: int) -> None:
        self.store = Store(directory)
        self.host = host
        self.user = self.store.setting("cloud_user")
        self.password = Secret("password", password or (directory / "secrets/password").read_bytes())
        self.records = directory / "records"
        self.records.mkdir()
        self.logins = Logins()
        self.sessions = Sessions(self.records, "run", [self.password], read_size)

    def arm(self, fault: str, verb: str | None = None, nth: int = 1) -> None:
        faults.arm(self.store, TOOL, fault, verb, nth)

    def open(self, limits: Limits | None = None) -> KeyMgmtUtil:
        return KeyMgmtUtil.open(self.sessions, self.host, limits or Limits())

    def login(self, *, visible: bool = False) -> KeyMgmtUtil:
        tool = self.open()
        tool.login(self.user, self.password, self.logins, visible=visible)
        return tool

    def recorded(self) -> bytes:
        return b"".join(path.read_bytes() for path in self.records.iterdir())


class MakeCluster(Protocol):
    """Makes an emulated cluster of the test's own."""

    def __call__(
        self, kmu: str = "g2", nodes: int = 2, jitter: str = "", password: bytes | None = None, read_size: int = 65536
    ) -> Cluster: ...


@contextlib.contextmanager
def clusters(directory: Path) -> Iterator[MakeCluster]:
    """A maker of clusters in one directory; at the end every session is closed."""
    made: list[Cluster] = []

    def make_one(
        kmu: str = "g2", nodes: int = 2, jitter: str = "", password: bytes | None = None, read_size: int = 65536
    ) -> Cluster:
        patterns.copy(directory, keys=0, kmu=kmu, nodes=nodes, jitter=jitter)
        made.append(Cluster(directory, host, password, read_size))
        return made[-1]

    with LocalHost("here", directory / "bin") as host:
        yield make_one
        for cluster in made:
            cluster.sessions.close()
