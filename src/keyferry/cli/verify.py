from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from keyferry.cli import render
from keyferry.errors import Exit, UsageError
from keyferry.procedure.verification import UNSIGNED, Verdict
from keyferry.procedure.verification import verify as check
from keyferry.text import printable
from keyferry.transcript.standalone import script


def verify(
    run: Annotated[Path | None, typer.Argument(metavar="RUN", help="A run's directory.")] = None,
    head: Annotated[
        str | None, typer.Option("--head", metavar="HEX", help="The head that was noted elsewhere.")
    ] = None,
    emit_script: Annotated[
        bool, typer.Option("--emit-script", help="Print verify.py, which needs no Keyferry.")
    ] = False,
) -> None:
    """Prove that nothing in a run's record was changed, cut or swapped: 0 intact, 6 not, 7 intact but not complete."""
    if emit_script:
        sys.stdout.write(script())
        return
    if run is None:
        raise UsageError("name a run's directory", keys="nothing was read")
    if head is not None and not re.fullmatch("[0-9a-f]{64}", head):
        raise UsageError(f"--head {head}: a head is 64 lower-case hex digits", keys="nothing was read")
    verdict = check(run, head)
    _tell(verdict)
    if head is None:
        sys.stdout.write(f"{UNSIGNED}\n")
    raise typer.Exit(int(Exit.DONE if verdict.complete else Exit.NEEDS_OPERATOR))


def _tell(verdict: Verdict) -> None:
    lines = [
        f"run {verdict.run_id}: {'complete' if verdict.complete else 'incomplete'} and intact",
        f"{verdict.sessions} sessions with {verdict.events} events, {verdict.lines} journal lines",
    ]
    if verdict.totals:
        lines.append(render.totals(verdict.totals))
    lines += [*(f"incomplete: {why}" for why in verdict.open), *verdict.notes]
    sys.stdout.write("".join(f"{printable(line)}\n" for line in lines))
    if verdict.head:
        render.head(verdict.head, sys.stdout)
