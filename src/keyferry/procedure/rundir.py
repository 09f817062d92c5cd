from __future__ import annotations

import getpass
import hashlib
import json
import platform
import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from keyferry import __version__
from keyferry.errors import RecordFailedError, UsageError
from keyferry.procedure import manifest
from keyferry.procedure.journal import Journal, now
from keyferry.terminal.host import write_private
from keyferry.text import canonical

if TYPE_CHECKING:
    from pathlib import Path


class RunDirectory:
    """A run's folder (0700): everything an auditor needs, nothing that is secret, movable as a whole."""

    def __init__(self, path: Path, run_id: str) -> None:
        self.path = path
        self.run_id = run_id
        self.head: str | None = None
        self.sessions = path / "sessions"
        self.files = path / "files"
        path.mkdir(mode=0o700, parents=True)
        self.sessions.mkdir(mode=0o700)
        self.files.mkdir(mode=0o700)
        self.journal = Journal(path / manifest.JOURNAL)

    @classmethod
    def create(cls, wanted: Path | None, parent: Path) -> RunDirectory:
        """Make the folder `wanted`, or `parent/<UTC time>-<id>`; UsageError where it is there already."""
        run_id = secrets.token_hex(4)
        path = wanted.absolute() if wanted else parent / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{run_id}"
        try:
            return cls(path, run_id)
        except OSError as error:
            raise UsageError(
                f"the run directory {path} cannot be made: {error.strerror}",
                keys="nothing was changed",
                hint="every run has a directory of its own: name one that is not there yet",
            ) from error

    def write_json(self, name: str, value: object) -> str:
        """Write a JSON file in canonical form (sorted, no blanks); gives its SHA-256, or RecordFailedError."""
        data = canonical(value)
        self.write(name, data)
        return hashlib.sha256(data).hexdigest()

    def write(self, name: str, data: bytes) -> None:
        """Write a file of the run (0600) whole; RecordFailedError where it cannot be."""
        try:
            write_private(self.path / name, data)
        except OSError as error:
            raise RecordFailedError(
                f"{self.path / name} cannot be written: {error.strerror}",
                keys="nothing more was typed to any tool",
                hint="free space or mend the folder, then look at both sides before running again",
            ) from error

    def begin(self, settings: dict[str, object], order: dict[str, object] | None = None) -> None:
        """Say what this run is. order: what `migrate` was told of the keys, for a run that is resumed."""
        about = {
            "schema": "keyferry.run-info/1",
            "run_id": self.run_id,
            "keyferry": __version__,
            "started": now(),
            "operator": {"user": getpass.getuser(), "host": platform.node(), "system": platform.platform()},
        }
        self.write_json("run.json", about | {"settings": settings})
        self.journal.write(
            "begin",
            run_id=self.run_id,
            keyferry=__version__,
            operator=about["operator"],
            settings=settings,
            order=order or {},
        )

    def finish(self) -> None:
        """Close the journal, write the manifest over all there is, and clear every write bit."""
        self.journal.close()
        story = manifest.Story()
        with self.journal.path.open("rb") as lines:
            for line in lines:
                story.take(json.loads(line))
        journal = {"count": self.journal.count, "head": self.journal.head}
        whole = manifest.compose(self.path, self.run_id, __version__, story, journal)
        self.write_json(manifest.MANIFEST, whole)
        for name in (*manifest.files(self.path), manifest.MANIFEST):
            (self.path / name).chmod(0o400)
        self.head = whole["head"]
