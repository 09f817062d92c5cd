from __future__ import annotations

import secrets
import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from keyferry import config
from keyferry.cli.migrate import Json, run
from keyferry.cli.output.documents import with_document
from keyferry.errors import UsageError
from keyferry.planning.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Sequence


class Luna(StrEnum):
    FIVE = "5"
    SEVEN = "7"


class Kmu(StrEnum):
    G1 = "g1"
    G2 = "g2"


class DestinationTool(StrEnum):
    KEY_MGMT_UTIL = "key_mgmt_util"
    CLOUDHSM_CLI = "cloudhsm-cli"


Keys = Annotated[int, typer.Option("--keys", min=1, help="Symmetric keys in the emulated partition.")]
LunaOption = Annotated[Luna, typer.Option("--luna", help="Client generation of the source.")]
KmuOption = Annotated[Kmu, typer.Option("--kmu", help="Output generation of key_mgmt_util.")]
DestinationOption = Annotated[DestinationTool, typer.Option("--destination", help="The tool of the destination.")]
Nodes = Annotated[int, typer.Option("--nodes", min=1, max=28, help="HSMs in the emulated cluster.")]
JitterOption = Annotated[
    str,
    typer.Option(
        "--jitter", metavar="SEED", help="Randomize unconfirmed behaviour of the tools; same seed, same variations."
    ),
]


@with_document
def rehearse(
    keys: Keys = 10,
    luna: LunaOption = Luna.SEVEN,
    kmu: KmuOption = Kmu.G2,
    nodes: Nodes = 2,
    jitter: JitterOption = "",
    destination: DestinationOption = DestinationTool.KEY_MGMT_UTIL,
    directory: Annotated[
        Path | None, typer.Option("--dir", metavar="DIR", help="New directory for the rehearsal.")
    ] = None,
    json: Json = False,
) -> None:
    """Migrate keys from an emulated partition to an emulated cluster: the whole procedure, no HSM needed."""
    stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
    folder = (directory or Path("keyferry-rehearsals") / stamp).absolute()
    install(
        folder,
        keys=keys,
        luna=luna.value,
        kmu=kmu.value,
        nodes=nodes,
        jitter=jitter,
        destination=destination.value,
    )
    code = run(config.load(folder / "keyferry.toml", {}), Selection(), folder / "run", as_json=json, rehearsal=True)
    if not json:
        _next(folder)
    raise typer.Exit(int(code))


def install(
    folder: Path,
    *,
    keys: int,
    luna: str,
    kmu: str,
    nodes: int,
    jitter: str,
    destination: str,
    lacks: Sequence[str] = (),
) -> None:
    """Make an emulated pair of HSMs; UsageError where one is already, and for a tool that has no such setting."""
    from keyferry.emulator import install as emulator  # noqa: PLC0415 - start-up: cryptography and SQLite

    try:
        emulator.create(
            folder,
            keys=keys,
            luna=luna,
            kmu=kmu,
            nodes=nodes,
            jitter=jitter,
            destination=destination,
            lacks=lacks,
        )
    except ValueError as error:
        raise UsageError(
            f"--lacks {error}: not TOOL:COMMAND or TOOL:COMMAND:FLAG",
            hint="TOOL is key_mgmt_util or cloudhsm-cli, for example key_mgmt_util:unWrapKey:-noheader",
        ) from error
    except OSError as error:
        raise UsageError(
            f"{folder}: no emulator can be made there: {error.strerror or error}",
            hint="name a folder that is not there yet",
        ) from error


def _next(folder: Path) -> None:
    configuration = folder / "keyferry.toml"
    sys.stdout.write(
        "try next:\n"
        f"  keyferry inventory destination --config {configuration}\n"
        f"  keyferry migrate --all --relabel --reid --config {configuration}\n"
        f"  keyferry transcript show {folder}/run/sessions/*-ckdemo.cast\n"
    )
