from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from keyferry.cli.migrate import Json
from keyferry.cli.options import with_settings
from keyferry.cli.output import render
from keyferry.config import Config
from keyferry.errors import Exit, UsageError
from keyferry.manual import commands
from keyferry.manual.audit import State, StepResult
from keyferry.text import printable


class RunbookFormat(StrEnum):
    MD = "md"
    HTML = "html"


@with_settings
def explain(
    settings: Config,
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PLAN|RECORDING", help="A plan; with --check, followed by the recordings."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Check recordings of a manual run against the runbook.")
    ] = False,
    form: Annotated[RunbookFormat, typer.Option("--format", help="Format of the runbook.")] = RunbookFormat.MD,
    json: Json = False,
) -> None:
    """Print the runbook of a plan, or of the procedure; or hold recordings of a run by hand to it."""
    given = files or []
    if check:
        raise typer.Exit(int(_check(given, as_json=json)))
    if len(given) > 1 or json:
        raise UsageError("a runbook is made of one plan, as md or html", hint="recordings go with --check")
    text = commands.explain(settings, given[0] if given else None, html=form is RunbookFormat.HTML)
    sys.stdout.write(text.encode("utf-8", "backslashreplace").decode())


def _check(files: list[Path], *, as_json: bool) -> Exit:
    checked = commands.check(files)
    if as_json:
        render.document(checked.json())
    else:
        for one in checked.findings:
            _tell(one)
        sys.stdout.write(f"{_counted(checked.findings)}\n")
    return Exit.DONE if checked.ok else Exit.MISMATCH


def _tell(one: StepResult) -> None:
    whose = f": {one.key}" if one.key else ""
    told = " ".join(filter(None, (one.place, one.detail)))
    lines = [f"{one.state:<15} {one.step:<4} {one.title}{whose}"] + [f"{'':20} {told}"] * bool(told)
    for line in lines:
        sys.stdout.write(printable(line).rstrip() + "\n")


def _counted(findings: list[StepResult]) -> str:
    counts = {state: sum(one.state is state for one in findings) for state in State}
    return ", ".join(f"{count} {state}" for state, count in counts.items() if count)
