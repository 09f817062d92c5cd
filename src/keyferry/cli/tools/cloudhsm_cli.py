from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from keyferry.cli.migrate import Json
from keyferry.cli.options import NewFile, with_destination
from keyferry.cli.output import render
from keyferry.cli.output.confirm import confirm_label
from keyferry.config import Config
from keyferry.errors import UsageError
from keyferry.migration.single_action import cloudhsm_cli, cloudhsm_cli_before_login
from keyferry.pkcs11 import DestinationHandle

app = typer.Typer(no_args_is_help=True, help="Single actions of cloudhsm-cli, each with login and logout.")


def _handle(text: str) -> int:
    """A handle in decimal, or a reference as the tool prints it."""
    try:
        return int(text, 16 if text.lower().startswith("0x") else 10)
    except ValueError:
        what = f"{text!r} is neither a handle in decimal nor a key reference such as 0x00000000000801e5"
        raise UsageError(what, keys="nothing was started") from None


Handle = Annotated[
    int, typer.Argument(metavar="HANDLE|0xREFERENCE", parser=_handle, help="The key's handle or reference.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for the label.")]


def _show(verb: str, fields: dict[str, object], *, as_json: bool) -> None:
    render.action("cloudhsm-cli", verb, fields, as_json=as_json)


@app.command("key-generate-asymmetric-pair-rsa")
@with_destination
def generate_pair(
    settings: Config,
    label: Annotated[str, typer.Option("--label", help="Label of both keys of the pair.")],
    bits: Annotated[int, typer.Option("--bits", help="Size of the modulus in bits.")] = 2048,
    extractable: Annotated[bool, typer.Option("--extractable", help="Make the private key extractable.")] = False,
    json: Json = False,
) -> None:
    """Make an RSA pair whose private half unwraps; it cannot leave unless --extractable."""
    from keyferry.tools.cloudhsm_cli import commands  # noqa: PLC0415 - start-up

    commands.generate_pair(label, bits, 65537, extractable=extractable)  # UsageError before any tool starts
    with cloudhsm_cli(settings, changes=True) as (tool, _host):
        pair = tool.generate_pair(label, bits, extractable=extractable)
    handles = {"public_handle": pair.public.handle, "private_handle": pair.private.handle}
    _show("key-generate-asymmetric-pair-rsa", {**handles}, as_json=json)


@app.command("key-generate-file")
@with_destination
def generate_file(
    settings: Config,
    handle: Handle,
    out: NewFile,
    json: Json = False,
) -> None:
    """Export a public key as a PEM file."""
    with cloudhsm_cli(settings) as (tool, host):
        tool.generate_file(DestinationHandle(handle), "public.pem")
        digest = host.fetch("public.pem", out)
        tool.record_file("public.pem", out.read_bytes())
    _show("key-generate-file", {"file": str(out), "sha256": digest}, as_json=json)


@app.command("key-unwrap-rsa-oaep")
@with_destination
def unwrap(
    settings: Config,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="The wrapped key, on this host.")
    ],
    wrapping_key: Annotated[
        int,
        typer.Option(
            "--wrapping-key", metavar="HANDLE|0xREFERENCE", parser=_handle, help="The private key of the wrapping pair."
        ),
    ],
    label: Annotated[str, typer.Option("--label", help="Label of the new key.")],
    key_type: Annotated[str, typer.Option("--type", help="AES, DES3 or GENERIC_SECRET.")],
    key_id: Annotated[str | None, typer.Option("--id", metavar="TEXT", help="CKA_ID of the new key.")] = None,
    digest: Annotated[str, typer.Option("--hash", help="Hash for OAEP and MGF1.")] = "sha1",
    usage: Annotated[
        list[str] | None, typer.Option("--usage", metavar="FLAG", help="encrypt, decrypt, sign, ... Repeatable.")
    ] = None,
    non_extractable: Annotated[
        bool, typer.Option("--non-extractable", help="Make the new key non-extractable.")
    ] = False,
    json: Json = False,
) -> None:
    """Unwrap a file that RSA OAEP wrapped; usages that are not named are off. Doing it twice makes two keys."""
    from keyferry.tools.cloudhsm_cli import commands  # noqa: PLC0415 - start-up

    request = commands.UnwrapRequest(
        "wrapped.key",
        DestinationHandle(wrapping_key),
        label,
        key_type,
        digest,
        key_id,
        not non_extractable,
        commands.usages(usage or ()),
    )
    commands.unwrap(request)  # UsageError before any tool starts
    with cloudhsm_cli(settings, changes=True) as (tool, host):
        host.put(file, "wrapped.key")
        key = tool.unwrap(request)
        host.remove("wrapped.key")
    _show("key-unwrap-rsa-oaep", {"handle": key.handle, "attributes": dict(key.attributes)}, as_json=json)


@app.command("key-list")
@with_destination
def list_keys(
    settings: Config,
    label: Annotated[str | None, typer.Option("--label", help="Only keys with this label.")] = None,
    key_id: Annotated[str | None, typer.Option("--id", metavar="TEXT", help="Only keys with this CKA_ID.")] = None,
    key_class: Annotated[str | None, typer.Option("--class", help="secret-key, public-key or private-key.")] = None,
    handle: Annotated[
        int | None, typer.Option("--handle", metavar="HANDLE|0xREFERENCE", parser=_handle, help="Only this key.")
    ] = None,
    json: Json = False,
) -> None:
    """List the keys that match, whole; no match is no failure."""
    from keyferry.tools.cloudhsm_cli import commands  # noqa: PLC0415 - start-up

    wanted = commands.KeyFilter(None if handle is None else DestinationHandle(handle), label, key_id, key_class)
    commands.list_keys(wanted, None, verbose=True)  # UsageError before any tool starts
    with cloudhsm_cli(settings) as (tool, _host):
        found = tool.list_keys(wanted, verbose=True)
    rows = [
        {"handle": key.handle, "label": key.label, "covered": key.covered, "attributes": dict(key.attributes)}
        for key in found
    ]
    if not json:  # a table has no room for all attributes of many keys
        rows = [row | {"attributes": _usages(row["attributes"])} for row in rows]
    _show("key-list", {"total": len(rows), "keys": rows}, as_json=json)


@app.command("key-delete")
@with_destination
def delete(settings: Config, handle: Handle, yes: Yes = False, json: Json = False) -> None:
    """Delete one key for good; cluster backups keep it until they expire."""
    with cloudhsm_cli(settings, changes=True) as (tool, _host):
        confirm_label(tool.key(DestinationHandle(handle)).label, f"key {handle}", yes=yes)
        tool.delete(DestinationHandle(handle))
    _show("key-delete", {"handle": handle}, as_json=json)


@app.command("user-list")
@with_destination
def list_users(settings: Config, json: Json = False) -> None:
    """List the users with their roles, locks and MFA. Needs no login."""
    with cloudhsm_cli_before_login(settings) as tool:
        found = [user.json() for user in tool.users()]
    _show("user-list", {"users": found}, as_json=json)


@app.command("cluster-hsm-info")
@with_destination
def hsm_info(settings: Config, json: Json = False) -> None:
    """Show what each HSM says of itself; needs no login."""
    with cloudhsm_cli_before_login(settings) as tool:
        hsms = [dict(one) for one in tool.hsms()]
    _show("cluster-hsm-info", {"hsms": hsms}, as_json=json)


def _usages(attributes: object) -> str:
    on = [name for name, value in attributes.items() if value is True] if isinstance(attributes, dict) else []
    return " ".join(on)
