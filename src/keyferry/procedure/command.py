"""What the command line calls: one function for each thing a user can ask for."""

from __future__ import annotations

import contextlib
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from keyferry.errors import KeyferryError, UsageError
from keyferry.procedure.interrupts import Interrupts
from keyferry.procedure.order import PLANNED_SETTINGS, Selection, order
from keyferry.procedure.rundir import RunDirectory

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from keyferry.config import Config
    from keyferry.events import Bus
    from keyferry.procedure.assembly import Parties
    from keyferry.procedure.results import RunResult
    from keyferry.tools.parties import DestinationKey, SourceKey
    from keyferry.tools.vtl.screens import SlotRow

_WAYS = [(side, name) for side in ("classic", "cloudhsm") for name in ("host", "sudo", "prefix")]
PUBLIC_SETTINGS = (*PLANNED_SETTINGS, *_WAYS, ("run", "allow_raised_counter"))
"""Settings that go into the record: all but where secrets come from."""


def migrate(config: Config, selection: Selection, run_dir: Path | None, bus: Bus) -> RunResult:
    """Carry keys across. Errors after the start are in the result; UsageError and the like before it are raised."""
    from keyferry.procedure.migration import Migration  # noqa: PLC0415 - start-up: pexpect and all drivers

    wanted = order(config, selection)
    with opened(config, run_dir, bus, order=asdict(selection)) as (parties, directory), Interrupts() as interrupts:
        result = Migration(parties, directory, wanted, interrupts).run()
    result.head = directory.head
    return result


def inventory_classic(config: Config, bus: Bus) -> Sequence[SourceKey]:
    """Every key object of the partition; the only thing typed that is not a question is the PIN."""
    with opened(config, None, bus, need=("classic",)) as (parties, _directory):
        parties.source.look()
        parties.source.open_session()
        parties.source.log_in()
        keys = parties.source.keys()
        parties.source.close()
        return keys


def inventory_cloudhsm(config: Config, bus: Bus) -> Sequence[DestinationKey]:
    """Every secret key of the crypto user."""
    with opened(config, None, bus, need=("cloudhsm",)) as (parties, _directory):
        parties.destination.look()
        parties.destination.log_in()
        keys = [parties.destination.describe(handle) for handle in parties.destination.secret_keys()]
        parties.destination.close()
        return keys


def slots(config: Config, record: Path) -> Sequence[SlotRow]:
    """The Classic client's slots; `record` is a folder for the session's recording."""
    from keyferry.procedure.assembly import host, limits  # noqa: PLC0415 - start-up: pexpect and all drivers
    from keyferry.terminal.sessions import Sessions  # noqa: PLC0415 - as above
    from keyferry.tools.vtl import driver as vtl  # noqa: PLC0415 - as above

    with host(config, "classic", lambda _where, _folder: None) as there:
        return vtl.list_slots(Sessions(record, "-", ()), there, limits(config))


@contextlib.contextmanager
def opened(
    config: Config,
    run_dir: Path | None,
    bus: Bus,
    need: tuple[str, ...] = ("classic", "cloudhsm"),
    order: dict[str, object] | None = None,
) -> Iterator[tuple[Parties, RunDirectory]]:
    from keyferry.procedure.assembly import Parties  # noqa: PLC0415 - start-up: pexpect and all drivers
    from keyferry.tools.logins import Logins  # noqa: PLC0415 - as above

    _check_named(config, need)
    secrets = Parties.resolve_secrets(config, need)
    parent = config.folder("run", "directory") or Path("keyferry-runs")
    directory = RunDirectory.create(run_dir, parent.absolute())
    directory.begin({f"{section}.{key}": config.text(section, key) for section, key in PUBLIC_SETTINGS}, order)
    around = (config, directory.sessions, directory.run_id, bus, secrets)
    logins = Logins(lambda name, outcome: directory.journal.write("login", secret=name, outcome=outcome))
    try:
        with Parties(*around, logins=logins, anchor=directory.journal, record=directory.journal.write) as parties:
            try:
                yield parties, directory
            except KeyferryError as error:
                error.redact(parties.sessions.redact)
                error.fill(record=str(directory.path))
                raise
    finally:
        directory.finish()


def _check_named(config: Config, need: tuple[str, ...]) -> None:
    for section, key, option in (("classic", "slot", "--slot"), ("cloudhsm", "user", "--user")):
        if section in need and not config.text(section, key):
            raise UsageError(
                f"no {key} is named for the {section} side",
                keys="nothing was started",
                hint=f"give {option}, or `{key}` in [{section}] of the configuration; "
                "`keyferry rehearse` needs neither",
            )
