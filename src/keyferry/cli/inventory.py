from __future__ import annotations

import typer

from keyferry.cli.migrate import Json
from keyferry.cli.options import with_classic, with_cloudhsm
from keyferry.cli.output import render
from keyferry.config import Config
from keyferry.events import Bus
from keyferry.migration.start import inventory_classic, inventory_cloudhsm

app = typer.Typer(no_args_is_help=True, help="List keys; nothing is changed.")

_SHOWN = ("handle", "label", "class", "type", "bits", "id", "extractable", "kcv")


@app.command()
@with_classic
def classic(settings: Config, json: Json = False) -> None:
    """The keys of the Classic partition."""
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
        for key in inventory_classic(settings, Bus())
    ]
    _show("classic", rows, as_json=json)


@app.command()
@with_cloudhsm
def cloudhsm(settings: Config, json: Json = False) -> None:
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
        for key in inventory_cloudhsm(settings, Bus())
    ]
    _show("cloudhsm", rows, as_json=json)


def _show(side: str, rows: list[dict[str, object]], *, as_json: bool) -> None:
    if as_json:
        render.document({"schema": "keyferry.inventory/1", "side": side, "keys": rows})
        return
    columns = [name for name in _SHOWN if not rows or name in rows[0]]
    render.table(f"Keys of the {side} side", columns, [[row[name] for name in columns] for row in rows])
