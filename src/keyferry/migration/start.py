"""What the command line calls: one function for each thing a user can ask for."""

from __future__ import annotations

import contextlib
import resource
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from keyferry.errors import CheckFailedError, InternalError, KeyferryError, RecordFailedError, UsageError
from keyferry.migration.signals import Interrupts
from keyferry.planning import approval
from keyferry.planning import plan as planfile
from keyferry.planning.job import MigrationJob, order, planned
from keyferry.planning.plan import PLANNED_SETTINGS
from keyferry.run.directory import RunDirectory
from keyferry.run.state import PLAN
from keyferry.terminal.host import write_private

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from keyferry.config import Config
    from keyferry.events import Bus
    from keyferry.migration.endpoints import Endpoints, Secrets
    from keyferry.migration.results import RunResult
    from keyferry.planning.selection import Selection
    from keyferry.tools.endpoints import DestinationKey, SourceKey
    from keyferry.tools.ledger import RefusedLogin
    from keyferry.tools.vtl.screens import SlotRow

_WAYS = [(side, name) for side in ("source", "destination") for name in ("sudo", "prefix")]
PUBLIC_SETTINGS = (*PLANNED_SETTINGS, *_WAYS, ("run", "allow_raised_counter"), ("run", "operator"), ("run", "sessions"))
"""Settings that go into the record: all but where secrets come from."""


DESCRIPTORS = 64
"""Files, terminals and connections that a run has open at a time, at most; more with `--sessions`."""


@dataclass(frozen=True, slots=True)
class Approve:
    """That a plan must be signed, by whom (a file of allowed signers), and where the signature is, if not beside it."""

    allowed: Path
    signature: Path | None = None


def migrate(
    config: Config,
    selection: Selection,
    run_dir: Path | None,
    bus: Bus,
    max_failures: int | None = None,
    *,
    rehearsal: bool = False,
) -> RunResult:
    """Carry keys across. Errors after the start are in the result; UsageError and the like before it are raised.

    rehearsal: say so in the record, whatever the tools are.
    """
    ordered = replace(order(config, selection), max_failures=max_failures, rehearsal=rehearsal)
    return _run(config, ordered, run_dir, bus)


def plan(config: Config, selection: Selection, out: Path, bus: Bus) -> RunResult:
    """Judge the keys, change nothing, and write the plan (0600) to `out`, which must not be there yet.

    An error in the result means that there is no plan.
    """
    if out.exists():
        raise UsageError(f"{out} is there already", keys="nothing was started", hint="name another file")
    result = migrate(config, replace(selection, dry_run=True), None, bus)
    if result.error is None:
        try:
            write_private(out, (result.run_dir / "plan.json").read_bytes())
        except OSError as error:
            raise RecordFailedError(f"{out}: {error.strerror}", keys="nothing was changed") from error
    return result


def migrate_plan(  # noqa: PLR0917 - what the command line says
    config: Config,
    path: Path,
    run_dir: Path | None,
    bus: Bus,
    approve: Approve | None = None,
    dry_run: bool = False,
    max_failures: int | None = None,
) -> RunResult:
    """Carry out exactly a plan, as `migrate` does.

    CheckFailedError (PLAN-MATCH, PLAN-APPROVED), raised or in the result, where the plan is not of this world
    or, with `approve`, not signed by somebody else.
    """
    wanted = planfile.read(path)
    signed = None
    if approve:
        signature = approve.signature or path.with_name(path.name + ".sig")
        operator = config.text("run", "operator")
        signed = approval.approval(wanted.canonical(), signature, approve.allowed, operator)
    config = planned(config, wanted)
    ordered = order(config, replace(wanted.selection, dry_run=dry_run))
    return _run(config, replace(ordered, plan=wanted, approval=signed, max_failures=max_failures), run_dir, bus)


def _run(config: Config, wanted: MigrationJob, run_dir: Path | None, bus: Bus) -> RunResult:
    from keyferry.migration.migration import Migration  # noqa: PLC0415 - start-up: pexpect and all drivers

    with opened(config, run_dir, bus, order=wanted) as (endpoints, directory), Interrupts(bus) as interrupts:
        if wanted.approval:
            wanted.approval.record(directory)
        result = Migration(endpoints, directory, wanted, interrupts).run()
    result.head = directory.head
    return result


def inventory_source(config: Config, bus: Bus) -> Sequence[SourceKey]:
    """Every key object of the partition; the only thing typed that is not a question is the PIN."""
    with opened(config, None, bus, need=("source",)) as (endpoints, _directory):
        endpoints.source.preflight()
        endpoints.source.open_session()
        endpoints.source.log_in()
        keys = endpoints.source.keys()
        endpoints.source.close()
        return keys


def inventory_destination(config: Config, bus: Bus) -> Sequence[DestinationKey]:
    """Every secret key of the crypto user."""
    with opened(config, None, bus, need=("destination",)) as (endpoints, _directory):
        endpoints.destination.preflight()
        endpoints.destination.log_in()
        keys = [endpoints.destination.describe(handle) for handle in endpoints.destination.secret_keys()]
        endpoints.destination.close()
        return keys


def slots(config: Config, record: Path) -> Sequence[SlotRow]:
    """The source client's slots; `record` is a folder for the session's recording."""
    from keyferry.migration.endpoints import host, limits  # noqa: PLC0415 - start-up: pexpect and all drivers
    from keyferry.terminal.sessions import Sessions  # noqa: PLC0415 - as above
    from keyferry.tools.overrides import wordings  # noqa: PLC0415 - as above
    from keyferry.tools.vtl import driver as vtl  # noqa: PLC0415 - as above

    with host(config, "source", lambda _where, _folder: None) as there:
        return vtl.list_slots(Sessions(record, "-", (), wordings=wordings(config)), there, limits(config))


@contextlib.contextmanager
def opened(
    config: Config,
    run_dir: Path | None,
    bus: Bus,
    need: tuple[str, ...] = ("source", "destination"),
    order: MigrationJob | None = None,
) -> Iterator[tuple[Endpoints, RunDirectory]]:
    from keyferry.migration.endpoints import Endpoints  # noqa: PLC0415 - start-up: pexpect and all drivers

    check_named(config, need)
    _demand_descriptors()
    secrets = Endpoints.resolve_secrets(config, need)
    parent = config.folder("run", "directory") or Path("keyferry-runs")
    directory = RunDirectory.create(run_dir, parent.absolute())
    if order and order.plan:  # where this process dies before it has compared it, a resumed run does exactly this
        directory.write(PLAN, order.plan.canonical())
    settings: dict[str, object] = {f"{section}.{key}": config.text(section, key) for section, key in PUBLIC_SETTINGS}
    directory.begin(settings, order.record() if order else None, rehearsal=bool(order and order.rehearsal))
    with at_work(config, directory, secrets, bus) as endpoints:
        yield endpoints, directory


@contextlib.contextmanager
def at_work(config: Config, directory: RunDirectory, secrets: Secrets, bus: Bus) -> Iterator[Endpoints]:
    """The parties of a run whose folder is open; at the end its record is completed."""
    from keyferry.migration.endpoints import Endpoints  # noqa: PLC0415 - start-up: pexpect and all drivers
    from keyferry.tools.ledger import Ledger  # noqa: PLC0415 - as above
    from keyferry.tools.logins import Logins  # noqa: PLC0415 - as above

    around = (config, directory.sessions, directory.run_id, bus, secrets)

    def cleared(name: str, entry: RefusedLogin, reason: str | None) -> None:
        past = {"outcome": entry.outcome, "tool": entry.tool, "since": entry.at}
        directory.journal.write("type again", secret=name, **past, reason=reason)

    logins = Logins(
        lambda name, outcome: directory.journal.write("login", secret=name, outcome=outcome),
        Ledger.at_home(),
        config.again,
        cleared,
    )
    try:
        with Endpoints(*around, logins=logins, anchor=directory.journal, record=directory.journal.write) as endpoints:
            try:
                yield endpoints
            except KeyferryError as error:
                error.redact(endpoints.sessions.redact)
                if last := endpoints.sessions.last(error.tool):
                    error.fill(host=last.host, record=last.recorder.place)
                error.fill(record=str(directory.path))
                raise
            except Exception as error:
                raise InternalError(error, str(directory.path)) from error
    finally:
        directory.finish()


def _demand_descriptors() -> None:
    """CheckFailedError where this process may open too few files for a run."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= soft < DESCRIPTORS <= hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, hard))
    elif 0 <= soft < DESCRIPTORS:
        raise CheckFailedError(
            f"Keyferry may open only {soft} files at a time, and a run needs up to {DESCRIPTORS}",
            keys="nothing was started",
            hint="raise the limit (`ulimit -n`)",
        )


def check_named(config: Config, need: tuple[str, ...]) -> None:
    """UsageError where the configuration leaves out what these sides need."""
    for section, key, option in (("source", "slot", "--slot"), ("destination", "user", "--user")):
        if section in need and not config.text(section, key):
            raise UsageError(
                f"no {key} is named for the {section} side",
                keys="nothing was started",
                hint=f"give {option}, or `{key}` in [{section}] of the configuration; "
                "`keyferry rehearse` needs neither",
            )
