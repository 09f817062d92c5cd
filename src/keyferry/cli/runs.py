"""Commands about a run that was begun: look at it, go on with it, answer what it asks, clean up after it."""

from __future__ import annotations

import functools
import re
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from keyferry.cli.migrate import Json, MaxFailures, Sessions, Yes, show
from keyferry.cli.options import OneSide, sides_of, with_settings
from keyferry.cli.output import progress, render
from keyferry.cli.output.confirm import confirm_label
from keyferry.cli.output.documents import with_document
from keyferry.config import Config
from keyferry.errors import UsageError
from keyferry.events import Bus
from keyferry.pkcs11 import DestinationHandle
from keyferry.text import printable, shortened, value

_HANDLE = re.compile(r"[0-9]{1,20}|0x[0-9A-Fa-f]{1,16}")

RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="The run's directory.")]


def status(
    run: RunArgument,
    watch: Annotated[bool, typer.Option("--watch", help="Print each change until the run stops.")] = False,
    json: Json = False,
) -> None:
    """Show the progress of a run. Works while it is running and never logs in."""
    from keyferry.run import status as procedure  # noqa: PLC0415 - start-up

    found: dict[str, Any] = procedure.document(run.absolute())
    if watch:
        for found in procedure.changes(run.absolute()):
            sys.stderr.write(f"{found['last']}  {found['state']}: {_stages(found)}\n")
    if json:
        render.document(found)
    else:
        _tell(found)


@with_document
@with_settings
def resume(
    settings: Config,
    run: RunArgument,
    max_failures: MaxFailures = None,
    sessions: Sessions = None,
    _yes: Yes = False,
    json: Json = False,
) -> None:
    """Go on with a run that was interrupted: find out what came of its last commands, then do what is left."""
    from keyferry.migration import resume as going_on  # noqa: PLC0415 - start-up

    where = run.absolute()
    if sessions is not None:
        settings = settings.with_value(("run", "sessions"), sessions)
    carry = functools.partial(going_on.resume, settings, where, max_failures=max_failures)
    raise typer.Exit(int(show(carry, as_json=json)))


def resolve(
    run: RunArgument,
    key: Annotated[str, typer.Argument(metavar="KEY", help="HANDLE or label:TEXT, as in the run.")],
    adopt: Annotated[
        str | None, typer.Option("--adopt", metavar="HANDLE", help="HANDLE is the migrated key; verify it on resume.")
    ] = None,
    retry: Annotated[
        bool, typer.Option("--retry", help="The key is not on the destination; wrap and unwrap it again.")
    ] = False,
    skip: Annotated[bool, typer.Option("--skip", help="Do not migrate this key.")] = False,
) -> None:
    """Answer what a run asks about one key. The answer is recorded; `keyferry resume` acts on it."""
    from keyferry.migration import resume as going_on  # noqa: PLC0415 - start-up
    from keyferry.run.state import Decision  # noqa: PLC0415 - as above

    given = [name for name, there in (("adopt", adopt is not None), ("retry", retry), ("skip", skip)) if there]
    if len(given) != 1:
        raise UsageError(
            "give exactly one of --adopt, --retry and --skip",
            keys="nothing was recorded",
            hint="`keyferry resolve --help` explains each of them",
        )
    decision = Decision(given[0], None if adopt is None else _handle(adopt))
    resolved, head = going_on.resolve(run.absolute(), key, decision)
    sys.stdout.write(f"key {resolved.handle} ({printable(resolved.label)}): {decision.what}, recorded\n")
    sys.stdout.write(f"next: keyferry resume {printable(shlex.quote(str(run)))}\n")
    if head is not None:
        render.head(head, sys.stdout)


@with_settings
def cleanup(
    settings: Config,
    run: RunArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for the label.")] = False,
    side: OneSide = None,
    json: Json = False,
) -> None:
    """Remove the imported public key, the wrapping pair and the wrapped files of a verified run; verify it."""
    from keyferry.migration.cleanup import Leftovers  # noqa: PLC0415 - start-up
    from keyferry.migration.cleanup import cleanup as clean  # noqa: PLC0415 - as above

    def confirm(left: Leftovers) -> None:
        for line in left.told():
            sys.stderr.write(f"      {printable(line)}\n")
        confirm_label(left.label, "all of these", yes=yes)

    bus = Bus()
    progress.lines(bus)
    left, head = clean(settings, run.absolute(), bus, confirm, sides_of(side))
    removed = list(left.told())
    if json:
        told = {"schema": "keyferry.cleanup/1", "run_dir": str(run.absolute()), "head": head, "removed": removed}
        render.document(told)
        return
    sys.stdout.write("".join(f"removed: {printable(line)}\n" for line in removed))
    sys.stdout.write(
        "cluster backups still contain the wrapping pair (90 days by default): until they expire, anyone with a\n"
        "wrapped file and such a backup can unwrap it\n"
    )
    if head is not None:
        render.head(head, sys.stdout)


def _handle(text: str) -> DestinationHandle:
    """A handle as either tool of the cluster writes it: in decimal, or in hex after 0x."""
    if _HANDLE.fullmatch(text) is None:
        raise UsageError(
            f"--adopt needs the handle of a key of the destination, not {value(shortened(text))}",
            keys="nothing was recorded",
            hint="write it as the destination's tool shows it: in decimal, or in hex after 0x",
        )
    return DestinationHandle(int(text, 16 if text.startswith("0x") else 10))


def _stages(found: dict[str, Any]) -> str:
    return ", ".join(f"{count} {stage}" for stage, count in found["stages"].items()) or "no key is planned yet"


def _tell(found: dict[str, Any]) -> None:
    if found["keys"]:
        columns = ("Source", "Label", "Destination", "Stage")
        render.table("Keys", columns, [_row(key) for key in found["keys"]])
    for key in found["keys"]:
        if key["stage"] == "needs operator":
            detail = f"{key['rule']} ({key['source_handle']}): {key['detail']}"
            sys.stdout.write(f"  {printable(detail)}\n")
    from keyferry.run.status import ON  # noqa: PLC0415 - start-up

    pair = found["wrapping_key"]
    sys.stdout.write(f"run {found['run_id']}, {found['state']}: {_stages(found)}\n")
    sys.stdout.write(f"wrapping key {printable(pair['label'] or '')}: {pair['stage']}\n" if pair["label"] else "")
    where = f", {ON[found['next_on']]}" if found["next_on"] else ""
    sys.stdout.write(f"next{where}: {printable(found['next'])}\n" if found["next"] else "")


def _row(key: dict[str, Any]) -> tuple[object, ...]:
    stage = f"{key['stage']}: {key['rule']}" if key["rule"] else key["stage"]
    return key["source_handle"], key["label"], key["destination_handle"], stage
