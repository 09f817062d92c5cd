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


@app.command()
def sanitize(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A session of a run: sessions/NNN-TOOL.cast.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="OUT", help="The new recording; must not be there yet.")],
) -> None:
    """Take out what identifies a site, to send a recording to others; it still replays.

    Labels, ids, serials, users, hosts, handles, check values and moduli get aliases of the same length and kind.
    """
    from keyferry.transcript.sanitize import sanitize as write  # noqa: PLC0415 - start-up

    count = write(file, out)
    sys.stderr.write(f"{out}: {count} names have aliases; look it through before you send it\n")
