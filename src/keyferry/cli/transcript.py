from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Read recordings of tool sessions.")


@app.command()
def show(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A session of a run: sessions/NNN-TOOL.cast.")],
) -> None:
    """Print a recording with its steps; control characters are made harmless."""
    from keyferry.transcript.reader import read  # noqa: PLC0415 - start-up
    from keyferry.transcript.show import render  # noqa: PLC0415 - start-up

    for line in render(read(file)):
        sys.stdout.write(line.encode("utf-8", "backslashreplace").decode() + "\n")
