from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path

import typer

from keyferry.cli.migrate import Json
from keyferry.cli.options import with_vtl
from keyferry.cli.output import render
from keyferry.config import Config

app = typer.Typer(no_args_is_help=True, help="Single actions of vtl; no login.")


@app.command("list-slots")
@with_vtl
def list_slots(settings: Config, json: Json = False) -> None:
    """The slots that the source client sees."""
    from keyferry.migration.start import slots  # noqa: PLC0415 - start-up: pexpect

    with tempfile.TemporaryDirectory(prefix="keyferry-") as folder:
        rows = [dataclasses.asdict(row) for row in slots(settings, Path(folder))]
    if json:
        render.document({"schema": "keyferry.slots/1", "slots": rows})
        return
    render.table("", list(rows[0]) if rows else [], [list(row.values()) for row in rows])


@app.command("verify")
@with_vtl
def verify(settings: Config, json: Json = False) -> None:
    """List the partitions that the source client may use. One without a slot number is not visible by itself."""
    from keyferry.migration.single_action import vtl_verify  # noqa: PLC0415 - start-up: pexpect

    rows = [dataclasses.asdict(row) for row in vtl_verify(settings)]
    render.action("vtl", "verify", {"slots": rows}, as_json=json)
