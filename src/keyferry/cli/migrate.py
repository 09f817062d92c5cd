from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from keyferry.cli import progress, render
from keyferry.cli.options import with_settings
from keyferry.config import Config
from keyferry.errors import Exit, UsageError
from keyferry.events import Bus
from keyferry.procedure.command import migrate as carry
from keyferry.procedure.order import Selection
from keyferry.procedure.results import RunResult

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


@with_settings
def migrate(
    settings: Config,
    every: Annotated[bool, typer.Option("--all", help="Every symmetric key of the partition.")] = False,
    key: Annotated[list[str] | None, typer.Option("--key", metavar="HANDLE|label:TEXT", help="Repeats.")] = None,
    relabel: Annotated[bool, typer.Option("--relabel", help="Take the suggested labels.")] = False,
    reid: Annotated[bool, typer.Option("--reid", help="Take the suggested CKA_IDs.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Cross although the key is there already.")] = False,
    require_kcv: Annotated[bool, typer.Option("--require-kcv", help="Fail keys without a check value.")] = False,
    non_extractable: Annotated[bool, typer.Option("--non-extractable", help="New keys cannot leave again.")] = False,
    run_dir: Annotated[Path | None, typer.Option("--run-dir", metavar="DIR", help="A new folder for the run.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Judge every key, change nothing.")] = False,
    json: Json = False,
) -> None:
    """Carry symmetric keys from a Classic partition to AWS CloudHSM."""
    if every == bool(key):
        raise UsageError("say which keys: --all, or --key once or more", keys="nothing was started")
    selection = Selection(tuple(key or ()), relabel, reid, again, require_kcv, non_extractable, dry_run)
    raise typer.Exit(int(run(settings, selection, run_dir, as_json=json)))


def run(settings: Config, selection: Selection, run_dir: Path | None, *, as_json: bool) -> Exit:
    """Run a migration, show it and what came of it; gives the exit code."""
    bus = Bus()
    with progress.shown(bus):
        result = carry(settings, selection, run_dir, bus)
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
            f"wrapping key {key.label}: {key.pair.public} and {key.pair.private} on the new side, {key.classic_handle}"
            " on the old one;\n  both stay there, and in the cluster's backups, until they are removed\n"
        )
    sys.stdout.write(f"record: {result.run_dir}\n")
