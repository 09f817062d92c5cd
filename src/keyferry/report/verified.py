"""The verification of a run's record as its report shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyferry.errors import MismatchError, UnreachableError
from keyferry.report.model import Verification
from keyferry.run import signing
from keyferry.text import counted
from keyferry.verification.record import verify

if TYPE_CHECKING:
    from pathlib import Path

    from keyferry.verification.result import VerificationResult


def told(folder: Path) -> Verification:
    """Verify a record. One that is not intact is reported, too, and no error."""
    try:
        verdict = verify(folder)
        signatures = _signatures(folder, verdict)
    except MismatchError as error:
        return Verification(intact=False, what=f"NOT INTACT, not as it was written: {error.what}")
    state = "complete" if verdict.complete else "incomplete"
    return Verification(
        intact=True,
        what=f"{state} and intact: {counted(verdict.sessions, 'session')}, {counted(verdict.lines, 'journal line')}",
        notes=(*verdict.open, *verdict.notes),
        signatures=signatures,
    )


def _signatures(folder: Path, verdict: VerificationResult) -> tuple[tuple[str, str, str], ...]:
    names = verdict.signatures
    try:
        signed = signing.valid(folder, verdict.heads, names)
    except UnreachableError:
        return tuple((signing.check_name(folder, name), name, "") for name in names)
    return tuple((one.role, name, one.signer.fingerprint) for one, name in zip(signed, names, strict=True))
