from __future__ import annotations

import sys
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from keyferry.errors import Exit, UsageError


class ReportFormat(StrEnum):
    HTML = "html"
    MD = "md"
    JSON = "json"


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The run's directory; the run may be unfinished.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Output file. Default: stdout.")
    ] = None,
    form: Annotated[
        ReportFormat, typer.Option("--format", help="Output format; json works without Jinja2.")
    ] = ReportFormat.HTML,
    json: Annotated[bool, typer.Option("--json", help="Same as --format json.")] = False,
) -> None:
    """Verify a run's record and tell it on one page, from the record alone: to be read, printed and signed."""
    from keyferry.report.build import build  # noqa: PLC0415 - start-up
    from keyferry.report.load import load  # noqa: PLC0415 - start-up
    from keyferry.report.render import FORMATS  # noqa: PLC0415 - start-up
    from keyferry.report.verified import told  # noqa: PLC0415 - start-up

    files = load(run)
    verification = told(run)
    found = replace(build(files), verification=verification)
    if not verification.intact:
        sys.stderr.write(f"warning: the record is not intact: `keyferry verify {run}` exits {int(Exit.MISMATCH)}\n")
    page = FORMATS["json" if json else form.value](found).encode("utf-8", "backslashreplace")
    if out is None:
        sys.stdout.buffer.write(page)
        return
    try:
        out.write_bytes(page)
    except OSError as error:
        raise UsageError(f"{out}: {error.strerror}") from error
    sys.stderr.write(f"{out}: {len(page):,} bytes\n")
