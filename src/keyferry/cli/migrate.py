from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from keyferry.cli.options import with_settings
from keyferry.cli.output import progress, render
from keyferry.cli.output.documents import with_document
from keyferry.config import Config
from keyferry.errors import Exit, UsageError
from keyferry.events import Bus
from keyferry.migration import start
from keyferry.migration.results import RunResult
from keyferry.planning import key_list
from keyferry.planning.key_list import KeyListEntry
from keyferry.planning.selection import Selection
from keyferry.run.rehearsal import WHY, is_rehearsal

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
All = Annotated[bool, typer.Option("--all", help="Every symmetric key of the partition.")]
Keys = Annotated[
    list[str] | None, typer.Option("--key", metavar="HANDLE|label:TEXT", help="Migrate this key. Repeatable.")
]
Globs = Annotated[
    list[str] | None,
    typer.Option(
        "--label-glob", metavar="PATTERN", help="Keys whose labels match a shell pattern (*, ?, \\[...]). Repeatable."
    ),
]
From = Annotated[
    Path | None,
    typer.Option("--from", metavar="FILE", help="CSV or JSON: which keys to migrate, and the attributes each gets."),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option("--exclude", metavar="HANDLE|label:TEXT|PATTERN", help="Leave out a selected key. Repeatable."),
]
Relabel = Annotated[bool, typer.Option("--relabel", help="Accept the suggested label where a label cannot be typed.")]
Reid = Annotated[bool, typer.Option("--reid", help="Accept the suggested CKA_ID where an ID cannot be typed.")]
Again = Annotated[
    bool, typer.Option("--again", help="Migrate a key even if its label or check value is already on the destination.")
]
RequireKcv = Annotated[
    bool, typer.Option("--require-kcv", help="Skip keys whose value cannot be verified by a check value.")
]
NonExtractable = Annotated[bool, typer.Option("--non-extractable", help="Create the new keys as non-extractable.")]


class Steps(StrEnum):
    """What can be done apart: on the destination client, on the source client, on the first again."""

    MAKE = "1-2"
    LEAVE = "4-5"
    ENTER = "7"


Approval = Annotated[
    Path | None,
    typer.Option(
        "--require-approval",
        metavar="ALLOWED_SIGNERS",
        help="Require a signature over the plan by somebody in this file other than you.",
    ),
]
Signature = Annotated[
    Path | None, typer.Option("--signature", metavar="FILE", help="Signature of the plan. Default: PLAN.sig.")
]
Operator = Annotated[
    str | None, typer.Option("--operator", metavar="PRINCIPAL", help="Your name in the allowed signers file.")
]
OneLeg = Annotated[
    Steps | None,
    typer.Option("--steps", help="Run one part of an air-gapped migration, on the host that has its tools."),
]
MaxFailures = Annotated[
    int | None, typer.Option("--max-failures", min=1, metavar="N", help="Stop after N failed keys.")
]
Sessions = Annotated[
    int | None, typer.Option("--sessions", min=1, metavar="N", help="Parallel sessions per side (1-16). Default: 1.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask questions. No effect yet: this command asks none.")]


@with_document
@with_settings
def migrate(
    settings: Config,
    plan: Annotated[
        Path | None, typer.Argument(metavar="PLAN", help="Execute exactly this plan, as `keyferry plan` wrote it.")
    ] = None,
    every: All = False,
    key: Keys = None,
    label_glob: Globs = None,
    from_file: From = None,
    exclude: Exclude = None,
    relabel: Relabel = False,
    reid: Reid = False,
    again: Again = False,
    require_kcv: RequireKcv = False,
    non_extractable: NonExtractable = False,
    require_approval: Approval = None,
    signature: Signature = None,
    operator: Operator = None,
    run_dir: Annotated[Path | None, typer.Option("--run-dir", metavar="DIR", help="New directory for the run.")] = None,
    steps: OneLeg = None,
    max_failures: MaxFailures = None,
    sessions: Sessions = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Evaluate every key and change nothing.")] = False,
    _yes: Yes = False,
    json: Json = False,
) -> None:
    """Migrate symmetric keys from the source HSM to the destination HSM."""
    for name, value in (("operator", operator), ("sessions", sessions)):
        settings = settings if value is None else settings.with_value(("run", name), value)
    flags = (relabel, reid, again, require_kcv, non_extractable, dry_run)
    selection = Selection(tuple(key or ()), *flags, *more_than_names(label_glob, exclude, from_file))
    if steps is not None:
        if plan or require_approval or signature:
            raise _no_planned_leg()
        carry = _leg(settings, selection, run_dir, steps, every=every, max_failures=max_failures)
    elif plan is None:
        if require_approval or signature:
            raise UsageError("only a plan can be approved: name one", keys="nothing was started")
        selected(selection, every=every)
        carry = functools.partial(start.migrate, settings, selection, run_dir, max_failures=max_failures)
    else:
        if every or replace(selection, dry_run=False) != Selection():
            raise UsageError(
                "a plan already says which keys to migrate, and how they are evaluated", keys="nothing was started"
            )
        more: dict[str, Any] = {"approve": _approve(require_approval, signature), "max_failures": max_failures}
        carry = functools.partial(start.migrate_plan, settings, plan, run_dir, dry_run=dry_run, **more)
    raise typer.Exit(int(show(carry, as_json=json)))


def more_than_names(
    glob: list[str] | None, exclude: list[str] | None, file: Path | None
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[KeyListEntry, ...]]:
    """What these options choose, as the last fields of a Selection have it."""
    return tuple(glob or ()), tuple(exclude or ()), key_list.read(file) if file else ()


def _leg(
    settings: Config, selection: Selection, run_dir: Path | None, steps: Steps, *, every: bool, max_failures: int | None
) -> Callable[[Bus], RunResult]:
    from keyferry.migration.resume import leg  # noqa: PLC0415 - start-up

    if run_dir is None or selection.dry_run:
        raise UsageError("--steps goes with --run-dir, and not with --dry-run", keys="nothing was started")
    if steps is not Steps.LEAVE and (every or selection != Selection()):
        raise UsageError("keys are selected and evaluated with --steps 4-5", keys="nothing was started")
    if steps is Steps.LEAVE and not (run_dir / "plan.json").exists():
        selected(selection, every=every)
    return lambda bus: leg(settings, selection, run_dir.absolute(), bus, steps.value, max_failures)


def _no_planned_leg() -> UsageError:
    return UsageError(
        "a plan, and its approval, is for a run that reaches both sides, as the planning did; a leg reaches one",
        keys="nothing was started",
        hint="choose the keys with --steps 4-5, by --all, --key, --label-glob or --from FILE: they are evaluated there,"
        " and plan.json in the run directory, which you carry, says what came of it before anything is unwrapped",
    )


def selected(selection: Selection, *, every: bool) -> Selection:
    """The selection, if it says which keys."""
    if every == bool(selection.named or selection.label_globs):
        raise UsageError("say which keys: --all, or --key, --label-glob and --from", keys="nothing was started")
    return selection


def _approve(allowed: Path | None, signature: Path | None) -> start.Approve | None:
    if signature and not allowed:
        raise UsageError("--signature goes with --require-approval", keys="nothing was started")
    return start.Approve(allowed, signature) if allowed else None


def run(
    settings: Config, selection: Selection, run_dir: Path | None, *, as_json: bool, rehearsal: bool = False
) -> Exit:
    """Run a migration, show it and what came of it; gives the exit code."""
    carry = functools.partial(start.migrate, settings, selection, run_dir, rehearsal=rehearsal)
    return show(carry, as_json=as_json)


def show(carry: Callable[[Bus], RunResult], *, as_json: bool) -> Exit:
    bus = Bus()
    with progress.shown(bus):
        result = carry(bus)
    if as_json:
        render.document(result.json())
    else:
        _tell(result)
    if result.head is not None:
        render.head(result.head, sys.stderr if as_json else sys.stdout)
    if result.error is not None:
        render.report(result.error)
    return result.exit_code


def _tell(result: RunResult) -> None:
    if result.keys:
        render.run_result(result)
    if result.wrapping_key is not None:
        key = result.wrapping_key
        sys.stdout.write(
            f"wrapping key {key.label}: {key.pair.public} and {key.pair.private} on the destination,"
            f" {key.source_handle} on the source;\n"
            "  both stay there, and in the cluster's backups, until they are removed\n"
        )
    if is_rehearsal(result.run_dir):
        sys.stdout.write(f"rehearsal: {WHY}\n")
    sys.stdout.write(f"record: {result.run_dir}\n")
