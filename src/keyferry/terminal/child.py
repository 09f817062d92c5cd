from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import termios
import time
from typing import TYPE_CHECKING

import pexpect

from keyferry.terminal.cancel import ready

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

# The stubs know `spawn` as generic; the class itself is not.
if TYPE_CHECKING:
    _Spawn = pexpect.spawn[bytes]
else:
    _Spawn = pexpect.spawn

READ_SIZE = 65536
"""Bytes of one read; replays try 1 and 7."""

LARGEST_ANSWER = 8 * 2**20
"""A tool that prints more than this in one answer is not understood (reliability, fact 9)."""

SEND_LIMIT = 30.0
"""Seconds in which a program must read what is typed."""

_STEP = 0.002


class AnswerTooLargeError(Exception):
    """More came than any answer of these tools holds."""


class Child(_Spawn):
    """A program on a pty, its read path owned by us: every byte passes `tap` before it is matched.

    pexpect's `logfile` is not used: when its write fails the bytes are lost (reliability, fact 3).
    """

    flag_eof = False
    """pexpect hands this on to ptyprocess, which then waits without a limit for a program that closed its
    terminal but lives on. It stays here instead; `wait_end` waits with one."""

    def __init__(
        self,
        argv: Sequence[str],
        cwd: Path,
        env: Mapping[str, str],
        tap: Callable[[bytes], bytes],
        read_size: int,
    ) -> None:
        self._tap = tap
        self._read_size = read_size
        self.answer_size = 0
        super().__init__(
            argv[0],
            list(argv[1:]),
            timeout=None,
            maxread=read_size,
            cwd=str(cwd),
            env=dict(env),
            encoding=None,
            preexec_fn=_private,
            dimensions=(50, 1000),
            use_poll=True,
        )
        self.delaybeforesend = None
        self.delayafterread = None
        self.ptyproc.delayafterclose = 0  # type: ignore[attr-defined] # missing in the stubs

    def read_within(self, seconds: float) -> bytes:
        """What comes next, as `tap` leaves it; pexpect.TIMEOUT or EOF where nothing does."""
        data = self._come(seconds)
        self.answer_size += len(data)
        if self.answer_size > LARGEST_ANSWER:
            raise AnswerTooLargeError
        return self._tap(data)

    def _come(self, seconds: float) -> bytes:
        if seconds > 0:  # pexpect's own wait heeds nobody, and is the dearer
            ready(self.child_fd, seconds)
        data: bytes = self.read_nonblocking(self._read_size, 0)
        return data

    def send(self, s: str | bytes) -> int:
        """Type all of the data; pexpect.TIMEOUT if the program does not read it within SEND_LIMIT seconds."""
        data = s.encode() if isinstance(s, str) else s
        size, end = len(data), time.monotonic() + SEND_LIMIT
        poll = select.poll()
        poll.register(self.child_fd, select.POLLOUT)
        os.set_blocking(self.child_fd, False)
        try:
            while data:
                if not poll.poll(max(0.0, end - time.monotonic()) * 1000):
                    raise pexpect.TIMEOUT(f"{len(data)} bytes left")
                with contextlib.suppress(BlockingIOError):
                    data = data[os.write(self.child_fd, data) :]
        finally:
            os.set_blocking(self.child_fd, True)
        return size

    def has_more(self, within: float = 0) -> bool:
        """Whether bytes wait to be read now, or come within so many seconds; a program's end is no bytes."""
        poll = select.poll()
        poll.register(self.child_fd, select.POLLIN)
        return any(event & select.POLLIN for _fd, event in poll.poll(within * 1000))

    def wait_end(self, within: float) -> bool:
        """Wait until the program has ended, its status still to be read; False if it lives on."""
        try:
            handle = os.pidfd_open(self.pid or 0)
        except OSError:  # it is gone already
            return True
        try:
            return bool(select.select([handle], [], [], within)[0])
        finally:
            os.close(handle)

    def wait_echo_off(self, within: float) -> bool:
        """Wait until the program has switched the terminal's echo off; False if it has not by then.

        pexpect's `waitnoecho` looks ten times a second. Output does not end this wait, for it is read later.
        """
        end = time.monotonic() + within
        while _echoes(self.child_fd):
            left = end - time.monotonic()
            if left <= 0:
                return False
            select.select([], [], [], min(_STEP, left))
        return True


def _echoes(descriptor: int) -> bool:
    try:
        return bool(termios.tcgetattr(descriptor)[3] & termios.ECHO)
    except termios.error:  # the program is gone; the next read says so
        return False


_DEFAULT_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGPIPE, signal.SIGTERM)
"""What a child may have inherited as ignored (nohup, a background job, Python's own SIGPIPE). A tool that ignores the
hang-up outlives Keyferry, reads the end of its input for ever and stays logged in."""


def _private() -> None:
    for number in _DEFAULT_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
