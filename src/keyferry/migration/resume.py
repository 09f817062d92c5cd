"""What the command line calls for a run that was begun: go on with it, and answer what it asks."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from keyferry.errors import CheckFailedError, LoginRefusedError, MismatchError, UsageError
from keyferry.migration.identity import same_owner
from keyferry.migration.recovery import recalled
from keyferry.migration.results import RunResult
from keyferry.migration.signals import Interrupts
from keyferry.migration.start import at_work, check_named, opened
from keyferry.pkcs11 import account
from keyferry.planning import job as orders
from keyferry.planning import plan as planfile
from keyferry.run.directory import RunDirectory
from keyferry.run.manifest import MANIFEST, written_head
from keyferry.run.state import JOURNAL, PLAN, WRONG_VALUE, Stage, load
from keyferry.run.status import SIDES, next_leg
from keyferry.run.unbegun import is_unbegun
from keyferry.run.versions import require_same_version
from keyferry.text import counted, shortened, value

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from keyferry.config import Config
    from keyferry.events import Bus
    from keyferry.planning.job import MigrationJob
    from keyferry.planning.plan import Plan
    from keyferry.planning.selection import Selection
    from keyferry.run.state import Decision, KeyState, RunState


def resume(config: Config, run_dir: Path, bus: Bus, *, max_failures: int | None = None) -> RunResult:
    """Go on with a run, as `migrate` would have. max_failures: as ordered at first, where None.

    CheckFailedError (RUN-OWNER),
    raised or in the result, where the parties are not those of the run; JournalHeldError where it still goes on.
    """
    from keyferry.migration.endpoints import Endpoints  # noqa: PLC0415 - start-up: pexpect and all drivers
    from keyferry.migration.migration import Migration  # noqa: PLC0415 - as above

    past = load(run_dir)
    if past.wrong_values:
        return _stopped(run_dir, past)
    if past.ended and not past.open_keys:
        result = RunResult(run_dir, recalled(_plan(run_dir, past).keys, past))
        _complete(result)
        return result
    with reopened(run_dir) as (directory, past):
        config, order = ordered(config, past, run_dir)
        same_owner(
            past,
            "destination",
            {"user": config.text("destination", "user"), "tool": config.text("destination", "tool")},
        )
        check_named(config, ("source", "destination"))
        may_log_in(past, config)
        secrets = Endpoints.resolve_secrets(config, ("source", "destination"))
        directory.go_on(past, **typing_again(config))
    order = replace(order, max_failures=order.max_failures if max_failures is None else max_failures)
    with at_work(config, directory, secrets, bus) as endpoints, Interrupts(bus) as interrupts:
        result = Migration(endpoints, directory, order, interrupts, past).run()
    result.head = directory.head
    return result


def _complete(result: RunResult) -> None:
    """Complete the record of a run that does nothing more, if its process died before it could."""
    if not (result.run_dir / MANIFEST).exists():
        with reopened(result.run_dir) as (directory, past):
            directory.complete(past)
    result.head = written_head(result.run_dir)


def _stopped(run_dir: Path, past: RunState) -> RunResult:
    """A key with another value is on the destination (KCV-MATCH): nothing is typed until an operator has decided."""
    [*others, key] = past.wrong_values
    more = f" (and {counted(len(others), 'other')})" if others else ""
    error = MismatchError(
        f"key {key.handle}{more} arrived on the destination with another value, and nobody has decided about it yet",
        rule=WRONG_VALUE,
        seen=key.detail,
        keys=f"nothing was typed to any tool; key {key.cloud_handle} of the destination must not be used",
        hint=f"remove key {key.cloud_handle} with the tool, then `keyferry resolve RUN {key.handle} --retry | --skip`",
        record=str(run_dir),
    )
    result = RunResult(run_dir, recalled(_plan(run_dir, past).keys, past), error=error)
    _complete(result)
    return result


def resolve(run_dir: Path, name: str, decision: Decision) -> tuple[KeyState, str | None]:
    """Record what an operator says of one key, and give the key and the record's new head. The run acts on it when it
    is resumed. Nothing is logged in to.

    name: the key's handle as the run has it, or `label:TEXT`. UsageError for a key that has no question, or
    for a handle that cannot be its.
    """
    with reopened(run_dir) as (directory, past):
        key = _named(past, name)
        _has_question(key, _plan(run_dir, past))
        if decision.handle is not None:
            _may_adopt(past, key, decision)
        directory.go_on(past, by="resolve")
    try:
        directory.journal.write("resolve", key=key.handle, order=decision.what, handle=decision.handle, by=account())
    finally:
        directory.finish()
    return key, directory.head


@contextlib.contextmanager
def reopened(run_dir: Path) -> Iterator[tuple[RunDirectory, RunState]]:
    """A run's folder, locked; left as it was found if what is asked inside raises."""
    directory, past = RunDirectory.reopen(run_dir)
    try:
        require_same_version(run_dir)
        yield directory, past
    except BaseException:
        directory.leave()
        raise


def ordered(config: Config, past: RunState, run_dir: Path) -> tuple[Config, MigrationJob]:
    """The settings and the order of a run that goes on."""
    if not past.order:
        raise UsageError(f"{run_dir} is no migration, so there is nothing to go on with")
    try:
        config, order = orders.recalled(config, past.order)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise CheckFailedError(
            f"{run_dir / JOURNAL}: line 1: what was ordered is not as a run writes it",
            keys="nothing was typed to any tool; what this journal says of the keys cannot be trusted",
            hint="take the run directory from a copy, or begin a new run",
        ) from error
    if past.plan is None and past.order["plan"]:
        plan = planfile.read(run_dir / PLAN)
        if plan.sha256 != past.order["plan"]:
            raise _other_plan(run_dir)
        order = replace(order, plan=plan)
    return config, order


def _plan(run_dir: Path, past: RunState) -> Plan:
    plan = planfile.read(run_dir / PLAN)
    if plan.sha256 != past.plan:
        raise _other_plan(run_dir)
    return plan


def _other_plan(run_dir: Path) -> CheckFailedError:
    return CheckFailedError(
        f"{run_dir / PLAN} is not the plan of this run: its SHA-256 is not the journal's",
        keys="nothing was typed to any tool",
        hint="take the plan from a copy of the run's directory",
    )


def typing_again(config: Config) -> dict[str, object]:
    """What a `resumed` line says of an order to type a secret again."""
    reason = {} if config.again is None or config.again.reason is None else {"reason": config.again.reason}
    return {"type_again": config.again is not None, **reason}


def may_log_in(past: RunState, config: Config) -> None:
    """LOGIN-ONCE, across processes. A login whose end nobody saw is judged by the counter (LOCKOUT-NEAR)."""
    raised_allowed = config.flag("run", "allow_raised_counter")
    for name, outcome in past.logins.items():
        unseen = outcome == "typed" and raised_allowed
        if (outcome == "refused" or unseen) and not config.again:
            raise LoginRefusedError(
                f"the {name} was refused at this run's last login"
                if outcome == "refused"
                else f"nobody saw how this run's last login with the {name} went",
                rule="LOGIN-ONCE",
                keys="nothing was typed; every wrong try counts towards a lock-out that may be final",
                hint="make sure of the secret and check the failure counter; then give --type-again --reason TEXT",
            )


def _named(past: RunState, name: str) -> KeyState:
    if name.isascii() and name.isdecimal():
        found = [key for key in past.keys.values() if str(key.handle) == (name.lstrip("0") or "0")]
    else:
        found = [key for key in past.keys.values() if f"label:{key.label}" == name]
    if len(found) != 1:
        raise UsageError(
            f"{value(shortened(name))} names {counted(len(found), 'key') if found else 'no key'} of this run",
            keys="nothing was recorded",
            hint="name the key by its handle; `keyferry status RUN` lists them",
        )
    return found[0]


def _has_question(key: KeyState, plan: Plan) -> None:
    stays = any(one.handle == key.handle and one.verdict is not None for one in plan.keys)
    asked = key.stage in (Stage.NEEDS_OPERATOR, Stage.FAILED) or not key.settled
    if stays or not asked:
        raise UsageError(
            f"key {key.handle} needs no answer: it is {key.stage.value}",
            keys="nothing was recorded",
            hint="`keyferry status RUN` names the keys that do",
        )


def _may_adopt(past: RunState, key: KeyState, decision: Decision) -> None:
    others = {other.cloud_handle for other in past.keys.values() if other is not key}
    if decision.handle in others | {past.pair.public, past.pair.private}:
        raise UsageError(f"{decision.handle} is another key of this run", keys="nothing was recorded")
    if decision.handle in past.rejected:
        raise UsageError(
            f"key {decision.handle} has another value than the key that it was unwrapped for ({WRONG_VALUE})",
            keys="nothing was recorded",
            hint="remove it with the tool, then answer --retry or --skip",
        )
    if decision.handle in (past.before or ()):
        raise UsageError(f"key {decision.handle} was there before this run began", keys="nothing was recorded")


def leg(  # noqa: PLR0917 - what was said at the command line
    config: Config, selection: Selection, run_dir: Path, bus: Bus, steps: str, max_failures: int | None = None
) -> RunResult:
    """Do some steps of a run on the one side that is reached from here; the first of them begin the run.

    CheckFailedError, before anything is typed, where other steps come next, or where what the steps before left
    is missing, changed or of another run.
    """
    from keyferry.migration import offline  # noqa: PLC0415 - start-up: pexpect and all drivers
    from keyferry.migration.endpoints import Endpoints  # noqa: PLC0415 - as above

    side = (SIDES[steps],)
    if steps == "1-2" and (is_unbegun(run_dir) or not run_dir.exists()):
        order = replace(orders.order(config, selection), legs=True)
        with opened(config, run_dir, bus, side, order) as (endpoints, directory), Interrupts(bus) as interrupts:
            result = offline.LEGS[steps](endpoints, directory, order, interrupts).run()
        result.head = directory.head
        return result
    offline.require_begun(steps, run_dir)
    past = load(run_dir)
    if past.wrong_values:
        return _stopped(run_dir, past)
    if past.steps == steps != next_leg(past) and not (run_dir / MANIFEST).exists():  # it died behind its last line
        result = RunResult(run_dir, recalled(_plan(run_dir, past).keys, past) if past.plan else [])
        _complete(result)
        return result
    with reopened(run_dir) as (directory, past):
        offline.require_next(past, steps, run_dir)
        config, order = ordered(config, past, run_dir)
        chosen = _plan(run_dir, past).selection if past.plan else selection
        order = replace(orders.order(config, chosen), legs=True, max_failures=max_failures)
        check_named(config, side)
        may_log_in(past, config)
        secrets = Endpoints.resolve_secrets(config, side)
        directory.go_on(past, steps=steps)
    with at_work(config, directory, secrets, bus) as endpoints, Interrupts(bus) as interrupts:
        result = offline.LEGS[steps](endpoints, directory, order, interrupts, past).run()
    result.head = directory.head
    return result
