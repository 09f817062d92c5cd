from __future__ import annotations

import sys
from typing import Annotated

import typer

from keyferry.cli.migrate import Json
from keyferry.cli.options import OneSide, sides_of, with_settings
from keyferry.cli.output import render
from keyferry.config import Config
from keyferry.doctor.finding import Finding, failed
from keyferry.errors import Exit, LoginForbiddenError
from keyferry.text import printable


@with_settings
def doctor(
    settings: Config,
    login: Annotated[
        bool, typer.Option("--login", help="Also log in to both sides, once, if all other checks pass.")
    ] = False,
    side: OneSide = None,
    json: Json = False,
) -> None:
    """Check both hosts and every tool before a run, without changing anything or logging in."""
    from keyferry.doctor import hosts as procedure  # noqa: PLC0415 - start-up: pexpect and all drivers

    found = procedure.examine(settings, sides_of(side))
    stops = any(one.verdict == "fail" for one in found)
    forbidden = None
    if login and not stops:
        try:
            found += procedure.log_in(settings, sides_of(side))
        except LoginForbiddenError as error:
            found.append(failed(error.host or "keyferry", "login", error))
            forbidden = error
        stops = any(one.verdict == "fail" for one in found)
    if json:
        render.document({"schema": "keyferry.doctor/2", "ready": not stops, "checks": [one.json() for one in found]})
    else:
        sys.stdout.write("".join(map(_line, found)))
    if forbidden:
        raise forbidden
    unknown = any(one.unknown for one in found)
    raise typer.Exit(int(Exit.UNKNOWN_SCREEN if unknown else Exit.CHECK_FAILED if stops else Exit.DONE))


def _line(finding: Finding) -> str:
    hint = f"{'':<33}hint: {printable(finding.hint)}\n" if finding.hint else ""
    return f"{finding.verdict:<6}{finding.host:<12}{finding.check:<17}{printable(finding.text)}\n{hint}"
