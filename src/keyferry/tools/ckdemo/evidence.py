"""What a recording of ckdemo proves about keys: the files that were read after a key was used or wrapped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from keyferry.recording.files_read import file_read
from keyferry.tools.ckdemo import dialect

if TYPE_CHECKING:
    from keyferry.recording.reader import Event

_QUESTION = 4000  # characters at the end of what was printed in which a question is looked for


class CkdemoFacts(Protocol):
    def check_value(self, handle: str, kcv: str) -> None: ...

    def wrapped(self, handle: str, sha256: str) -> None: ...


class CkdemoEvidence:
    def __init__(self, facts: CkdemoFacts) -> None:
        self._facts = facts
        self._printed = self._used = self._wrapped = ""

    def hear(self, event: Event) -> None:
        """Raises: ValueError if an `f` event does not describe a file."""
        if event.code == "o":
            self._printed = (self._printed + event.data)[-_QUESTION:]
        elif event.code == "i":
            question = b"\n" + self._printed.rpartition("\n")[2].encode("utf-8", "replace")
            if dialect.KEY_TO_USE.compiled().search(question):
                self._used = event.data.strip()
            elif dialect.KEY_TO_WRAP.compiled().search(question):
                self._wrapped = event.data.strip()
            self._printed = ""
        elif event.code == "f":
            self._file(event)

    def end(self) -> None:
        """Nothing is left to read."""

    def _file(self, event: Event) -> None:
        found = file_read(event.data)
        if found.name == dialect.ENCRYPTED_FILE and self._used and found.data is not None:
            self._facts.check_value(self._used, found.data.hex())
        if found.name == dialect.WRAPPED_FILE and self._wrapped and found.sha256 is not None:
            self._facts.wrapped(self._wrapped, found.sha256)
        self._used = self._wrapped = ""
