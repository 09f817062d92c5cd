from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from keyferry.cli.migrate import Json
from keyferry.cli.output import render
from keyferry.errors import Exit, MismatchError
from keyferry.text import counted, printable

if TYPE_CHECKING:
    from keyferry.recording.reader import Recording

app = typer.Typer(no_args_is_help=True, help="Read recordings of tool sessions.")


File = Annotated[Path, typer.Argument(metavar="FILE", help="A session of a run: sessions/NNN-TOOL.cast.")]


@app.command()
def show(
    file: File,
    step: Annotated[str | None, typer.Option("--step", metavar="N", help="Only this step: 5.2, or all of 5.")] = None,
) -> None:
    """Print a recording with its steps; control characters are made harmless."""
    from keyferry.recording.reader import read  # noqa: PLC0415 - start-up
    from keyferry.recording.show import heading, pieces  # noqa: PLC0415 - start-up

    recording = _whole_lines(read(file, torn=True), file)
    conversation = [text for _at, text in pieces(recording, step)]
    sys.stdout.writelines([*heading(recording), *conversation])


@app.command()
def play(
    file: File,
    speed: Annotated[float, typer.Option("--speed", metavar="N", min=0.01, help="Playback speed factor.")] = 1.0,
    idle_limit: Annotated[
        float | None, typer.Option("--idle-limit", metavar="S", min=0, help="Longest pause, in seconds.")
    ] = None,
) -> None:
    """Play a recording in its own time, control characters made harmless; q or Ctrl-C stops."""
    from keyferry.recording.play import play as run  # noqa: PLC0415 - start-up
    from keyferry.recording.play import stopped_by_key  # noqa: PLC0415 - start-up
    from keyferry.recording.reader import read  # noqa: PLC0415 - start-up

    recording = _whole_lines(read(file, torn=True), file)
    try:
        with stopped_by_key() as wait:
            run(recording, _write_now, wait, speed=speed, idle_limit=idle_limit)
    except KeyboardInterrupt:
        raise typer.Exit(int(Exit.INTERRUPTED)) from None


def _whole_lines(recording: Recording, file: Path) -> Recording:
    if recording.torn:
        sys.stderr.write(f"{file}: the last line is not whole and is not shown: the session was cut off here\n")
    return recording


def _write_now(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


@app.command()
def sanitize(
    file: File,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="OUT", help="The new recording; must not exist yet.")],
) -> None:
    """Take out what identifies a site, to send a recording to others; it still replays.

    Labels, ids, serials, users, hosts, handles, check values and moduli get aliases of the same length and kind.
    """
    from keyferry.sanitize.sanitize import sanitize as write  # noqa: PLC0415 - start-up

    count = write(file, out)
    sys.stderr.write(f"{out}: {count} names have aliases; look it through before you send it\n")


@app.command()
def diff(
    ours: Annotated[Path, typer.Argument(metavar="A", help="A run's directory, for example of a rehearsal.")],
    theirs: Annotated[Path, typer.Argument(metavar="B", help="The directory of another run of the same plan.")],
    meaning: Annotated[
        bool,
        typer.Option("--meaning", help="Compare operations instead of tool output, for tools of different versions."),
    ] = False,
    json: Json = False,
) -> None:
    """Compare two runs of one plan side by side. Exit code 6 if they differ.

    Handles, times, hashes and check values may differ between the runs but must map one-to-one.
    """
    if meaning:
        from keyferry.comparison.by_meaning import compare  # noqa: PLC0415 - start-up
    else:
        from keyferry.comparison.by_text import compare  # noqa: PLC0415 - start-up
    rows = list(compare(ours, theirs))
    if json:
        render.document({"schema": "keyferry.diff/2", "rows": [dataclasses.asdict(row) for row in rows]})
    else:
        render.side_by_side([(row.step, row.ours, row.theirs, row.differs) for row in rows])
    different = [row for row in rows if row.differs]
    if different:
        first, count = different[0], len(different)
        raise MismatchError(
            f"the runs differ in {counted(count, 'place')};"
            f" the first is {first.differs}: {_quoted(first.ours)}, {_quoted(first.theirs)}",
            step=first.step or None,
            record=" and ".join(filter(None, first.where)) or None,
            hint=None if meaning else "if the tools' versions differ, compare the operations with --meaning",
        )


def _quoted(side: str | None) -> str:
    return "nothing" if side is None else f"'{printable(side)}'"
