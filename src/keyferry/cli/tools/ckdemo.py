from __future__ import annotations

from typing import Annotated

import typer

from keyferry.cli.migrate import Json
from keyferry.cli.options import NewFile, with_source
from keyferry.cli.output import render
from keyferry.config import Config
from keyferry.errors import UsageError
from keyferry.migration.single_action import ckdemo, ckdemo_before_login

app = typer.Typer(no_args_is_help=True, help="Single actions of ckdemo, each in a session of its own.")


def _object(wanted: str) -> str:
    """What names an object, in digits or as a label; checked before any tool starts."""
    if not (wanted.startswith("label:") or (wanted.isascii() and wanted.isdecimal())):
        raise UsageError(
            f"{wanted!r} is no object", keys="nothing was started", hint="give a handle in digits, or label:TEXT"
        )
    return wanted


def _kind(wanted: str) -> str:
    from keyferry.tools.ckdemo.dialect import SEARCHES  # noqa: PLC0415 - start-up

    if wanted not in SEARCHES:
        what = f"no kind of object {wanted!r}"
        raise UsageError(what, keys="nothing was started", hint=f"one of {', '.join(SEARCHES)}")
    return wanted


_HELP = "A handle in digits, or label:TEXT. On an HA slot, where handles last for one session, only label:TEXT."
Object = Annotated[str, typer.Argument(metavar="OBJECT", callback=_object, help=_HELP)]


def _show(verb: str, fields: dict[str, object], *, as_json: bool) -> None:
    render.action("ckdemo", verb, fields, as_json=as_json)


@app.command("list")
@with_source
def list_objects(
    settings: Config,
    kind: Annotated[
        str,
        typer.Option(
            "--type", metavar="KIND", callback=_kind, help="all, data, des, cast, public, certificate or domain."
        ),
    ] = "all",
    json: Json = False,
) -> None:
    """List the objects that the session sees."""
    with ckdemo(settings) as session:
        found = session.tool.find_objects(kind)
    rows = [{"handle": one.handle, "label": one.label} for one in found]
    _show("findObject", {"objects": rows}, as_json=json)


@app.command("show")
@with_source
def show(settings: Config, wanted: Object, json: Json = False) -> None:
    """Show an object's attributes; key values are cut."""
    with ckdemo(settings) as session:
        shown = session.tool.display_object(session.object(wanted))
    _show("displayObject", {"handle": shown.handle, "attributes": dict(shown.attributes)}, as_json=json)


@app.command("set-attribute")
@with_source
def set_attribute(
    settings: Config,
    wanted: Object,
    wrap: Annotated[bool, typer.Option("--wrap/--no-wrap", help="CKA_WRAP.")],
    json: Json = False,
) -> None:
    """Let a public key wrap, or not; objects of other classes are refused (SOURCE-READ-ONLY)."""
    with ckdemo(settings, changes=True) as session:
        shown = session.tool.set_attribute(session.object(wanted), "CKA_WRAP", value=wrap)
    _show("setAttribute", {"handle": shown.handle, "attributes": dict(shown.attributes)}, as_json=json)


@app.command("wrap")
@with_source
def wrap(
    settings: Config,
    wanted: Object,
    wrapping_key: Annotated[
        str, typer.Option("--wrapping-key", metavar="OBJECT", callback=_object, help="A public key with CKA_WRAP.")
    ],
    out: NewFile,
    json: Json = False,
) -> None:
    """Wrap a key with RSA OAEP under a public key of the partition. See whose key it is before you do."""
    with ckdemo(settings) as session:
        key, under = session.object(wanted), session.object(wrapping_key)
        size, sha256 = session.wrap(key, under, settings.text("wrapping", "hash"), out)
    fields = {"handle": key, "wrapping_key": under, "file": str(out), "length": size, "sha256": sha256}
    _show("wrapKey", fields, as_json=json)


@app.command("check-value")
@with_source
def check_value(settings: Config, wanted: Object, json: Json = False) -> None:
    """Show a key's check value; the encrypted zero block it comes of is erased at once."""
    with ckdemo(settings) as session:
        handle = session.object(wanted)
        kind, value = session.check_value(handle)
    _show("encryptFile", {"handle": handle, "type": kind, "kcv": value}, as_json=json)


@app.command("token-info")
@with_source
def token_info(settings: Config, json: Json = False) -> None:
    """Show what the token in the slot says of itself; needs no login."""
    with ckdemo_before_login(settings) as (tool, row):
        token = tool.token_info(row.number)
    _show("tokenInfo", {"info": dict(token.fields), "flags": sorted(token.flags)}, as_json=json)
