from __future__ import annotations

import contextlib
import os
import re
import secrets
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from keyferry.terminal.cancel import ready

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_END_LIMIT: Final = 5.0

LOOP: Final = (
    "private=; kf_over=; trap : PIPE; trap kf_over=1 HUP INT TERM; "
    "before=$(umask); umask 077; ulimit -c 0; "
    "LC_ALL=C; PATH=$PATH:/usr/bin:/bin:/usr/sbin:/sbin:/usr/local/bin; export LC_ALL PATH; "
    'while [ -z "$kf_over" ] && IFS= read -r line; do eval "$line"; done; trap "" HUP INT PIPE TERM; '
    '[ -z "$private" ] || { cd / && for kf_try in 1 2 3; do rm -rf "$private" 2>/dev/null && break; sleep 1; done; }'
)
"""What the shell on the other side runs: one line, one command.

When nobody talks to it any more, because we are done, were killed or cannot be reached, it removes the private folder
itself. So neither a signal nor an answer that nobody reads (SIGPIPE) ends it before that; and it tries again where a
tool still writes into the folder."""

_LINE: Final = (
    "printf '%%s\\n' %(mark)s; { kf_errors=$( { %(command)s; } 2>&1 1>&3 3>&- ); kf_status=$?; } 3>&1; "
    "[ $kf_status -ne 0 ] || %(then)s; "
    "printf '\\n%(mark)s %%d\\n%%s\\n%(mark)s.\\n' $kf_status \"$kf_errors\"\n"
)
"""Keeps the command's standard error apart from its output, also where the way to the host joins the two."""


class BrokenShellError(Exception):
    """The shell ended, or did not answer in time; it is never asked again. The text is what was seen of it."""


@dataclass(frozen=True, slots=True)
class ShellAnswer:
    """What one command printed, its exit status, and what it and everything it started printed on standard error."""

    status: int
    output: bytes
    errors: str = ""


class RemoteShell:
    """A POSIX shell without a terminal, on this host or another, that does one command after another.

    A marker, new each time, stands before and behind each answer: what a login shell, a banner or a start-up
    file prints never gets into one. The pipes are clean, so bytes pass as they are.
    """

    def __init__(self, argv: Sequence[str], env: Mapping[str, str]) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - read as long as this object lives
        self._come = bytearray()
        self._turn = threading.Lock()
        self.noise = b""
        """What came on standard output and was no part of an answer."""
        self._broken: str | None = None
        try:
            self._process = self._started(argv, env)
        except BaseException:
            self._errors.close()
            raise

    def _started(self, argv: Sequence[str], env: Mapping[str, str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=dict(env),
            preexec_fn=_undisturbed,  # noqa: PLW1509 - this program has one thread
            bufsize=0,
        )

    def ask(self, command: str, limit: float, then: str = ":") -> ShellAnswer:
        """Run one line of shell in a subshell, for one thread after another.

        Args:
            command: the line.
            limit: seconds within which the whole answer must come.
            then: an assignment that the shell itself makes if the command succeeds.

        Raises:
            BrokenShellError: no whole answer came within the limit.
        """
        with self._turn:
            return self._ask(command, limit, then)

    def _ask(self, command: str, limit: float, then: str) -> ShellAnswer:
        if self._broken:
            raise BrokenShellError(self._broken)
        mark = secrets.token_hex(8)
        line = _LINE % {"mark": mark, "command": command, "then": then}
        self._come.clear()
        try:
            self._write(line.encode("utf-8", "surrogateescape"))
            return self._hear(mark.encode(), time.monotonic() + limit)
        except (BrokenShellError, OSError) as error:
            self._broken = str(error) if isinstance(error, BrokenShellError) else self._end()
            self._process.kill()
            raise BrokenShellError(self._broken) from error

    @property
    def errors(self) -> str:
        """What came on standard error so far: ssh's own words, a banner, a start-up file's."""
        size = os.fstat(self._errors.fileno()).st_size
        return os.pread(self._errors.fileno(), size, 0).decode("utf-8", "replace")

    def close(self) -> None:
        """Let the shell end by itself, or by force where it does not."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            self._process.stdin.close()
        try:
            self._process.wait(_END_LIMIT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._broken = self._broken or "it was closed"
        self._errors.close()

    def _write(self, data: bytes) -> None:
        while data:
            data = data[os.write(_descriptor(self._process.stdin), data) :]

    def _hear(self, mark: bytes, end: float) -> ShellAnswer:
        pattern = re.compile(mark + rb"\n(.*)\n" + mark + rb" ([0-9]+)\n(.*)\n" + mark + rb"\.\n", re.DOTALL)
        closing = mark + b".\n"
        while True:
            searched = max(0, len(self._come) - len(closing))  # only what is new: a long answer stays linear
            self._come += self._read(end)
            if self._come.find(closing, searched) >= 0 and (found := pattern.search(self._come)):
                self.noise += self._come[: found.start()]
                return ShellAnswer(int(found[2]), bytes(found[1]), found[3].decode("utf-8", "replace"))

    def _read(self, end: float) -> bytes:
        output = _descriptor(self._process.stdout)
        if not ready(output, end - time.monotonic()):
            raise BrokenShellError(self._seen("it did not answer in time"))
        if not (data := os.read(output, 65536)):
            raise BrokenShellError(self._end())
        return data

    def _end(self) -> str:
        """How it ended, in its own words where it had some."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_LIMIT)
        return self._seen(f"it ended with status {self._process.returncode}")

    def _seen(self, otherwise: str) -> str:
        return self.errors.strip() or otherwise


def _descriptor(stream: object) -> int:
    number: Callable[[], int] = getattr(stream, "fileno")  # noqa: B009 - None only after close()
    return number()


def _undisturbed() -> None:
    """ssh keeps ignoring what was ignored at its start: an operator's Ctrl-C ends no connection in mid-command."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
