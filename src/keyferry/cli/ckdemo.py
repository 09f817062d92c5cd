from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from keyferry.cli import render
from keyferry.cli.migrate import Json
from keyferry.cli.options import with_settings
from keyferry.config import Config
from keyferry.errors import UsageError
from keyferry.names import ClassicHandle
from keyferry.procedure.actions import ckdemo, ckdemo_before_login

app = typer.Typer(no_args_is_help=True, help="Single actions of ckdemo, each in a session of its own.")

Handle = Annotated[int, typer.Argument(metavar="HANDLE", min=0)]


def _show(verb: str, fields: dict[str, object], *, as_json: bool) -> None:
    render.action("ckdemo", verb, fields, as_json=as_json)


@app.command("list")
@with_settings
def list_objects(settings: Config, json: Json = False) -> None:
    """List the objects that the session sees."""
    with ckdemo(settings) as (tool, _host):
        found = tool.find_objects()
    rows = [{"handle": one.handle, "label": one.label} for one in found]
    _show("findObject", {"objects": rows}, as_json=json)


@app.command("show")
@with_settings
def show(settings: Config, handle: Handle, json: Json = False) -> None:
    """Show an object's attributes; key values are cut."""
    with ckdemo(settings) as (tool, _host):
        shown = tool.display_object(ClassicHandle(handle))
    _show("displayObject", {"handle": handle, "attributes": dict(shown.attributes)}, as_json=json)


@app.command("set-attribute")
@with_settings
def set_attribute(
    settings: Config,
    handle: Handle,
    wrap: Annotated[bool, typer.Option("--wrap/--no-wrap", help="CKA_WRAP.")],
    json: Json = False,
) -> None:
    """Let a public key wrap, or not; objects of other classes are refused (SOURCE-READ-ONLY)."""
    with ckdemo(settings) as (tool, _host):
        tool.set_attribute(ClassicHandle(handle), "CKA_WRAP", value=wrap)
        shown = tool.display_object(ClassicHandle(handle))
    _show("setAttribute", {"handle": handle, "attributes": dict(shown.attributes)}, as_json=json)


@app.command("wrap")
@with_settings
def wrap(
    settings: Config,
    handle: Handle,
    wrapping_key: Annotated[int, typer.Option("--wrapping-key", metavar="HANDLE")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where the wrapped key goes.")],
    json: Json = False,
) -> None:
    """Wrap a key with RSA OAEP under a public key of the partition."""
    digest = settings.text("wrapping", "hash")
    with ckdemo(settings) as (tool, host):
        if digest != "sha1":
            tool.choose_hash()
        size = tool.wrap_key(ClassicHandle(wrapping_key), ClassicHandle(handle), digest)
        sha256 = host.fetch("wrapped.key", out)
    _show("wrapKey", {"handle": handle, "file": str(out), "length": size, "sha256": sha256}, as_json=json)


@app.command("check-value")
@with_settings
def check_value(settings: Config, handle: Handle, json: Json = False) -> None:
    """Show a key's check value; the encrypted zero block it comes of is erased at once."""
    from keyferry.names import key_type  # noqa: PLC0415 - only here
    from keyferry.tools.ckdemo.dialect import CHECK_VALUE_MECHANISM  # noqa: PLC0415 - only here

    with ckdemo(settings) as (tool, _host):
        kind = key_type(tool.display_object(ClassicHandle(handle)).number("CKA_KEY_TYPE") or 0)
        if kind not in CHECK_VALUE_MECHANISM:
            raise UsageError(f"a key of type {kind} has no check value", keys="nothing was changed")
        value = tool.check_value(ClassicHandle(handle), kind)
    _show("encryptFile", {"handle": handle, "type": kind, "kcv": value}, as_json=json)


@app.command("token-info")
@with_settings
def token_info(settings: Config, json: Json = False) -> None:
    """Show what the token in the slot says of itself; needs no login."""
    with ckdemo_before_login(settings) as (tool, row):
        token = tool.token_info(row.number)
    _show("tokenInfo", {"info": dict(token.fields), "flags": sorted(token.flags)}, as_json=json)
