"""A whole migration in this process, with a run id and a read size of the test's choosing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyferry.config import load
from keyferry.events import Bus
from keyferry.procedure.assembly import Parties, Secrets
from keyferry.procedure.interrupts import Interrupts
from keyferry.procedure.migration import Migration
from keyferry.procedure.order import Selection, order
from keyferry.procedure.rundir import RunDirectory
from keyferry.secrets import Secret
from keyferry.terminal.child import READ_SIZE

if TYPE_CHECKING:
    from pathlib import Path

    from keyferry.procedure.results import RunResult

PIN, PASSWORD = "partition PIN", "crypto user's password"


def migrate(
    config: Path, directory: Path, run_id: str, secrets: dict[str, str], *, read_size: int = READ_SIZE, answer: int = 30
) -> RunResult:
    """Carry all keys across; `answer` is the limit of every wait in seconds."""
    run = RunDirectory(directory, run_id)
    settings = load(config, {("limits", name): answer for name in ("start", "answer", "login", "generate")})
    known = Secrets(Secret(PIN, secrets[PIN].encode()), Secret(PASSWORD, secrets[PASSWORD].encode()))
    try:
        with Parties(settings, run.sessions, run_id, Bus(), known, read_size) as parties, Interrupts() as interrupts:
            return Migration(parties, run, order(settings, Selection()), interrupts).run()
    finally:
        run.finish()
