from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from keyferry.cli.migrate import Json
from keyferry.cli.options import with_source
from keyferry.cli.output import render
from keyferry.cli.output.confirm import confirm_label
from keyferry.config import Config
from keyferry.errors import UsageError
from keyferry.migration.single_action import cmu
from keyferry.pkcs11 import SourceHandle

app = typer.Typer(no_args_is_help=True, help="Single actions of cmu; each call of the tool logs in once.")

_HELP = "Of the object. On an HA slot, where handles last for one process, it is refused."
Handle = Annotated[int, typer.Argument(metavar="HANDLE", min=0, help=_HELP)]


def _class(wanted: str | None) -> str | None:
    from keyferry.tools.cmu.dialect import CLASS_FILTERS  # noqa: PLC0415 - start-up

    if wanted is not None and wanted not in CLASS_FILTERS:
        what = f"no class {wanted!r}"
        raise UsageError(what, keys="nothing was started", hint=f"one of {', '.join(CLASS_FILTERS)}")
    return wanted


def _show(verb: str, fields: dict[str, object], *, as_json: bool) -> None:
    render.action("cmu", verb, fields, as_json=as_json)


@app.command("list")
@with_source
def list_objects(
    settings: Config,
    label: Annotated[str | None, typer.Option("--label", help="Only objects with this label.")] = None,
    object_class: Annotated[
        str | None, typer.Option("--class", callback=_class, help="public, private, secret, certificate, data.")
    ] = None,
    ouids: Annotated[bool, typer.Option("--ouids", help="Also show OUIDs, if this cmu reports them.")] = False,
    json: Json = False,
) -> None:
    """List the objects of the partition."""
    with cmu(settings) as tool:
        found = tool.list(label=label, object_class=object_class, ouids=ouids)
    rows = [{"handle": one.handle, "ouid": one.ouid, "label": one.label} for one in found]
    _show("list", {"objects": rows}, as_json=json)


@app.command("get-attributes")
@with_source
def get_attributes(settings: Config, handle: Handle, json: Json = False) -> None:
    """Show an object's attributes; key values are cut."""
    with cmu(settings) as tool:
        attributes = tool.get_attributes(SourceHandle(handle))
    _show("getAttribute", {"handle": handle, "attributes": dict(attributes)}, as_json=json)


@app.command("import-public-key")
@with_source
def import_public_key(
    settings: Config,
    file: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="PEM, RSA.")],
    label: Annotated[str, typer.Option("--label", help="Must be free in the partition.")],
    json: Json = False,
) -> None:
    """Import a public key; verified by reading the new object back."""
    from keyferry.migration.single_action import import_public_key as bring  # noqa: PLC0415 - start-up

    handle, sha256 = bring(settings, file, label)
    _show("import", {"label": label, "handle": handle, "sha256": sha256}, as_json=json)


@app.command("set-attributes")
@with_source
def set_attributes(
    settings: Config,
    handle: Handle,
    wrap: Annotated[bool | None, typer.Option("--wrap/--no-wrap", help="CKA_WRAP.")] = None,
    label: Annotated[str | None, typer.Option("--label", metavar="TEXT", help="CKA_LABEL.")] = None,
    json: Json = False,
) -> None:
    """Change a public key; objects of other classes are refused (SOURCE-READ-ONLY). Read back."""
    values = {} if wrap is None else {"wrap": str(int(wrap))}
    values |= {} if label is None else {"label": label}
    if not values:
        raise UsageError("no attribute is named", keys="nothing was started", hint="--wrap, --no-wrap or --label TEXT")
    with cmu(settings, changes=True) as tool:
        attributes = tool.set_attributes(SourceHandle(handle), values)
    _show("setAttribute", {"handle": handle, "attributes": dict(attributes)}, as_json=json)


@app.command("delete")
@with_source
def delete(
    settings: Config,
    handle: Handle,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for the label.")] = False,
    json: Json = False,
) -> None:
    """Delete a public key; objects of other classes are refused (SOURCE-READ-ONLY). Verify that it is gone."""
    with cmu(settings, changes=True) as tool:
        seen = tool.public_key(SourceHandle(handle))
        confirm_label(seen.get("label", ""), f"public key {handle}", yes=yes)
        tool.delete(SourceHandle(handle), seen)
    _show("delete", {"handle": handle}, as_json=json)
