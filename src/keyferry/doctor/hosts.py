"""What can be known before a run: each host and each tool looked at, nothing changed, nothing logged in to."""

from __future__ import annotations

import functools
import os
import re
import shlex
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from keyferry import permissions
from keyferry.doctor.finding import Finding, Verdict, failed
from keyferry.doctor.tools import CONFIGURATIONS, TOOLS, look_at_tools
from keyferry.errors import (
    CheckFailedError,
    KeyferryError,
    LoginForbiddenError,
    UnknownScreenError,
    UnreachableError,
    UsageError,
)
from keyferry.events import Bus
from keyferry.migration.endpoints import Endpoints, check, limits, remote_host
from keyferry.terminal.remote import answers
from keyferry.terminal.sessions import Sessions
from keyferry.tools.overrides import wordings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from keyferry.config import Config
    from keyferry.terminal.remote.host import RemoteHost

SIDES: Final = ("source", "destination")
_LEAST_SPACE: Final = 1024  # KiB: a run's files there are some hundred bytes for each key
_LITTLE_SPACE: Final = 100 * 1024
_NOBODY: Final = -1
_MOST_SKEW: Final = 5  # seconds: the two hosts' records must be told in one order
_HA_ONLY: Final = re.compile(r"^\s*HAOnly\s*=\s*(\d)", re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Side:
    """What the checks of one side share."""

    name: str
    config: Config
    host: RemoteHost

    def setting(self, key: str) -> str:
        return self.config.text(self.name, key)


def examine(config: Config, sides: tuple[str, ...] = SIDES) -> list[Finding]:
    """Look at these sides; every check has its finding, also after one that failed.

    UsageError, before anything is started, for settings that do not hold together.
    """
    check(config)
    return [*_files(config), *(finding for name in sides for finding in _side(config, name))]


def _files(config: Config) -> Iterator[Finding]:
    """The configuration files of Keyferry itself; one that everyone can write to was refused before."""
    for path in config.files:
        if doubt := permissions.of_file(path).doubt(os.geteuid()):
            hint = "it names programs, hosts and sources of secrets: let only its owner write to it (`chmod go-w`)"
            yield Finding("keyferry", "configuration", "warn", doubt, hint)


def log_in(config: Config, sides: tuple[str, ...] = SIDES) -> list[Finding]:
    """Log in to each of these sides once, with every check before it that a run makes, and leave again.

    Raises:
        LoginForbiddenError: An earlier login was refused or did not finish (LOGIN-ONCE); nothing was typed.
    """
    secrets = Endpoints.resolve_secrets(config, sides)
    with (
        tempfile.TemporaryDirectory() as folder,
        Endpoints(config, Path(folder), "doctor", Bus(), secrets) as endpoints,
    ):
        looks = {side: endpoint.preflight for side, endpoint in endpoints.present.items()}
        logins = {"source": _source_login, "destination": _destination_login}
        doubts = {name: _tried(name, look) for name, look in looks.items()}  # before anything is typed
        return [
            doubts[name]
            or _tried(name, functools.partial(login, endpoints))
            or Finding(name, "login", "ok", "accepted")
            for name, login in logins.items()
            if name in looks
        ]


def _tried(name: str, act: Callable[[], None]) -> Finding | None:
    """Do a part of a login; why it failed."""
    try:
        act()
    except LoginForbiddenError as error:
        error.fill(host=name)
        raise
    except KeyferryError as error:
        return failed(name, "login", error)
    return None


def _source_login(endpoints: Endpoints) -> None:
    endpoints.source.open_session()
    endpoints.source.log_in()
    endpoints.source.close()


def _destination_login(endpoints: Endpoints) -> None:
    endpoints.destination.log_in()
    endpoints.destination.close()


def _side(config: Config, name: str) -> Iterator[Finding]:
    try:
        host = remote_host(config, name)
        with host:
            side = _Side(name, config, host)
            for check in (_reached, _shell, _space, _clock, _configuration, _tools):
                yield from _guarded(side, check.__name__.strip("_"), check(side))
    except UsageError as error:
        yield failed(name, "settings", error)
    except UnreachableError as error:
        what = "host key" if "ssh host key" in error.what else "reachable"
        yield failed(name, what, error)


def _guarded(side: _Side, check: str, findings: Iterator[Finding]) -> Iterator[Finding]:
    try:
        yield from findings
    except KeyferryError as error:
        yield failed(side.name, check, error)


def _reached(side: _Side) -> Iterator[Finding]:
    facts = side.host.facts
    where = (
        f"{facts.get('account', '?')} on {facts.get('host_name', '?')}, {facts.get('os') or facts.get('kernel', '?')}"
    )
    yield Finding(side.name, "reachable", "ok", where)
    if key := facts.get("host_key"):
        yield Finding(side.name, "host key", "ok", f"known: {key}")


def _shell(side: _Side) -> Iterator[Finding]:
    if noise := side.host.noise.decode("utf-8", "replace").strip():
        first = noise.splitlines()[0]
        yield Finding(
            side.name,
            "shell",
            "warn",
            f"prints text of its own before every command: {first!r}",
            "it is kept out of answers; better, print it in interactive shells only",
        )
    else:
        yield Finding(side.name, "shell", "ok", "quiet")
    hashing = side.host.facts.get("hash")
    yield Finding(side.name, "hash", "ok", hashing or "no command for SHA-256: files are read back and hashed here")
    yield Finding(side.name, "umask", "ok", f"{side.host.facts.get('umask', '?')}; a run's own files are made with 077")


def _space(side: _Side) -> Iterator[Finding]:
    free, place = side.host.free_space(), side.host.facts["temporary"]
    verdict: Verdict = "fail" if free < _LEAST_SPACE else "warn" if free < _LITTLE_SPACE else "ok"
    hint = None if verdict == "ok" else "free some; a full disk in the middle of a wrap leaves that key undone"
    yield Finding(side.name, "free space", verdict, f"{free} KiB in {place}", hint)


def _clock(side: _Side) -> Iterator[Finding]:
    if (offset := side.host.facts.get("clock_offset")) is None:
        yield Finding(side.name, "clock", "warn", "its clock cannot be read", "the record then has our times only")
    elif abs(int(offset)) > _MOST_SKEW:
        hint = "set it by NTP: an auditor orders the hosts' own logs by it"
        yield Finding(side.name, "clock", "warn", f"{int(offset):+d} s from ours", hint)
    else:
        yield Finding(side.name, "clock", "ok", f"{int(offset):+d} s from ours")


def _configuration(side: _Side) -> Iterator[Finding]:
    path = side.setting("configuration")
    if side.name == "destination" and side.config.origin(side.name, "configuration") == "default":
        path = CONFIGURATIONS.get(side.setting("tool"), path)
    at = shlex.quote(path)
    answer = side.host.ask(f"if [ -e {at} ]; then cat {at}; else (exit 99); fi")
    if answer.status == 99:
        hint = f"name it with `[{side.name}] configuration` if it is elsewhere; the tools may know another place"
        yield Finding(side.name, "configuration", "warn", f"{path} is not there", hint)
    elif answer.status:
        yield Finding(
            side.name,
            "configuration",
            "fail",
            f"{path} cannot be read",
            "join the group that may: hsmusers on a Luna client",
        )
    else:
        yield Finding(side.name, "configuration", "ok", _told(path, answer.output.decode("utf-8", "replace")))


def _told(path: str, text: str) -> str:
    if not path.lower().endswith("chrystoki.conf"):
        return f"{path} can be read"
    found = _HA_ONLY.search(text)
    setting = "not set" if found is None else "on" if found[1] == "1" else "off"
    return f"{path} can be read; HAOnly is {setting}"


def _permissions(side: _Side, tool: str, path: str) -> Iterator[Finding]:
    """Who else can change the program, or the folder that it is in."""
    places = permissions.of_program(side.host, path)
    try:
        who = _account(side)
    except UnknownScreenError as error:
        yield failed(side.name, tool, error)
        return
    for place, what in zip(places, ("the program folder", "the program"), strict=True):
        try:
            place.demand(what)
        except CheckFailedError as error:
            yield failed(side.name, tool, error)
        else:
            if doubt := place.doubt(who):
                hint = "a program that another user can change sees your secrets: have it owned by root, mode 755"
                yield Finding(side.name, tool, "warn", doubt, hint)


def _account(side: _Side) -> int:
    """The number of the user there, where the host knows it."""
    answer = side.host.ask("id -u")
    return answers.account(answer.output.decode("utf-8", "replace")) if answer.status == 0 else _NOBODY


def _tools(side: _Side) -> Iterator[Finding]:
    missing = False
    for tool in TOOLS[side.name](side.config):
        try:
            program = side.host.program(tool)
        except UnreachableError as error:
            missing = True
            yield failed(side.name, tool, error)
        else:
            yield Finding(side.name, tool, "ok", f"{program.path}, {program.size} bytes, SHA-256 {program.sha256}")
            yield from _permissions(side, tool, program.path)
    if missing:
        return
    with tempfile.TemporaryDirectory() as folder:
        sessions = Sessions(Path(folder), "doctor", (), wordings=wordings(side.config))
        try:
            yield from look_at_tools(side.name, side.config, side.host, sessions, limits(side.config))
        finally:
            sessions.close()
