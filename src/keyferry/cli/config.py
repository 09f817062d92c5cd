"""The configuration: a commented file to begin with, what holds and where it comes from, whether it holds together."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from keyferry.cli.migrate import Json
from keyferry.cli.options import with_settings_alone
from keyferry.cli.output import render
from keyferry.config import DEFAULTS, Config
from keyferry.errors import UsageError

app = typer.Typer(no_args_is_help=True, help="The configuration file.")

ABOUT = {
    "source": "The Classic (Luna) side: vtl, cmu and ckdemo.",
    "source.host": "what ssh takes; empty: this machine",
    "source.ssh_options": "more of ssh_config: Port=2222 ProxyJump=bastion",
    "source.prefix": "words before each command there: docker exec -it NAME",
    "source.sudo": "sudo -n before each command there",
    "source.bin": "the tools' folder; empty: the usual places",
    "source.slot": "serial:, label: or number: of the partition or HA group",
    "source.pin": "prompt, fd:N, file:PATH (0600), cmd:ARGV or env:NAME",
    "source.configuration": "the client's own file, which doctor reads",
    "source.cmu_public_key_option": "how cmu import is told that a file is a public key",
    "destination": "The destination.",
    "destination.host": "as for [source]",
    "destination.ssh_options": "as for [source]",
    "destination.prefix": "as for [source]",
    "destination.sudo": "as for [source]",
    "destination.bin": "the tool's folder; empty: /opt/cloudhsm/bin",
    "destination.user": "the crypto user whose applications will use the keys",
    "destination.password": "sources as for pin",
    "destination.configuration": "the client's own file, which doctor reads",
    "destination.password_visible": "for clients before 3.2.0: type the password with -p",
    "destination.tool": "key_mgmt_util or cloudhsm-cli",
    "destination.key_availability_check": "false for a cluster with one HSM (cloudhsm-cli)",
    "destination.key_quota": "keys that the cluster can hold; 0: as AWS documents it for the HSM's type",
    "dialect": "What this site's clients word otherwise than the vendor documents it.",
    "wrapping": "The wrapping pair.",
    "wrapping.bits": "2048, 3072 or 4096",
    "wrapping.hash": "of OAEP, on both sides",
    "wrapping.extractable": "true makes the pair as the document does",
    "limits": "Seconds that a tool may take.",
    "run": "Runs and their records.",
    "run.directory": "empty: keyferry-runs",
    "run.operator": "whose approval does not count for a plan",
    "run.sessions": "at work at the same time on each side after the first key has crossed; each logs in",
    "run.allow_raised_counter": "type a secret once although its failure counter is raised",
}
_HEAD = """\
# Settings of Keyferry. A flag is stronger than the environment (KEYFERRY_<SECTION>_<KEY>), that than this file.
# Paths count from this file's folder. [profile.NAME.SECTION] tables hold for --profile NAME.
"""


@app.command()
def init(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A new file.")] = Path("keyferry.toml"),
) -> None:
    """Write a commented configuration file with every setting at its default."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(commented())
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", hint="name a file that is not there") from error
    sys.stdout.write(f"{path}\n")


@app.command()
@with_settings_alone
def show(
    settings: Config,
    origin: Annotated[bool, typer.Option("--origin", help="Where each value comes from.")] = False,
    json: Json = False,
) -> None:
    """Show the effective settings. Secrets are shown as sources, never as values."""
    rows = [
        {"setting": f"{section}.{key}", "value": settings.value(section, key)}
        | ({"origin": settings.origin(section, key)} if origin else {})
        for section, keys in DEFAULTS.items()
        for key in keys
    ]
    if json:
        render.document({"schema": "keyferry.config/2", "settings": rows})
    else:
        render.table("", list(rows[0]), [list(row.values()) for row in rows])


@app.command()
@with_settings_alone
def check(settings: Config) -> None:
    """Validate the configuration without starting any tool."""
    from keyferry.migration.endpoints import check as demand  # noqa: PLC0415 - start-up: pexpect and all drivers
    from keyferry.planning.job import order  # noqa: PLC0415 - as above
    from keyferry.planning.selection import Selection  # noqa: PLC0415 - as above

    order(settings, Selection())
    demand(settings)
    sys.stdout.write("configuration OK\n")


def commented() -> str:
    """Every setting at its default, as TOML in comments."""
    parts = [_HEAD]
    for section, keys in DEFAULTS.items():
        lines = [f"# {key} = {_toml(value)}{_note(section, key)}\n" for key, value in keys.items()]
        parts.append(f"\n# {ABOUT[section]}\n[{section}]\n{''.join(lines)}")
    return "".join(parts)


def _note(section: str, key: str) -> str:
    about = ABOUT.get(f"{section}.{key}")
    return f"  # {about}" if about else ""


def _toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool | int) else f'"{value}"'
