from __future__ import annotations

import fcntl
import hashlib
import json
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from keyferry.errors import JournalHeldError, RecordFailedError

if TYPE_CHECKING:
    from pathlib import Path

_DOMAIN = "keyferry-journal/1"


def now() -> str:
    """The time as RFC 3339 UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Journal:
    """What was about to be done and what came of it: append-only, chained by hash, one writer, on the disk.

    Each line is a JSON object whose `prev` is the SHA-256 of the line before it (of the domain string, for
    the first). `write` returns only when the line is durable. JournalHeldError where another run writes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._head = hashlib.sha256(_DOMAIN.encode()).hexdigest()
        self._count = 0
        self._failed: RecordFailedError | None = None
        self._file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._file)
            raise JournalHeldError(f"{path}: another run holds this journal", keys="nothing was changed") from None

    @property
    def head(self) -> str:
        """The hash of the last line."""
        return self._head

    def write(self, kind: str, **what: object) -> None:
        """Add one line and wait until it is on the disk; RecordFailedError where it cannot be."""
        if self._failed:  # a torn line is the end of a journal, even if there is space again
            raise self._failed
        self._count += 1
        entry = {"seq": self._count, "at": now(), "kind": kind, **what, "prev": self._head}
        line = json.dumps(entry, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"
        try:
            self._append(line)
        except OSError as error:
            self._failed = RecordFailedError(
                f"the journal {self.path} cannot be written: {error}",
                keys="nothing more was typed to any tool",
                hint="free space or mend the folder, then look at both sides before running again",
            )
            raise self._failed from error
        self._head = hashlib.sha256(line).hexdigest()

    def _append(self, line: bytes) -> None:
        while line:
            line = line[os.write(self._file, line) :]
        os.fsync(self._file)

    def close(self) -> None:
        os.close(self._file)
