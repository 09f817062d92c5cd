from __future__ import annotations

import base64
import contextlib
import json
import os
import time
from typing import TYPE_CHECKING, NamedTuple, Protocol

from keyferry.errors import RecordFailedError
from keyferry.recording import chain
from keyferry.recording.append_only import AppendOnlyFile
from keyferry.recording.banner import banner
from keyferry.recording.redactor import Redactor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from keyferry.secrets import Secret

WIDTH, HEIGHT = 1000, 50
_LARGEST_FILE = 2**22  # bytes of a file that an event holds
SEAL_AFTER = 4096
"""Events after which a chain record is written even if no prompt has come: it names each of them in one line."""


class Anchor(Protocol):
    """Where a run keeps what binds its sessions."""

    @property
    def head(self) -> str:
        """The last link of the run so far."""

    def alone(self) -> AbstractContextManager[None]:
        """Within this, nobody else's words come into the run: its head stays until `opened` is said."""

    def opened(self, file: str, header: str) -> None:
        """A session began; `header`: the link of its header. Returns when that is durable."""

    def greeted(self, file: str, banner: str) -> None:
        """The tool has told its version, which the header could not have: it is written before the tool starts."""

    def closed(self, file: str, head: str, count: int) -> None:
        """A session is complete: its last link, and how many events came before the closing record."""


class _Written(NamedTuple):
    """What stands in the file: lines, the link of the last, and the number of the last that a chain record seals."""

    lines: int
    link: str
    sealed: int


class Recorder:
    """Writes one tool session as asciicast v2, while it happens (FORMAT.md).

    Codes: `o` output, `i` typed input, `m` a step of the procedure, `s` a secret's name was typed here,
    `v` a value was cut from the output here (rule and length), `b` base64 of the exact bytes of the `o`
    before it where those are not UTF-8, `f` a file of the tool was read here, `x` exit status, `h` chain
    record. Each event is in the file before the caller goes on; `sync`, at each prompt, seals what came with
    an `h` and puts it on the disk.
    RecordFailedError when it cannot be written: nothing more may be typed.
    """

    def __init__(
        self,
        path: Path,
        header: Mapping[str, object],
        secrets: Iterable[Secret] = (),
        clock: Callable[[], float] = time.monotonic,
        anchor: Anchor | None = None,
    ) -> None:
        """The header is on the disk, and its link with the anchor, before this returns."""
        self.path = path
        self._anchor = anchor
        self._redactor = Redactor(secrets)
        self._command: Redactor | None = None
        self._clock = clock
        self._start = clock()
        self._step: str | None = None
        self._links: dict[int, str] = {}
        self._undecoded = b""
        self._failed: RecordFailedError | None = None
        try:
            self._fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND, 0o600)
            self._file = AppendOnlyFile(self._fd, _Written(0, chain.START, 0))
        except OSError as error:
            raise self._failure(error) from error
        with anchor.alone() if anchor else contextlib.nullcontext():
            continues = {"continues": anchor.head} if anchor else {}
            fixed = {"version": 2, "width": WIDTH, "height": HEIGHT, "format": chain.TRANSCRIPT}
            self._line("header", chain.event_line({**fixed, **header, **continues}))
            self._to_disk(path.parent)
            if anchor:
                anchor.opened(path.name, self._written.link)

    @property
    def place(self) -> str:
        """Where the record is now: file and line."""
        return f"{self.path}:{self._written.lines}"

    @property
    def _written(self) -> _Written:
        return self._file.state

    def step(self, number: str, title: str) -> None:
        """Name the step; the marker is written with the next thing typed, so idle steps leave none."""
        self._step = f"{number} {title}"

    def output(self, data: bytes) -> None:
        """What the tool printed, key values already cut."""
        if self._command:
            data = self._command.feed(data)
        self._write_output(self._redactor.feed(data))

    def typed(self, line: bytes) -> None:
        """A line that is about to be typed; in the file before it is."""
        self.keys(line + b"\r")

    def keys(self, data: bytes) -> None:
        """What is about to be typed, perhaps before the return key: a line editor shows it first."""
        self._before_input()
        self._event("i", self.redact(_decode(data)))

    def command(self, line: bytes, secret: Secret | None = None) -> None:
        """A command is about to be typed: none of its words is taken for a secret but the one that it ends with."""
        if secret is None:
            self.spare(_decode(line))
            return
        before, _, after = line.rpartition(secret.reveal())
        self._command = Redactor.of(line, before + f"[{secret.name}]".encode() + after)

    def spare(self, *texts: str) -> None:
        """Filter no secret that occurs in one of these texts, which the record shows anyway."""
        self._redactor.spare(*texts)

    def secret(self, name: str) -> None:
        """A secret is about to be typed: its name."""
        self._before_input()
        self._event("s", name)
        self.sync()

    def cut(self, rule: str, length: int | None) -> None:
        """Something was taken out of the output here; `length` in bytes, None where even that tells."""
        self.flush()
        self._event("v", f"{rule} {'-' if length is None else length}")

    def greeted(self, text: str) -> None:
        """What the tool printed by itself, up to its first prompt."""
        if self._anchor and (told := banner(self.redact(text))):
            self._anchor.greeted(self.path.name, told)

    def file(self, name: str, size: int, digest: str | None, data: bytes | None = None) -> None:
        """Record that a file which the tool wrote was read here.

        Args:
            name: as the tool was told it.
            size: in bytes.
            digest: the file's SHA-256, None if it was not measured.
            data: what was read of the file and may be kept.
        """
        self.flush()
        kept = None if data is None or len(data) > _LARGEST_FILE else base64.b64encode(data).decode()
        told = {"name": name, "size": size, "sha256": digest, "data": kept}
        self._event("f", json.dumps(told, separators=(",", ":")))

    def exit(self, status: int | None) -> None:
        """The tool has ended; `close` comes next."""
        self.flush()
        self._event("x", "signal" if status is None else str(status))

    def redact(self, text: str) -> str:
        return self._redactor.text(self._command.text(text) if self._command else text)

    def flush(self) -> None:
        rest = self._redactor.feed(self._command.flush()) if self._command else b""
        if rest := rest + self._redactor.flush():
            self._write_output(rest)
        if self._undecoded:
            self._output_event(self._undecoded)
            self._undecoded = b""

    def sync(self) -> None:
        """Put what is written on the disk, sealed by a chain record: what a crash leaves can be checked."""
        self._complete()
        if self._written.sealed < self._written.lines:
            self._seal()
        self._to_disk()

    def close(self) -> None:
        """Complete the file with its closing record and clear its write bits."""
        if self._fd < 0:
            return
        self.flush()
        self._complete()
        count = self._written.lines - 1
        self._seal(chain.END)
        self._to_disk()
        os.fchmod(self._fd, 0o400)
        os.close(self._fd)
        self._fd = -1
        if self._anchor:
            self._anchor.closed(self.path.name, self._written.link, count)

    def _seal(self, *end: str) -> None:
        lines, link, sealed = self._written
        self._links = {number: self._links[number] for number in range(sealed + 1, lines + 1)}
        self._event("h", chain.record(lines - 1, link, self._links.values(), *end))

    def _to_disk(self, folder: Path | None = None) -> None:
        """folder: also put the file's name on the disk."""
        try:
            self._file.to_disk()
            if folder:
                sync_folder(folder)
        except OSError as error:
            raise self._failure(error) from error

    def _before_input(self) -> None:
        self.flush()
        if self._step is not None:
            self._event("m", self._step)
            self._step = None

    def _write_output(self, data: bytes) -> None:
        if not self._undecoded and data.isascii():  # as nearly always
            if data:
                self._event("o", data.decode("ascii"))
            return
        data = self._undecoded + data
        if kept := _open_sequence(data):
            self._undecoded = data[-kept:]
            data = data[:-kept]
        else:
            self._undecoded = b""
        if data:
            self._output_event(data)

    def _output_event(self, data: bytes) -> None:
        try:
            self._event("o", data.decode())
        except UnicodeDecodeError:
            self._event("o", data.decode("utf-8", "replace"))
            self._event("b", base64.b64encode(data).decode())

    def _event(self, code: str, data: str) -> None:
        if code not in "bh" and self._written.lines - self._written.sealed >= SEAL_AFTER:
            self._seal()
        self._line(code, chain.event(self._clock() - self._start, code, data))

    def _line(self, kind: str, body: bytes) -> None:
        if self._failed:  # a torn line is the end of a record, even if there is space again
            raise self._failed
        self._complete()
        lines, before, sealed = self._written
        link = self._links[lines + 1] = chain.link(chain.TRANSCRIPT, kind, before, body)
        try:
            self._file.add(body + b"\n", _Written(lines + 1, link, lines + 1 if kind == "h" else sealed))
        except OSError as error:
            raise self._failure(error) from error

    def _complete(self) -> None:
        """After a signal that stopped the run in the middle of a line."""
        try:
            self._file.complete()
        except OSError as error:
            raise self._failure(error) from error

    def _failure(self, error: OSError) -> RecordFailedError:
        self._failed = RecordFailedError(
            f"the record {self.path} cannot be written: {error.strerror}",
            keys="nothing more was typed to any tool",
            hint="free space or mend the folder, then look at both sides before running again",
        )
        return self._failed


def sync_folder(folder: Path) -> None:
    """Put the names in a folder on the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _decode(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _open_sequence(data: bytes) -> int:
    """How many bytes at the end begin a UTF-8 character whose rest has not come yet."""
    for size in range(1, min(3, len(data)) + 1):
        byte = data[-size]
        if byte & 0b1100_0000 == 0b1100_0000:
            wanted = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return size if size < wanted else 0
        if byte < 0x80:
            return 0
    return 0
