from __future__ import annotations

import typer

from keyferry.cli.migrate import Json
from keyferry.cli.options import with_destination, with_source
from keyferry.cli.output import render
from keyferry.config import Config
from keyferry.events import Bus
from keyferry.migration.start import inventory_destination, inventory_source

app = typer.Typer(no_args_is_help=True, help="List keys; nothing is changed.")

_SHOWN = ("handle", "label", "class", "type", "bits", "id", "extractable", "kcv")


@app.command()
@with_source
def source(settings: Config, json: Json = False) -> None:
    """The keys of the source partition."""
    rows: list[dict[str, object]] = [
        {
            "handle": key.handle,
            "label": key.label.encode("utf-8", "replace").decode(),
            "class": str(key.key_class),
            "type": key.type,
            "bits": key.bits,
            "id": key.id_shown or None,
            "extractable": key.extractable,
        }
        for key in inventory_source(settings, Bus())
    ]
    _show("source", rows, as_json=json)


@app.command()
@with_destination
def destination(settings: Config, json: Json = False) -> None:
    """The crypto user's secret keys on the cluster."""
    rows: list[dict[str, object]] = [
        {
            "handle": key.handle,
            "label": key.label.encode("utf-8", "replace").decode(),
            "class": str(key.key_class),
            "type": key.type,
            "bits": key.bits,
            "id": key.id or None,
            "extractable": key.extractable,
            "kcv": key.kcv,
        }
        for key in inventory_destination(settings, Bus())
    ]
    _show("destination", rows, as_json=json)


def _show(side: str, rows: list[dict[str, object]], *, as_json: bool) -> None:
    if as_json:
        render.document({"schema": "keyferry.inventory/2", "side": side, "keys": rows})
        return
    columns = [name for name in _SHOWN if not rows or name in rows[0]]
    render.table(f"Keys of the {side} side", columns, [[row[name] for name in columns] for row in rows])
