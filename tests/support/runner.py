"""A whole migration in this process, with a run id and a read size of the test's choosing."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unittest import mock

from keyferry.config import load
from keyferry.events import Bus
from keyferry.migration import pipeline
from keyferry.migration.endpoints import Endpoints, Secrets
from keyferry.migration.migration import Migration
from keyferry.migration.signals import Interrupts
from keyferry.planning.job import order
from keyferry.planning.selection import Selection
from keyferry.run.directory import RunDirectory
from keyferry.secrets import Secret
from keyferry.terminal.child import READ_SIZE

if TYPE_CHECKING:
    from pathlib import Path

    from keyferry.migration.results import KeyResult, RunResult

PIN, PASSWORD = "partition PIN", "crypto user's password"


def _take_one(self: pipeline._Ready) -> list[KeyResult]:
    with self._changed:
        self._changed.wait_for(lambda: self._closed or bool(self._keys))
        taken = [self._keys.popleft()] if self._keys else []
        self._changed.notify_all()
    return taken


def migrate(
    config: Path, directory: Path, run_id: str, secrets: dict[str, str], *, read_size: int = READ_SIZE, answer: int = 30
) -> RunResult:
    """Migrate all keys, in batches of one, so that the same lines are typed in each run; `answer` limits every wait."""
    run = RunDirectory(directory, run_id)
    settings = load(config, {("limits", name): answer for name in ("start", "answer", "login", "generate")})
    known = Secrets(Secret(PIN, secrets[PIN].encode()), Secret(PASSWORD, secrets[PASSWORD].encode()))
    try:
        one_by_one = mock.patch.object(pipeline._Ready, "take", _take_one)
        with (
            one_by_one,
            Endpoints(settings, run.sessions, run_id, Bus(), known, read_size) as endpoints,
            Interrupts() as interrupts,
        ):
            return Migration(endpoints, run, order(settings, Selection()), interrupts).run()
    finally:
        run.finish()
