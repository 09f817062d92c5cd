from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from keyferry.cli.output import render
from keyferry.errors import CheckFailedError, Exit, UnreachableError, UsageError
from keyferry.run import signing
from keyferry.run.rehearsal import WHY
from keyferry.run.signing import Role
from keyferry.run.standalone import script
from keyferry.text import counted, printable
from keyferry.verification.record import verify as check
from keyferry.verification.result import UNSIGNED, VerificationResult

Run = Annotated[Path, typer.Argument(metavar="RUN", help="A run's directory.")]


def verify(
    run: Annotated[Path | None, typer.Argument(metavar="RUN", help="A run's directory.")] = None,
    head: Annotated[str | None, typer.Option("--head", metavar="HEX", help="The head you noted elsewhere.")] = None,
    allowed: Annotated[
        Path | None,
        typer.Option("--allowed-signers", metavar="FILE", help="Allowed signers file, as ssh-keygen reads it."),
    ] = None,
    emit_script: Annotated[
        bool, typer.Option("--emit-script", help="Print verify.py, which needs no Keyferry.")
    ] = False,
) -> None:
    """Verify that a run's record is intact. Exit code 0: intact; 6: altered; 7: intact but incomplete."""
    if emit_script:
        sys.stdout.write(script())
        return
    if run is None:
        raise UsageError("name a run's directory", keys="nothing was read")
    if head is not None and not re.fullmatch("[0-9a-f]{64}", head):
        raise UsageError(f"--head {head}: a head is 64 lower-case hex digits", keys="nothing was read")
    verdict = check(run, head)
    signed = signing.signed(run, verdict.heads, verdict.signatures, allowed) if allowed and verdict.heads else []
    unknown = [] if signed else _by_unknown_keys(run, verdict)
    _tell(verdict)
    for one in signed:
        whose = f"{printable(one.signer.principal)} ({one.signer.fingerprint})"
        sys.stdout.write(f"signed as {one.role}: {whose}{_over(one, verdict)}\n")
    sys.stdout.writelines(unknown)
    if signed and all(one.head != verdict.head for one in signed):
        sys.stdout.write("nobody has signed the present head\n")
    if head is None and not signed:
        sys.stdout.write(f"{UNSIGNED}\n")
    raise typer.Exit(int(Exit.DONE if verdict.complete else Exit.NEEDS_OPERATOR))


def _by_unknown_keys(run: Path, verdict: VerificationResult) -> list[str]:
    """What can be said of signatures without a list of signers: they are of this head, and by some key."""
    if not verdict.heads or not verdict.signatures:
        return []
    try:
        found = signing.valid(run, verdict.heads, verdict.signatures)
    except UnreachableError:
        return [f"{counted(len(verdict.signatures), 'signature')}, not checked: ssh-keygen was not found\n"]
    whose = "valid signature, unknown signer (identify it with --allowed-signers)"
    return [f"signed as {one.role}: {whose}: {one.signer.fingerprint}{_over(one, verdict)}\n" for one in found]


def _over(one: signing.Signed, verdict: VerificationResult) -> str:
    """What a signature is over, if that is not the present head."""
    return "" if one.head == verdict.head else f", over the earlier state with head {one.head}"


def sign(
    run: Run,
    key: Annotated[
        Path,
        typer.Option("--key", metavar="PATH", help="A private key, or the public key of one in an agent or token."),
    ],
    role: Annotated[Role, typer.Option("--role", help="Role to sign as.")] = Role.OPERATOR,
    of_rehearsal: Annotated[
        bool, typer.Option("--rehearsal", help="Sign a rehearsal (a run with emulated tools).")
    ] = False,
) -> None:
    """Verify a run's record and sign its head with ssh-keygen."""
    verdict = check(run)
    if verdict.head is None or not verdict.complete:
        raise CheckFailedError(
            f"{run}: the record is not complete, so there is nothing to sign",
            seen="\n".join(verdict.open),
            keys="nothing was signed",
        )
    if verdict.rehearsal and not of_rehearsal:
        raise CheckFailedError(
            f"{run}: this run is a rehearsal: {WHY}",
            keys="nothing was signed",
            hint="sign the record of the real run; --rehearsal signs this one",
        )
    target = signing.sign(run, verdict.head, role, key)
    render.head(verdict.head, sys.stdout)
    sys.stdout.write(f"signed as {role}: {target}\n")


def _extended(since: tuple[str, ...]) -> str:
    return f"extended since by: {', '.join(since)}" if since else "not extended yet"


def _tell(verdict: VerificationResult) -> None:
    sessions, events = counted(verdict.sessions, "session"), counted(verdict.events, "event")
    lines = [
        f"run {verdict.run_id}: {'complete' if verdict.complete else 'incomplete'} and intact",
        f"{sessions} with {events}, {counted(verdict.lines, 'journal line')}",
    ]
    if verdict.rehearsal:
        lines.append(f"rehearsal: {WHY}")
    if verdict.totals:
        lines.append(render.totals(verdict.totals))
    for earlier, since in verdict.earlier.items():
        lines.append(f"intact; head {earlier} is an earlier state, {_extended(since)}")
    lines += [*(f"incomplete: {why}" for why in verdict.open), *verdict.notes]
    sys.stdout.write("".join(f"{printable(line)}\n" for line in lines))
    if verdict.head:
        render.head(verdict.head, sys.stdout)
