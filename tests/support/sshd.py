"""A real sshd on a loopback port, with keys, emulated tools and a temporary folder of its own."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import select
import shlex
import socket
import subprocess
import threading
import time
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runs import LIMIT, Done, World, keyferry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SSHD = "/usr/sbin/sshd"


class Log:
    """What an sshd says, line by line, and a way to wait for it."""

    def __init__(self) -> None:
        self._text = ""
        self._grown = threading.Condition()

    def follow(self, lines: Iterable[bytes]) -> None:
        for line in lines:
            with self._grown:
                self._text += line.decode("utf-8", "replace")
                self._grown.notify_all()

    def count(self, words: str) -> int:
        return self._text.count(words)

    def wait_for(self, words: str) -> None:
        with self._grown:
            assert self._grown.wait_for(lambda: words in self._text, LIMIT), self._text


@dataclass(slots=True)
class SshHost:
    """One host: `world` has its emulated tools, `folder` everything else."""

    folder: Path
    world: World
    port: int
    log: Log
    options: dict[str, str] = field(default_factory=dict)
    """Of ssh: what the test's own ~/.ssh/config would hold."""

    @property
    def ssh_options(self) -> str:
        return shlex.join(f"{name}={value}" for name, value in self.options.items())

    @property
    def connections(self) -> int:
        return self.log.count("Accepted publickey")

    def wait_until_left(self) -> None:
        """Wait until the connection has ended: sshd says so."""
        self.log.wait_for("disconnected by user")

    @property
    def leftovers(self) -> list[str]:
        """What still lies in the host's temporary folder once the shells that nobody talks to have cleaned up."""
        limit = time.monotonic() + LIMIT
        while (names := sorted(path.name for path in (self.folder / "tmp").iterdir())) and time.monotonic() < limit:
            select.select([], [], [], 0.01)
        return names


@contextlib.contextmanager
def sshd(folder: Path, *, login: str = "", settings: str = "", keys: int = 10) -> Iterator[SshHost]:
    """Run one. login: a script that stands for the account's shell; settings: further lines of sshd_config.

    The account's home is `folder`: what this machine's own start-up files do, at every start of a tool, is no part
    of a test or a measurement.
    """
    folder.mkdir()
    (folder / "tmp").mkdir()
    for name in ("host_key", "user_key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    (folder / "authorized").write_bytes((folder / "user_key.pub").read_bytes())
    port = _free_port()
    _write_known_hosts(folder, port)
    (folder / "sshd_config").write_text(_config(folder, port, login, settings))
    world, log = World.create(folder / "hsm", keys=keys), Log()
    with _running(folder, log):
        yield SshHost(folder, world, port, log, _options(folder, port))


def _config(folder: Path, port: int, login: str, settings: str) -> str:
    if login:
        (folder / "login").write_text(login)
        (folder / "login").chmod(0o755)
        settings += f"\nForceCommand '{folder}/login'\n"
    return f"""\
Port {port}
ListenAddress 127.0.0.1
HostKey "{folder}/host_key"
AuthorizedKeysFile "{folder}/authorized"
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
SetEnv "TMPDIR={folder / "tmp"}" "HOME={folder}"
{settings}
"""


def _options(folder: Path, port: int) -> dict[str, str]:
    return {
        "Port": str(port),
        "User": getpass.getuser(),
        "IdentityFile": f'"{folder}/user_key"',
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "UserKnownHostsFile": f'"{folder}/known_hosts"',
        "GlobalKnownHostsFile": "/dev/null",
    }


def _write_known_hosts(folder: Path, port: int) -> None:
    kind, key, *_ = (folder / "host_key.pub").read_text().split()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {kind} {key}\n")


@contextlib.contextmanager
def _running(folder: Path, log: Log) -> Iterator[None]:
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd wants it of root
    command = [SSHD, "-D", "-e", "-f", str(folder / "sshd_config")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as server:
        assert server.stderr is not None
        follower = threading.Thread(target=log.follow, args=[server.stderr])
        follower.start()
        try:
            log.wait_for("Server listening")
            yield
        finally:
            server.terminate()
            follower.join(LIMIT)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True, slots=True)
class TwoHosts:
    """A source client and a destination client, and a third place from which both are reached."""

    folder: Path
    source: SshHost
    destination: SshHost

    def write_config(self, extra: str = "") -> None:
        """keyferry.toml; `extra` holds lines for the end of [source]."""
        sides = (("source", self.source, extra), ("destination", self.destination, ""))
        self.config.write_text("".join(_section(name, host, more) for name, host, more in sides))

    @property
    def config(self) -> Path:
        return self.folder / "keyferry.toml"

    def migrate(self, *arguments: object, run: str = "run", **environment: str) -> Done:
        call = ("--json", "--config", self.config, "--run-dir", self.folder / run)
        return keyferry("migrate", *(arguments or ("--all",)), *call, **environment)

    @property
    def journal(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "run/journal.jsonl").read_text().splitlines()]

    @property
    def leftovers(self) -> list[str]:
        return self.source.leftovers + self.destination.leftovers


def _section(name: str, host: SshHost, extra: str) -> str:
    """The emulator's own settings of one side, but reached over ssh."""
    settings: dict[str, Any] = tomllib.loads(host.world.config.read_text())[name]
    secret = "pin" if name == "source" else "password"
    settings |= {
        "host": "127.0.0.1",
        "ssh_options": host.ssh_options,
        "bin": str(host.world.directory / "bin"),
        secret: f"file:{host.world.directory}/secrets/{secret}",
    }
    return f"[{name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items()) + extra + "\n"


@contextlib.contextmanager
def two_hosts(folder: Path, *, keys: int = 6, login: str = "", settings: str = "") -> Iterator[TwoHosts]:
    with (
        sshd(folder / "classic host", login=login, settings=settings, keys=keys) as source,
        sshd(folder / "destination", login=login, settings=settings, keys=1) as destination,
    ):
        hosts = TwoHosts(folder, source, destination)
        hosts.write_config()
        yield hosts
