from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from keyferry.cli.migrate import Json
from keyferry.cli.options import NewFile, with_destination
from keyferry.cli.output import render
from keyferry.cli.output.confirm import confirm_label
from keyferry.config import Config
from keyferry.errors import UsageError
from keyferry.migration.single_action import key_mgmt_util, key_mgmt_util_before_login
from keyferry.pkcs11 import DestinationHandle

app = typer.Typer(no_args_is_help=True, help="Single actions of key_mgmt_util, each with login and logout.")

Handle = Annotated[int, typer.Argument(metavar="HANDLE", min=0, help="The key's handle.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for the label.")]


def _show(verb: str, fields: dict[str, object], *, as_json: bool) -> None:
    render.action("key_mgmt_util", verb, fields, as_json=as_json)


@app.command("gen-rsa-key-pair")
@with_destination
def gen_rsa_key_pair(
    settings: Config,
    label: Annotated[str, typer.Option("--label", help="Label of both keys of the pair.")],
    bits: Annotated[int, typer.Option("--bits", help="Size of the modulus in bits.")] = 2048,
    extractable: Annotated[
        bool, typer.Option("--extractable", help="Make the private key extractable (without -nex).")
    ] = False,
    json: Json = False,
) -> None:
    """Make an RSA pair; its private half cannot leave unless --extractable."""
    from keyferry.tools.key_mgmt_util import commands  # noqa: PLC0415 - start-up

    commands.generate_rsa_key_pair(label, bits, 65537, extractable=extractable)  # UsageError before any tool starts
    with key_mgmt_util(settings, changes=True) as (tool, _host):
        pair = tool.generate_rsa_key_pair(label, bits, extractable=extractable)
    _show("genRSAKeyPair", {"public_handle": pair.public, "private_handle": pair.private}, as_json=json)


@app.command("export-pub-key")
@with_destination
def export_pub_key(
    settings: Config,
    handle: Handle,
    out: NewFile,
    json: Json = False,
) -> None:
    """Export a public key as a PEM file."""
    with key_mgmt_util(settings) as (tool, host):
        tool.export_public_key(DestinationHandle(handle), "public.pem")
        digest = host.fetch("public.pem", out)
        tool.record_file("public.pem", out.read_bytes())
    _show("exportPubKey", {"file": str(out), "sha256": digest}, as_json=json)


@app.command("unwrap-key")
@with_destination
def unwrap_key(
    settings: Config,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="The wrapped key, on this host.")
    ],
    wrapping_key: Annotated[
        int, typer.Option("--wrapping-key", metavar="HANDLE", help="The private key of the wrapping pair.")
    ],
    label: Annotated[str, typer.Option("--label", help="Label of the new key.")],
    key_type: Annotated[str, typer.Option("--type", help="AES, DES3 or GENERIC_SECRET.")],
    key_id: Annotated[str | None, typer.Option("--id", metavar="TEXT", help="CKA_ID of the new key.")] = None,
    digest: Annotated[str, typer.Option("--hash", help="Hash for OAEP.")] = "sha1",
    non_extractable: Annotated[
        bool, typer.Option("--non-extractable", help="Make the new key non-extractable.")
    ] = False,
    json: Json = False,
) -> None:
    """Unwrap a file that RSA OAEP wrapped. Doing it twice makes two keys."""
    from keyferry.tools.key_mgmt_util import commands  # noqa: PLC0415 - start-up

    request = commands.UnwrapCommand(
        "wrapped.key", DestinationHandle(wrapping_key), label, key_type, digest, key_id, not non_extractable
    )
    commands.unwrap_key(request)  # UsageError before any tool starts
    with key_mgmt_util(settings, changes=True) as (tool, host):
        host.put(file, "wrapped.key")
        made = tool.unwrap_key(request)
    _show("unWrapKey", {"handle": made.handle}, as_json=json)


@app.command("find-key")
@with_destination
def find_key(
    settings: Config,
    key_class: Annotated[
        int | None, typer.Option("--class", min=2, max=4, help="2 public, 3 private, 4 secret.")
    ] = None,
    label: Annotated[str | None, typer.Option("--label", help="Only keys with this label.")] = None,
    key_id: Annotated[str | None, typer.Option("--id", help="Only keys with this CKA_ID.")] = None,
    json: Json = False,
) -> None:
    """List the handles of keys that match; no match is no failure."""
    from keyferry.tools.key_mgmt_util import commands  # noqa: PLC0415 - start-up

    commands.find_keys(commands.FindKeyFilter(key_class, label=label, id=key_id))  # UsageError before any tool starts
    with key_mgmt_util(settings) as (tool, _host):
        found = tool.find_keys(key_class=key_class, label=label, id=key_id)
    _show("findKey", {"handles": list(found), "total": len(found)}, as_json=json)


@app.command("find-single-key")
@with_destination
def find_single_key(settings: Config, handle: Handle, json: Json = False) -> None:
    """Check that a key is on every HSM of the cluster."""
    with key_mgmt_util(settings) as (tool, _host):
        outcome = tool.find_single_key(DestinationHandle(handle))
    nodes = [{"id": node.id, "code": node.code, "text": node.text} for node in outcome.nodes]
    _show("findSingleKey", {"handle": handle, "nodes": nodes}, as_json=json)


@app.command("get-attribute")
@with_destination
def get_attribute(settings: Config, handle: Handle, json: Json = False) -> None:
    """Show all attributes of a key."""
    with key_mgmt_util(settings) as (tool, _host):
        attributes = tool.get_attributes(DestinationHandle(handle))
    _show("getAttribute", {"handle": handle, "attributes": dict(attributes.values)}, as_json=json)


@app.command("key-info")
@with_destination
def key_info(settings: Config, handle: Handle, json: Json = False) -> None:
    """Show whose key it is and with whom it is shared."""
    with key_mgmt_util(settings) as (tool, _host):
        info = tool.get_key_info(DestinationHandle(handle))
    fields = {"handle": handle, "owner": info.owner, "shared": list(info.shared), "approvers": info.approvers}
    _show("getKeyInfo", fields, as_json=json)


@app.command("delete-key")
@with_destination
def delete_key(settings: Config, handle: Handle, yes: Yes = False, json: Json = False) -> None:
    """Delete one key for good; cluster backups keep it until they expire."""
    with key_mgmt_util(settings, changes=True) as (tool, _host):
        confirm_label(tool.get_attributes(DestinationHandle(handle)).label, f"key {handle}", yes=yes)
        tool.delete_key(DestinationHandle(handle))
    _show("deleteKey", {"handle": handle}, as_json=json)


@app.command("list-users")
@with_destination
def list_users(settings: Config, json: Json = False) -> None:
    """List users with their failed logins; needs no login."""
    with key_mgmt_util_before_login(settings) as tool:
        users = tool.list_users()
    rows = [user.json() for user in users]
    _show("listUsers", {"users": rows}, as_json=json)


@app.command("hsm-info")
@with_destination
def hsm_info(settings: Config, json: Json = False) -> None:
    """Show what the HSM says of itself; needs no login."""
    with key_mgmt_util_before_login(settings) as tool:
        info = tool.hsm_info()
    _show("getHSMInfo", {"info": dict(info)}, as_json=json)


@app.command("error")
@with_destination
def error(
    settings: Config,
    code: Annotated[str, typer.Argument(metavar="CODE", help="In hex, as in `returned: 0xc6`.")],
    json: Json = False,
) -> None:
    """Say what an error code means, in the tool's own words; needs no login."""
    if not re.fullmatch(r"(?:0x)?[0-9a-f]{1,8}", code, re.IGNORECASE):
        raise UsageError(f"{code!r} is no error code", hint="up to eight hexadecimal digits, as 0xc6")
    number = int(code, 16)
    with key_mgmt_util_before_login(settings) as tool:
        text = tool.error_to_string(number)
    _show("Error2String", {"code": number, "text": text}, as_json=json)
