"""What the utilities share of stdio: cooked input lines, output flushed only before a read, echo switched off."""

from __future__ import annotations

import contextlib
import os
import sys
import termios
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_STDIN, _STDOUT, _STDERR = 0, 1, 2


class EndOfInputError(Exception):
    """Nothing more can be read from standard input."""


class Terminal:
    """Bytes in, bytes out, with a C program's buffering: output appears when the program reads, or ends."""

    def __init__(self) -> None:
        self.drips = False
        """Whether output leaves one byte at a time, as over a bad line."""
        self._out = bytearray()
        self._in = bytearray()

    def write(self, text: str | bytes) -> None:
        self._out += text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text

    def flush(self) -> None:
        while self._out:
            del self._out[: os.write(_STDOUT, self._out[:1] if self.drips else self._out)]

    def complain(self, text: str) -> None:
        """Text for standard error, at once, behind what was printed before it."""
        self.flush()
        os.write(_STDERR, text.encode("utf-8", "surrogateescape"))

    def read_line(self) -> bytes:
        """One line without its newline; flushes first. EndOfInputError at the end of input."""
        self.flush()
        while b"\n" not in self._in:
            if not (chunk := self._read()):
                raise EndOfInputError
            self._in += chunk
        line, _, rest = bytes(self._in).partition(b"\n")
        self._in = bytearray(rest)
        return line

    def read_key(self) -> bytes:
        """One byte, as soon as it is typed; flushes first where none waits. EndOfInputError at the end of input."""
        if not self._in:
            self.flush()
            self._in += self._read()
        if not self._in:
            raise EndOfInputError
        return bytes([self._in.pop(0)])

    @property
    def has_typed(self) -> bool:
        """Whether something typed is read already and waits."""
        return bool(self._in)

    @contextlib.contextmanager
    def raw(self) -> Iterator[None]:
        """Keys one by one, none echoed, and none that the terminal itself makes something of."""
        self.flush()
        before = termios.tcgetattr(_STDIN)
        keys = list(before)
        keys[0] = int(keys[0]) & ~(termios.ICRNL | termios.IXON)
        keys[3] = int(keys[3]) & ~(termios.ECHO | termios.ICANON | termios.ISIG | termios.IEXTEN)
        termios.tcsetattr(_STDIN, termios.TCSADRAIN, keys)
        try:
            yield
        finally:
            self.flush()
            termios.tcsetattr(_STDIN, termios.TCSADRAIN, before)

    @contextlib.contextmanager
    def echo_off(self) -> Iterator[None]:
        """Switch the tty's echo off meanwhile; what was printed before appears first, as with the real tools."""
        self.flush()
        if not os.isatty(_STDIN):
            yield
            return
        before = termios.tcgetattr(_STDIN)
        quiet = list(before)
        quiet[3] = int(quiet[3]) & ~termios.ECHO
        termios.tcsetattr(_STDIN, termios.TCSANOW, quiet)
        try:
            yield
        finally:
            termios.tcsetattr(_STDIN, termios.TCSANOW, before)

    def read_masked(self, star: bytes) -> bytes:
        """One line typed with echo off, `star` printed for each character (nothing if empty), then a newline."""
        with self.echo_off():
            line = self.read_line()
        self.write(star * len(line) + b"\n")
        self.flush()
        return line

    @staticmethod
    def _read() -> bytes:
        try:
            return os.read(_STDIN, 65536)
        except OSError:  # EIO: the other end of the pty is gone
            return b""


def leave(terminal: Terminal, status: int) -> None:
    """End the process the way a C program does: what is buffered appears first."""
    with contextlib.suppress(OSError):
        terminal.flush()
    sys.exit(status)
