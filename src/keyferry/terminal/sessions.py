from __future__ import annotations

import copy
import itertools
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

from keyferry import __version__
from keyferry.permissions import check_program
from keyferry.pkcs11 import account
from keyferry.recording.recorder import Recorder
from keyferry.recording.redactor import Redactor, occurs
from keyferry.terminal.child import READ_SIZE
from keyferry.terminal.console import Console
from keyferry.terminal.overrides import Overrides

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from keyferry.recording.recorder import Anchor
    from keyferry.secrets import Secret
    from keyferry.terminal.host import Host
    from keyferry.terminal.prompts import InputLimits

_WITHOUT_LOGIN = frozenset({"vtl"})
"""Tools that are never given a secret, so their output cannot repeat one: it is recorded as it is."""


class Sessions:
    """Opens tools, each in a conversation of its own with a record `NNN-TOOL.cast` of its own.

    Numbers go on behind those of the recordings that are there. anchor: binds the records to their run.
    wordings: by tool, what this site's clients word otherwise.
    """

    def __init__(
        self,
        directory: Path,
        run_id: str,
        secrets: Iterable[Secret],
        read_size: int = READ_SIZE,
        anchor: Anchor | None = None,
        *,
        wordings: Mapping[str, Overrides] = MappingProxyType({}),
    ) -> None:
        self.directory = directory
        self._run_id = run_id
        self._secrets = list(secrets)
        self._read_size = read_size
        self._anchor = anchor
        self._wordings = wordings
        self._trusted: set[tuple[str, str]] = set()
        there = (int(path.name.partition("-")[0]) for path in directory.glob("[0-9]*-*.cast"))
        self._numbers = itertools.count(max(there, default=0) + 1)
        self._step = ("0", "Look before anything is changed")
        self._consoles: list[Console] = []
        self._all = [self._consoles]

    def beside(self) -> Sessions:
        """A part of these sessions, in steps of their own."""
        other = copy.copy(self)
        other._consoles = []
        self._all.append(other._consoles)
        return other

    def step(self, number: str, title: str, host: str | None = None) -> None:
        """Name the documented step in every record; a marker stands where something is typed in it.

        host: the step is for the tools of this host only.
        """
        self._step = (number, title)
        for console in self._consoles:
            if host in (None, console.host):
                console.recorder.step(number, title)

    def open(self, host: Host, tool: str, *arguments: str, manners: InputLimits) -> Console:
        """Start one tool. UnreachableError where it cannot be."""
        wording = self._wordings.get(tool, Overrides())
        arguments = tuple(map(wording.argument, arguments))
        program = host.program(tool, *arguments)
        if (host.name, program.path) not in self._trusted:
            check_program(host, program.path)
            self._trusted.add((host.name, program.path))
        started = datetime.now(UTC)
        header = {
            "timestamp": int(started.timestamp()),
            "started": started.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "step": self._step[0],
            "title": f"{tool} on {host.name}",
            "tool": tool,
            "host": host.name,
            "path": program.path,
            "sha256": program.sha256,
            "size": program.size,
            "emulated": program.emulated,
            "machine": dict(host.facts),
            "argv": [tool, *arguments],
            "run_id": self._run_id,
            "user": account(),
            "keyferry": __version__,
        }
        path = self.directory / f"{next(self._numbers):03}-{tool}.cast"
        secrets = () if tool in _WITHOUT_LOGIN else self._secrets
        recorder = Recorder(path, header, secrets, anchor=self._anchor)
        recorder.step(*self._step)
        console = Console(program, recorder, manners, self._read_size, wording)
        self._consoles.append(console)
        return console

    def last(self, tool: str | None) -> Console | None:
        """The last conversation with a tool; None where there was none."""
        return next((console for console in reversed(self._every()) if console.tool == tool), None)

    def spare(self, *names: str) -> None:
        """Filter no secret that occurs in one of these names, which the record shows anyway."""
        raw = [name.encode("utf-8", "surrogateescape") for name in names]
        self._secrets[:] = [secret for secret in self._secrets if not occurs(secret, raw)]
        for console in self._every():
            console.recorder.spare(*names)

    def redact(self, text: str) -> str:
        """A text without the secrets of this run."""
        return Redactor(self._secrets).text(text)

    def count(self, what: Callable[[Console], int] = lambda console: console.asked) -> int:
        """A sum over all conversations, by default of prompts answered."""
        return sum(map(what, self._every()))

    def greeting(self, tool: str) -> str:
        """What a tool that was opened said first: its banner, if it has one."""
        return next((console.greeting or "" for console in reversed(self._every()) if console.tool == tool), "")

    def close(self) -> None:
        for console in self._every():
            console.close()

    def _every(self) -> list[Console]:
        return [console for consoles in self._all for console in consoles]
