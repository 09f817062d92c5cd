from __future__ import annotations

import sys
from typing import Annotated

import typer

from keyferry import __version__
from keyferry.cli import (
    ckdemo,
    cloudhsm_cli,
    cmu,
    config,
    doctor,
    emulator,
    explain,
    inventory,
    kmu,
    migrate,
    parse,
    plan,
    rehearse,
    render,
    report,
    runs,
    transcript,
    verify,
    vtl,
)
from keyferry.errors import KeyferryError

app = typer.Typer(
    name="keyferry",
    help="Carry symmetric keys from CloudHSM Classic to AWS CloudHSM, with the vendor's own tools, on record.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command()(rehearse.rehearse)
app.command()(plan.plan)
app.command()(migrate.migrate)
app.command()(explain.explain)
app.command()(doctor.doctor)
app.command()(verify.verify)
app.command()(verify.sign)
app.command()(runs.status)
app.command()(runs.resume)
app.command()(runs.resolve)
app.command()(runs.cleanup)
app.add_typer(config.app, name="config")
app.add_typer(inventory.app, name="inventory")
app.command()(parse.parse)
app.add_typer(kmu.app, name="kmu")
app.add_typer(cloudhsm_cli.app, name="cloudhsm-cli")
app.add_typer(ckdemo.app, name="ckdemo")
app.add_typer(cmu.app, name="cmu")
app.add_typer(vtl.app, name="vtl")
app.add_typer(emulator.app, name="emulator")
app.add_typer(transcript.app, name="transcript")
app.command()(report.report)


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"keyferry {__version__}\n")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    """What stands before a command."""


def main() -> None:
    """The console script: our errors told as the user needs them, with their exit codes."""
    try:
        app()
    except KeyferryError as error:
        sys.exit(render.report(error))
    except BrokenPipeError:
        sys.exit(1)


if __name__ == "__main__":
    main()
