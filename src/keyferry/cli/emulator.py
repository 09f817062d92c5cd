from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from keyferry.cli.rehearse import (
    DestinationOption,
    DestinationTool,
    JitterOption,
    Keys,
    Kmu,
    KmuOption,
    Luna,
    LunaOption,
    Nodes,
    install,
)
from keyferry.errors import UsageError

app = typer.Typer(no_args_is_help=True, help="The emulated HSMs and tools. Their store holds plaintext key material.")


@app.command()
def init(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder.")],
    keys: Keys = 10,
    luna: LunaOption = Luna.SEVEN,
    kmu: KmuOption = Kmu.G2,
    nodes: Nodes = 2,
    jitter: JitterOption = "",
    destination: DestinationOption = DestinationTool.KEY_MGMT_UTIL,
    lacks: Annotated[
        list[str] | None,
        typer.Option(
            "--lacks",
            metavar="TOOL:COMMAND[:FLAG]",
            help="Emulate a client that does not know this command or flag; repeatable.",
        ),
    ] = None,
) -> None:
    """Make an emulated partition and cluster, their five tools, secrets and a configuration."""
    install(
        directory.absolute(),
        keys=keys,
        luna=luna.value,
        kmu=kmu.value,
        nodes=nodes,
        jitter=jitter,
        destination=destination.value,
        lacks=lacks or (),
    )
    sys.stdout.write(
        f"{directory}: the store in it holds plaintext key material of the emulated HSMs\n"
        f"try: keyferry migrate --all --config {directory / 'keyferry.toml'}\n"
    )


@app.command()
def fault(
    directory: Annotated[Path | None, typer.Argument(metavar="DIR", help="Directory of the emulated HSMs.")] = None,
    tool: Annotated[str | None, typer.Argument(metavar="TOOL", help="The emulated tool.")] = None,
    name: Annotated[str | None, typer.Argument(metavar="FAULT", help="The fault's name, as --list prints it.")] = None,
    at: Annotated[str | None, typer.Option("--at", metavar="VERB", help="Command at which the fault occurs.")] = None,
    nth: Annotated[int, typer.Option("--nth", min=1, help="Occurrence at which the fault occurs, once.")] = 1,
    listing: Annotated[bool, typer.Option("--list", help="List the faults.")] = False,
) -> None:
    """Arm one fault in an emulator's store."""
    from keyferry.emulator import faults  # noqa: PLC0415 - start-up
    from keyferry.emulator.install import FAULTS  # noqa: PLC0415 - start-up
    from keyferry.emulator.store import Store  # noqa: PLC0415 - start-up

    if listing:
        for owner, known in FAULTS.items():
            for one in known:
                sys.stdout.write(f"{owner} {one.name} --at {'|'.join(one.verbs)}: {one.effect}\n")
        return
    if directory is None or tool is None or name is None:
        raise UsageError("name DIR, TOOL and FAULT, or ask for --list")
    chosen = next((one for one in FAULTS.get(tool, ()) if one.name == name), None)
    if chosen is None:
        raise UsageError(f"{tool} has no fault {name}", hint="`keyferry emulator fault --list` names them")
    if at is not None and at not in chosen.verbs:
        raise UsageError(f"{name} cannot strike at {at}", hint=f"it can at {', '.join(chosen.verbs)}")
    try:
        faults.arm(Store(directory), tool, name, at, nth)
    except FileNotFoundError as error:
        raise UsageError(str(error)) from error
