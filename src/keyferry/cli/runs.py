"""Commands about a run that was begun: look at it, go on with it, answer what it asks, clean up after it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from keyferry.cli import render
from keyferry.cli.migrate import Json
from keyferry.text import printable

RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="The run's directory.")]


def status(
    run: RunArgument,
    watch: Annotated[bool, typer.Option("--watch", help="Tell each change until the run stops.")] = False,
    json: Json = False,
) -> None:
    """Tell how far a run is, also while it goes on. Nothing is logged in to."""
    from keyferry.procedure import status as procedure  # noqa: PLC0415 - start-up

    found: dict[str, Any] = procedure.document(run.absolute())
    if watch:
        for found in procedure.changes(run.absolute()):
            sys.stderr.write(f"{found['last']}  {found['state']}: {_stages(found)}\n")
    if json:
        render.document(found)
    else:
        _tell(found)


def _stages(found: dict[str, Any]) -> str:
    return ", ".join(f"{count} {stage}" for stage, count in found["stages"].items()) or "no key is planned yet"


def _tell(found: dict[str, Any]) -> None:
    if found["keys"]:
        columns = ("Classic", "Label", "CloudHSM", "Stage")
        render.table("Keys", columns, [_row(key) for key in found["keys"]])
    pair = found["wrapping_key"]
    sys.stdout.write(f"run {found['run_id']}, {found['state']}: {_stages(found)}\n")
    sys.stdout.write(f"wrapping key {printable(pair['label'] or '')}: {pair['stage']}\n" if pair["label"] else "")
    sys.stdout.write(f"next: {printable(found['next'])}\n" if found["next"] else "")


def _row(key: dict[str, Any]) -> tuple[object, ...]:
    stage = f"{key['stage']}: {key['rule']}" if key["rule"] else key["stage"]
    return key["classic_handle"], key["label"], key["cloudhsm_handle"], stage
