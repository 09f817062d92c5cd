from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from keyferry import files
from keyferry.errors import CheckFailedError, JournalHeldError, RecordFailedError, UsageError
from keyferry.recording import chain
from keyferry.recording.append_only import AppendOnlyFile
from keyferry.text import NotJsonError, from_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_FIRST = hashlib.sha256(chain.JOURNAL.encode()).hexdigest()

Entry = dict[str, Any]
"""One line: `seq`, `at`, `kind`, what it tells, `prev`."""


def now() -> str:
    """The time as RFC 3339 UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class LoadedJournal:
    """What a journal holds. head: the hash of its last whole line; torn: bytes after that line."""

    entries: tuple[Entry, ...]
    head: str
    torn: int


def read(path: Path) -> LoadedJournal:
    """Read a journal and verify its chain. CheckFailedError names the first line that is not as it was written.

    A last line without its newline was never finished, so nothing that it tells was begun: it does not count.
    """
    files.reject_special(path, hint="take the run's folder from a copy")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", hint="name the run's directory") from error
    whole, _, torn = data.rpartition(b"\n")
    entries, head = [], _FIRST
    for number, line in enumerate(whole.split(b"\n") if whole else (), start=1):
        entry = _parsed(line)
        if entry is None or (entry.get("seq"), entry.get("prev")) != (number, head):
            raise _edited(path, number)
        entries.append(entry)
        head = hashlib.sha256(line + b"\n").hexdigest()
    return LoadedJournal(tuple(entries), head, len(torn))


def _parsed(line: bytes) -> Entry | None:
    try:
        entry = from_json(line)
    except NotJsonError:
        return None
    return entry if isinstance(entry, dict) else None


def _edited(path: Path, number: int) -> CheckFailedError:
    return CheckFailedError(
        f"{path}: line {number} is not as it was written: the chain breaks here",
        keys="nothing was typed to any tool; what this journal says of the keys cannot be trusted",
        hint="take the journal from a copy, or look at both sides by hand",
    )


class Journal:
    """What was about to be done and what came of it: append-only, chained by hash, one writer, on the disk.

    Each line is a JSON object whose `prev` is the SHA-256 of the line before it (of a fixed text, for the first).
    `write`, of whatever thread, returns only when the line is durable. JournalHeldError where another run writes.
    It is the anchor of the run's sessions (`transcript.recorder.Anchor`).
    """

    def __init__(self, path: Path, *, create: bool = True) -> None:
        self.path = path
        self._torn = 0
        self._closed = False
        self._failed: RecordFailedError | None = None
        self._banners: set[str] = set()
        # The main thread, which alone a signal interrupts, may find it taken by itself: it goes on then.
        self._lock = threading.RLock()
        self._file = os.open(path, (os.O_CREAT if create else 0) | os.O_WRONLY | os.O_APPEND, 0o600)
        if not _locked(self._file):
            os.close(self._file)
            raise JournalHeldError(
                f"{path}: another run holds this journal",
                keys="nothing was changed",
                hint=f"`keyferry status {path.parent} --watch` follows it to its end",
            )
        self._lines = AppendOnlyFile(self._file, (0, _FIRST))

    @classmethod
    def reopen(cls, path: Path) -> tuple[Journal, LoadedJournal]:
        """Lock a journal that goes on, and verify its chain. A last line that was never finished is cut off by
        the first `write`.
        """
        try:
            path.chmod(0o600)  # a completed run's files cannot be written
            journal = cls(path, create=False)
        except OSError as error:
            raise UsageError(f"{path} cannot be opened: {error.strerror}", hint="name the run's directory") from error
        try:
            found = read(path)
        except BaseException:
            journal.close()
            raise
        whole = os.fstat(journal._file).st_size - found.torn
        journal._lines = AppendOnlyFile(journal._file, (len(found.entries), found.head), whole)
        journal._torn = found.torn
        return journal, found

    @property
    def head(self) -> str:
        """The hash of the last line."""
        return self._lines.state[1]

    @property
    def failed(self) -> bool:
        """Whether a line could not be written: then there is none after it, and the last one may be torn."""
        return self._failed is not None

    @property
    def count(self) -> int:
        """How many lines there are."""
        return self._lines.state[0]

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Other threads wait with their lines."""
        with self._lock:
            yield

    def opened(self, file: str, header: str) -> None:
        self.write("opened", file=f"sessions/{file}", header=header)

    def greeted(self, file: str, banner: str) -> None:
        """Once for each banner: cmu tells the same at each call."""
        if banner not in self._banners:
            self._banners.add(banner)
            self.note("banner", file=f"sessions/{file}", banner=banner)

    def closed(self, file: str, head: str, count: int) -> None:
        if not self._failed:  # the tools are being left; that the record has failed was said where it happened
            self.note("closed", file=f"sessions/{file}", head=head, count=count)

    def write(self, kind: str, **what: object) -> None:
        """Add one line and wait until it is on the disk; RecordFailedError where it cannot be."""
        self._add(kind, what, durable=True)

    def note(self, kind: str, **what: object) -> None:
        """Add a line that nothing waits for: the next one that is written puts it on the disk too."""
        self._add(kind, what, durable=False)

    def _add(self, kind: str, what: Mapping[str, object], *, durable: bool) -> None:
        if self._failed:  # a torn line is the end of a journal, even if there is space again
            raise self._failed
        with self._lock, self._failing():
            if self._torn:
                self._cut()
            self._lines.complete()
            count, head = self._lines.state
            line = chain.journal_line({"seq": count + 1, "at": now(), "kind": kind, **what, "prev": head})
            self._lines.add(line, (count + 1, hashlib.sha256(line).hexdigest()))
            if durable:
                self._lines.to_disk()

    @contextlib.contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._failed = RecordFailedError(
                f"the journal {self.path} cannot be written: {error.strerror}",
                keys="nothing more was typed to any tool",
                hint="free space or mend the folder, then `keyferry resume` this run",
            )
            raise self._failed from error

    def _cut(self) -> None:
        os.ftruncate(self._file, self._lines.size)  # twice, where a signal comes between, does no harm
        self._torn = 0

    def close(self) -> None:
        """What nothing waited for is put on the disk too. A second time is none: another file may have the number."""
        if self._closed:
            return
        self._closed = True
        try:
            if not self._failed:
                with self._failing():
                    self._lines.complete()
                    self._lines.to_disk()
        finally:
            os.close(self._file)


def _locked(file: int) -> bool:
    """Take the one writer's lock; False where another has it. Who only looks (`is_held`) has one for a moment, too."""
    while not _flock(file, fcntl.LOCK_EX):
        if not _flock(file, fcntl.LOCK_SH):
            return False
        fcntl.flock(file, fcntl.LOCK_UN)
    return True


def _flock(file: int, how: int) -> bool:
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_held(path: Path) -> bool:
    """Whether a run writes this journal now, as far as this user may know."""
    if not path.is_file():
        return False  # a pipe would be waited for without end; who reads it next says what it is
    try:
        with path.open("rb") as file:
            return not _flock(file.fileno(), fcntl.LOCK_SH)
    except OSError:  # as NotADirectoryError; who reads it next says why it cannot be read
        return False


_TEXTS = ("act", "file", "host", "sha256", "where")


def check_texts(entry: Entry) -> None:
    """Raise TypeError if a field that is a text or null wherever it stands is something else."""
    if not all(isinstance(entry.get(name), str | None) for name in _TEXTS):
        raise TypeError
