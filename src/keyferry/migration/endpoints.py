"""Which tools stand behind the two parties; the only place of the procedure that knows their names."""

from __future__ import annotations

import contextlib
import functools
import sys
import threading
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Self

from keyferry import secrets, steps
from keyferry.errors import UnreachableError, UsageError
from keyferry.events import Bus, Event, StepStarted
from keyferry.recording.vocabulary import is_ordinary
from keyferry.terminal.child import READ_SIZE
from keyferry.terminal.host import LocalHost
from keyferry.terminal.remote import ssh
from keyferry.terminal.remote.host import RemoteHost
from keyferry.terminal.sessions import Sessions
from keyferry.tools.classic.source import ClassicSource
from keyferry.tools.cloudhsm_cli.destination import CloudHsmCliDestination
from keyferry.tools.key_mgmt_util.destination import KeyMgmtUtilDestination
from keyferry.tools.ledger import Ledger
from keyferry.tools.limits import Limits
from keyferry.tools.logins import Logins
from keyferry.tools.overrides import wordings

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path
    from types import TracebackType

    from keyferry.config import Config
    from keyferry.recording.recorder import Anchor
    from keyferry.secrets import Secret
    from keyferry.terminal.host import Host, Note
    from keyferry.terminal.remote.ssh import Route
    from keyferry.tools.endpoints import Destination, Source


@dataclass(frozen=True, slots=True)
class Worker:
    """A further session on each side, in folders of their own. number: from 2, as step markers are told apart."""

    number: int
    source: Source
    destination: Destination
    source_host: Host
    destination_host: Host


@dataclass(frozen=True, slots=True)
class Secrets:
    """The secrets of a run; None for a side that is not logged in to."""

    pin: Secret | None
    password: Secret | None


@dataclass(frozen=True, slots=True)
class EndpointContext:
    """What every endpoint is made of."""

    config: Config
    sessions: Sessions
    limits: Limits
    logins: Logins


def _key_mgmt_util(around: EndpointContext, host: Host, password: Secret) -> Destination:
    config = around.config
    return KeyMgmtUtilDestination(
        around.sessions,
        host,
        around.limits,
        around.logins,
        user=config.text("destination", "user"),
        password=password,
        visible=config.flag("destination", "password_visible"),
        quota=config.number("destination", "key_quota"),
        allow_raised=config.flag("run", "allow_raised_counter"),
    )


def _cloudhsm_cli(around: EndpointContext, host: Host, password: Secret) -> Destination:
    config = around.config
    return CloudHsmCliDestination(
        around.sessions,
        host,
        around.limits,
        around.logins,
        user=config.text("destination", "user"),
        password=password,
        allow_raised=config.flag("run", "allow_raised_counter"),
        availability_checked=config.flag("destination", "key_availability_check"),
        quota=config.number("destination", "key_quota"),
    )


_OF_SINGLE_COMMANDS = frozenset({"CLOUDHSM_PIN", "CLOUDHSM_ROLE"})
"""A user's own, for cloudhsm-cli's single-command mode: the first holds a password."""

DESTINATIONS: dict[str, Callable[[EndpointContext, Host, Secret], Destination]] = {
    "cloudhsm-cli": _cloudhsm_cli,
    "key_mgmt_util": _key_mgmt_util,
}
"""`[destination] tool` and the endpoint it makes; the first that a host has is the one to choose."""


def guess_destination(host: Host) -> str | None:
    """The tool of today where it is installed, else the one of old; None where there is neither."""
    for tool in DESTINATIONS:
        with contextlib.suppress(UnreachableError):
            host.program(tool)
            return tool
    return None


_ORDINARY = (
    "{}: made of words or numbers that the tools print themselves, so the record cannot be searched for it. What is "
    "typed at the prompt is never recorded. A long random secret is safer."
)


class _CurrentStep(threading.local):
    step = "0"


class Endpoints:
    """The two parties, their hosts and the events between them. A context manager: at its end every tool is
    ended and both hosts' private folders are gone. A endpoint whose secret was not resolved is not there.
    """

    source: Source
    destination: Destination

    def __init__(  # noqa: PLR0917 - what a run is made of
        self,
        config: Config,
        directory: Path,
        run_id: str,
        bus: Bus,
        secrets: Secrets,
        read_size: int = READ_SIZE,
        logins: Logins | None = None,
        anchor: Anchor | None = None,
        record: Callable[..., None] = lambda _kind, **_what: None,
    ) -> None:
        self.bus = bus
        self._at = _CurrentStep()
        self.number = 1
        self.workers: list[Worker] = []
        self._config = config
        known = [secret for secret in (secrets.pin, secrets.password) if secret and not is_ordinary(secret)]
        self.sessions = Sessions(directory, run_id, known, read_size, anchor, wordings=wordings(config))
        self.sessions.spare(*(str(setting) for setting in config.values()))
        self._workers = {1: self.sessions}
        self.limits = limits(config)
        self._record = record
        self._stack = contextlib.ExitStack()
        self._around = EndpointContext(
            config, self.sessions, self.limits, logins or Logins(ledger=Ledger.at_home(), again=config.again)
        )
        self._secrets = secrets
        bus.join(self._mark)

    @property
    def step(self) -> str:
        """The step that this thread is in."""
        return self._at.step

    @property
    def present(self) -> dict[str, Source | Destination]:
        """The parties that are there, by side."""
        sides = {"source": "source", "destination": "destination"}
        return {side: getattr(self, name) for side, name in sides.items() if hasattr(self, name)}

    @property
    def destination_kind(self) -> type[CloudHsmCliDestination | KeyMgmtUtilDestination]:
        """What can be told to the destination's tool, where it is not reached."""
        is_cli = _known_tool(self._config) == "cloudhsm-cli"
        return CloudHsmCliDestination if is_cli else KeyMgmtUtilDestination

    @functools.cached_property
    def source_host(self) -> Host:
        """Reached when it is first asked for: what needs one side only needs one host only."""
        return self._reach("source")

    @functools.cached_property
    def destination_host(self) -> Host:
        return self._reach("destination")

    def _reach(self, section: str) -> Host:
        found = self._stack.enter_context(
            host(self._config, section, lambda where, folder: self._record("folder", where=where, folder=folder))
        )
        self._record("host", side=section, facts=dict(found.facts))
        return found

    def record_process(self, destination: Destination) -> None:
        """Put the process of a destination's tool on record, before anything is typed that it could do late."""
        self._record("process", side="destination", **asdict(destination.process()))

    @staticmethod
    def resolve_secrets(config: Config, need: tuple[str, ...]) -> Secrets:
        """Fetch the secrets of the sides that will be logged in to, once, before anything starts.

        UsageError, before anybody is asked, for settings that do not hold together.
        """
        check(config)
        secrets = Secrets(
            _resolve(config, "source", "pin", "partition PIN") if "source" in need else None,
            _resolve(config, "destination", "password", "crypto user's password") if "destination" in need else None,
        )
        if ordinary := [f"the {one.name}" for one in (secrets.pin, secrets.password) if one and is_ordinary(one)]:
            sys.stderr.write(f"warning: {_ORDINARY.format(' and '.join(ordinary))}\n")
        return secrets

    def __enter__(self) -> Self:
        with self._stack:  # where the second host cannot be reached, the first is left as it was found
            if self._secrets.pin:
                self.source = self._source(self._around, self.source_host, self._secrets.pin)
            if self._secrets.password:
                self.destination = self._destination(self._around, self.destination_host, self._secrets.password)
            self._stack = self._stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._stack:
            self.sessions.close()

    def another_worker(self, number: int) -> Worker:
        """Further parties of both sides, not yet reached."""
        if self._secrets.pin is None or self._secrets.password is None:
            raise UsageError("several sessions need both sides", keys="nothing was changed")
        around = replace(self._around, sessions=self.sessions.beside())
        self._workers[number] = around.sessions
        source_host, destination_host = (host.room(str(number)) for host in (self.source_host, self.destination_host))
        source = self._source(around, source_host, self._secrets.pin)
        destination = self._destination(around, destination_host, self._secrets.password)
        self.workers.append(Worker(number, source, destination, source_host, destination_host))
        return self.workers[-1]

    def _source(self, around: EndpointContext, host: Host, pin: Secret) -> Source:
        config = self._config
        return ClassicSource(
            around.sessions,
            host,
            around.limits,
            around.logins,
            pin,
            slot=config.text("source", "slot"),
            import_option=config.text("source", "cmu_public_key_option"),
            allow_raised=config.flag("run", "allow_raised_counter"),
        )

    def _destination(self, around: EndpointContext, host: Host, password: Secret) -> Destination:
        return DESTINATIONS[_known_tool(self._config)](around, host, password)

    def _mark(self, event: Event) -> None:
        if isinstance(event, StepStarted):
            self._at.step = event.number
            title = event.title if event.key is None else f"{event.title}: {event.key}"
            for number, sessions in self._workers.items():
                if number == event.worker or event.number == "end":
                    sessions.step(event.number, title, steps.SIDES.get(event.number))


def host(config: Config, section: str, note: Note) -> AbstractContextManager[Host]:
    """A endpoint's host, not yet reached: where the tools are, by `[section] host`, `prefix` and `sudo`."""
    if _way(config, section).is_local:
        return LocalHost(section, config.folder(section, "bin"), hidden_variables(config), note)
    return remote_host(config, section, note)


def remote_host(config: Config, section: str, note: Note = lambda _where, _folder: None) -> RemoteHost:
    """The same through a shell of its own, also where it is this machine: it can be asked things."""
    way = _way(config, section)
    tools = config.text(section, "bin") if way.destination else str(config.folder(section, "bin") or "")
    hidden, limit = hidden_variables(config), limits(config)
    return RemoteHost(section, way, tools, hidden, note=note, start_limit=limit.start, limit=limit.answer)


def _way(config: Config, section: str) -> Route:
    return ssh.way(
        config.text(section, "host"),
        config.text(section, "ssh_options"),
        config.text(section, "prefix"),
        sudo=config.flag(section, "sudo"),
    )


def check(config: Config) -> None:
    """UsageError where settings do not hold together; nothing is started and no secret is fetched."""
    for section, secret in (("source", "pin"), ("destination", "password")):
        _way(config, section)
        secrets.check_source(secret, config.text(section, secret))
    _known_tool(config)


def limits(config: Config) -> Limits:
    return Limits(*(float(config.number("limits", name)) for name in ("start", "answer", "login", "generate")))


def _resolve(config: Config, section: str, key: str, name: str) -> Secret:
    return secrets.resolve(name, config.text(section, key), config.base(section, key))


def _known_tool(config: Config) -> str:
    tool = config.text("destination", "tool")
    if tool not in DESTINATIONS:
        raise UsageError(f"[destination] tool: {tool!r} is not known", hint=f"known: {', '.join(DESTINATIONS)}")
    return tool


def hidden_variables(config: Config) -> frozenset[str]:
    """Environment variables that hold secrets and so are kept from every child."""
    sources = (config.text("source", "pin"), config.text("destination", "password"))
    return frozenset(name for source in sources if (name := secrets.named_variable(source))) | _OF_SINGLE_COMMANDS
