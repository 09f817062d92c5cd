from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from keyferry import __version__
from keyferry.errors import CheckFailedError, RecordFailedError, UsageError
from keyferry.pkcs11 import account
from keyferry.recording import unfinished
from keyferry.recording.recorder import sync_folder
from keyferry.run import kept, manifest, standalone, versions
from keyferry.run.intact import check_sessions
from keyferry.run.journal import Journal, now
from keyferry.run.state import build
from keyferry.run.unbegun import clear, is_unbegun, require_begun, temporaries
from keyferry.terminal.host import write_private
from keyferry.text import canonical, from_json

if TYPE_CHECKING:
    from pathlib import Path

    from keyferry.run.journal import LoadedJournal
    from keyferry.run.state import RunState


class RunDirectory:
    """A run's folder (0700): everything an auditor needs, nothing that is secret, movable as a whole."""

    def __init__(self, path: Path, run_id: str, journal: Journal | None = None) -> None:
        """A new folder; one that is there where a `journal` goes on."""
        self.path = path
        self.run_id = run_id
        self.head: str | None = None
        self.sessions = path / "sessions"
        self.files = path / "files"
        if journal is None:
            path.mkdir(mode=0o700, parents=True)
            journal = Journal(path / manifest.JOURNAL)  # first of all: it shows that this is a run directory
            self._make_folders()
        self.journal = journal

    def _make_folders(self) -> None:
        self.sessions.mkdir(mode=0o700, exist_ok=True)
        self.files.mkdir(mode=0o700, exist_ok=True)

    @classmethod
    def create(cls, wanted: Path | None, parent: Path) -> RunDirectory:
        """Make the folder `wanted`, or `parent/<UTC time>-<id>`. UsageError if it exists and a run began in it."""
        run_id = secrets.token_hex(4)
        path = wanted.absolute() if wanted else parent / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{run_id}"
        try:
            return cls._claim(path, run_id) if is_unbegun(path) else cls(path, run_id)
        except OSError as error:
            raise _no_folder(path, error) from error

    @classmethod
    def _claim(cls, path: Path, run_id: str) -> RunDirectory:
        """Take over the folder of a run that never began. JournalHeldError if another process is starting one."""
        there = path / manifest.JOURNAL
        journal = Journal.reopen(there)[0] if there.exists() else Journal(there)
        if not is_unbegun(path):  # another process was faster
            journal.close()
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        clear(path)
        directory = cls(path, run_id, journal)
        directory._make_folders()
        return directory

    @classmethod
    def reopen(cls, path: Path) -> tuple[RunDirectory, RunState]:
        """Lock the folder of a run that is to go on, and read how far it came; nothing in it is changed yet.

        CheckFailedError where the journal, a session, or a completed run's manifest is not as it was written.
        """
        require_begun(path)
        journal, found = Journal.reopen(path / manifest.JOURNAL)
        try:
            past = build(found, path)
            _check_complete(path / manifest.MANIFEST, found)
            check_sessions(path, found.entries)
        except BaseException:
            journal.close()
            raise
        return cls(path, past.run_id, journal), past

    def go_on(self, past: RunState, **why: object) -> None:
        """Record that the run goes on. Its present manifest is kept, so that a head that was noted still verifies.

        What a dead process left open is recorded as it is.
        """
        self._remove_temporaries()
        head = self._keep_manifest()
        operator = _operator()
        self.journal.write("resumed", keyferry=__version__, operator=operator, torn=past.torn, head=head, **why)
        self._note_torn(past)

    def _keep_manifest(self) -> str | None:
        """Move the manifest aside; give the head of the state that ends here, None if there is no manifest of it.

        A process that died behind this has kept the manifest, and written no line.
        """
        present = self.path / manifest.MANIFEST
        if present.exists():
            head = str(kept.read(self.path, manifest.MANIFEST)["head"])
            target = self.path / manifest.kept_name(head)
            target.parent.mkdir(mode=0o700, exist_ok=True)
            present.rename(target)
            sync_folder(target.parent)
            sync_folder(self.path)
        return next((head for head, journal in kept.heads(self.path) if journal == self.journal.head), None)

    def complete(self, past: RunState) -> None:
        """Complete the record of a run that ended, but whose process died before it could."""
        self._note_torn(past)
        self.finish()

    def _note_torn(self, past: RunState) -> None:
        for file in past.unclosed:
            head, count = unfinished.measure(self.path / file)
            self.journal.write("torn", file=file, head=head, count=count)

    def _remove_temporaries(self) -> None:
        """Remove what a process that was killed while it wrote a file left under a temporary name."""
        for path in temporaries(self.path):
            path.unlink()

    def leave(self) -> None:
        """Unlock a folder in which nothing was changed."""
        self.journal.close()
        if (self.path / manifest.MANIFEST).exists():
            self.journal.path.chmod(0o400)

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

    def begin(
        self, settings: dict[str, object], order: dict[str, object] | None = None, *, rehearsal: bool = False
    ) -> None:
        """Say what this run is. order: what `migrate` was told of the keys, for a run that is resumed.

        rehearsal: whether `keyferry rehearse` starts it.
        """
        about = {
            "schema": versions.SCHEMA,
            "run_id": self.run_id,
            "keyferry": __version__,
            "started": now(),
            "operator": _operator(),
        }
        self.write(standalone.NAME, standalone.script().encode())
        digest = self.write_json(manifest.INFO, about | {"settings": settings})
        self.journal.write(
            "begin",
            about=digest,
            run_id=self.run_id,
            keyferry=__version__,
            operator=about["operator"],
            settings=settings,
            order=order or {},
            rehearsal=rehearsal,
        )

    def finish(self) -> None:
        """Close the journal, write the manifest over all there is, and clear every write bit.

        Where the journal could not be written there is no manifest: the record stays visibly incomplete.
        """
        self.journal.close()
        if self.journal.failed:
            return
        self._remove_temporaries()
        story = manifest.ManifestBuilder()
        with self.journal.path.open("rb") as lines:
            for line in lines:
                story.take(json.loads(line))
        journal = {"count": self.journal.count, "head": self.journal.head}
        whole = manifest.compose(self.path, self.run_id, __version__, story, journal)
        self.write_json(manifest.MANIFEST, whole)
        for name in (*manifest.files(self.path), manifest.MANIFEST):
            (self.path / name).chmod(0o400)
        self.head = whole["head"]


def _no_folder(path: Path, error: OSError) -> UsageError:
    """Make the error for a run directory that cannot be made."""
    why, hint = error.strerror, "name a folder that is not there yet"
    parent = next((folder for folder in (path, *path.parents) if os.path.lexists(folder)), path)
    if os.path.isdir(path) and os.path.lexists(path / manifest.JOURNAL):
        why = "a run began in it"
        hint = f"every run has a directory of its own: {hint}, or resume that run: `keyferry resume {path}`"
    elif os.path.isdir(path):
        why = "this folder is there already, and it is neither a run's nor an empty one that only its owner can enter"
    elif error.errno in {errno.EEXIST, errno.ENOTDIR} and not os.path.isdir(parent):
        it = "it" if parent == path else str(parent)
        why = f"{it} is a link that leads nowhere" if parent.is_symlink() else f"{it} is a file, not a folder"
    what = f"the run directory {path} cannot be made: {why}"
    return UsageError(what, keys="nothing was changed", hint=hint)


def _operator() -> dict[str, str]:
    system = os.uname()
    return {
        "user": account(),
        "host": system.nodename,
        "system": f"{system.sysname} {system.release} {system.machine}",
    }


def _check_complete(path: Path, found: LoadedJournal) -> None:
    """A manifest says that its run was complete: then nothing may have come to the journal, or gone from it."""
    try:
        head = from_json(path.read_bytes())["journal"]["head"]
    except FileNotFoundError:
        return
    except OSError as error:
        raise _not_complete(path, f"it cannot be read: {error.strerror}") from error
    except (ValueError, LookupError, TypeError) as error:
        raise _not_complete(path, "it is not what a run writes there") from error
    if found.torn or head != found.head:
        raise _not_complete(path, "its journal is another")


def _not_complete(path: Path, why: str) -> CheckFailedError:
    return CheckFailedError(
        f"{path} is not the manifest of this run: {why}",
        keys="nothing was typed to any tool; what this journal says of the keys cannot be trusted",
        hint="take the run's folder from a copy, or look at both sides by hand",
    )
