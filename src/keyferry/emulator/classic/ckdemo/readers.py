from __future__ import annotations

import re
from typing import TYPE_CHECKING

from keyferry.emulator.terminal import EndOfInputError

if TYPE_CHECKING:
    from keyferry.emulator.terminal import Terminal

PIN_LENGTH = 29
_JAMMED_READS = 2000  # the real tool never stops; a rehearsal has to
_ODD = "\nYou must enter an even number of hexadecimal digits.\n>"
_NOT_HEX = "\nYou must enter an hexadecimal number of digits from 0 to f.\n>"


class Reader:
    """Answers as the real tool takes them (reference, section 4). EndOfInputError where input ends."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._jammed = 0
        self.echo = False

    def number(self, prompt: str, low: int, high: int) -> int:
        """Asks until the answer begins with a number from `low` to `high`."""
        while True:
            digits = re.match(rb"-?\d{1,4000}", self.text(prompt))  # Python makes no number of more than 4,300
            if digits is None:
                prompt = f"\nYou must enter a number between {low} and {high}: "
            elif low <= int(digits[0]) <= high:
                return int(digits[0])
            else:
                prompt = f"\nThe acceptable range is from {low} and {high}: "

    def text(self, prompt: str) -> bytes:
        """One line: leading blanks lost, trailing ones kept, comment lines (`#`) passed over."""
        self._terminal.write(prompt)
        while (line := self._line().lstrip()).startswith(b"#"):
            pass
        return line

    def hexadecimal(self, prompt: str) -> bytes:
        while True:
            digits = self.text(prompt)
            if re.fullmatch(rb"[0-9a-fA-F]*", digits) is None:
                prompt = _NOT_HEX
            elif len(digits) % 2:
                prompt = _ODD
            else:
                return bytes.fromhex(digits.decode())

    def pin(self, prompt: str, *, masked: bool) -> bytes:
        """One raw line, of which the buffer takes 29 characters; a longer line jams every later read."""
        self._terminal.write(prompt)
        line = self._terminal.read_masked(b"*") if masked else self._line()
        self._jammed = int(len(line) > PIN_LENGTH)
        return line[:PIN_LENGTH]

    def _line(self) -> bytes:
        if self._jammed:
            return self._nothing()
        line = self._terminal.read_line()
        if self.echo:
            self._terminal.write(line + b"\n")
        return line

    def _nothing(self) -> bytes:
        """What a stream in its failed state gives, again and again."""
        self._terminal.flush()
        self._jammed += 1
        if self._jammed > _JAMMED_READS:
            raise EndOfInputError
        return b""
