from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from keyferry.cli import render
from keyferry.cli.confirm import confirm_label
from keyferry.cli.migrate import Json
from keyferry.cli.options import with_settings
from keyferry.config import Config
from keyferry.errors import UsageError
from keyferry.names import ClassicHandle
from keyferry.procedure.actions import cmu

app = typer.Typer(no_args_is_help=True, help="Single actions of cmu; each call of the tool logs in once.")

Handle = Annotated[int, typer.Argument(metavar="HANDLE", min=0)]


def _show(verb: str, fields: dict[str, object], *, as_json: bool) -> None:
    render.action("cmu", verb, fields, as_json=as_json)


@app.command("list")
@with_settings
def list_objects(
    settings: Config,
    label: Annotated[str | None, typer.Option("--label", help="Only objects with this label.")] = None,
    object_class: Annotated[
        str | None, typer.Option("--class", help="public, private, secret, certificate, data.")
    ] = None,
    json: Json = False,
) -> None:
    """List the objects of the partition."""
    with cmu(settings) as (tool, _host):
        found = tool.list(label=label, object_class=object_class)
    rows = [{k: v for k, v in dataclasses.asdict(one).items() if k in ("handle", "ouid", "label")} for one in found]
    _show("list", {"objects": rows}, as_json=json)


@app.command("get-attributes")
@with_settings
def get_attributes(settings: Config, handle: Handle, json: Json = False) -> None:
    """Show an object's attributes; key values are cut."""
    with cmu(settings) as (tool, _host):
        attributes = tool.get_attributes(ClassicHandle(handle))
    _show("getAttribute", {"handle": handle, "attributes": dict(attributes)}, as_json=json)


@app.command("import-public-key")
@with_settings
def import_public_key(
    settings: Config,
    file: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False)],
    label: Annotated[str, typer.Option("--label")],
    json: Json = False,
) -> None:
    """Import a PEM public key; proved by listing it."""
    option = settings.text("classic", "cmu_public_key_option")
    with cmu(settings) as (tool, host):
        host.put(file, "public.pem")
        before = len([one for one in tool.list() if one.label == label])
        tool.import_public_key("public.pem", label, option)
        found = [one for one in tool.list() if one.label == label]
    if len(found) != before + 1:
        raise UsageError(
            f"the import of {label!r} cannot be proved: {before} objects with that label before, {len(found)} after",
            hint="if this cmu words the option otherwise, set `[classic] cmu_public_key_option`",
        )
    _show("import", {"label": label, "handles": [one.handle for one in found]}, as_json=json)


@app.command("set-attributes")
@with_settings
def set_attributes(
    settings: Config,
    handle: Handle,
    wrap: Annotated[bool, typer.Option("--wrap/--no-wrap", help="CKA_WRAP.")],
    json: Json = False,
) -> None:
    """Let a public key wrap, or not; objects of other classes are refused (SOURCE-READ-ONLY)."""
    with cmu(settings) as (tool, _host):
        tool.set_attributes(ClassicHandle(handle), {"wrap": "1" if wrap else "0"})
        attributes = tool.get_attributes(ClassicHandle(handle))
    _show("setAttribute", {"handle": handle, "attributes": dict(attributes)}, as_json=json)


@app.command("delete")
@with_settings
def delete(
    settings: Config,
    handle: Handle,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for the label.")] = False,
    json: Json = False,
) -> None:
    """Delete a public key; objects of other classes are refused (SOURCE-READ-ONLY)."""
    with cmu(settings) as (tool, _host):
        label = tool.get_attributes(ClassicHandle(handle)).get("label", "")
        confirm_label(label, f"object {handle}", yes=yes)
        tool.delete(ClassicHandle(handle))
    _show("delete", {"handle": handle}, as_json=json)
