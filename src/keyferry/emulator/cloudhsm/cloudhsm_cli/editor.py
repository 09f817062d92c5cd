"""The line editor of cloudhsm-cli. Which one it has is not known: one like readline is assumed, in several manners."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from keyferry.emulator.terminal import EndOfInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from keyferry.emulator.jitter import Jitter
    from keyferry.emulator.terminal import Terminal

_PASTE_ON, _PASTE_OFF = "\x1b[?2004h", "\x1b[?2004l"
_ERASE, _WHERE = "\x1b[K", "\x1b[6n"
_RETURN, _BACK, _INTERRUPT, _END, _ESCAPE = (b"\r", b"\n"), (b"\x7f", b"\x08"), b"\x03", b"\x04", b"\x1b"


class Editor:
    """Reads lines at the prompt. Without a terminal, or in the manner `cooked`, nothing is edited."""

    def __init__(self, terminal: Terminal, jitter: Jitter, commands: Sequence[str], prompt: Callable[[], str]) -> None:
        self._terminal = terminal
        self._commands = commands
        self._manner = jitter.pick("line-editor", "append", "cooked", "redraw", "hint", "asks")
        colour = jitter.pick("prompt-colour", "", "\x1b[1m", "\x1b[38;5;39m")
        self._colour = colour if self._manner != "cooked" else ""
        self._prompt = prompt
        self._place = "\r"
        self._end = jitter.pick("line-end", f"\n{_PASTE_OFF}\r", f"{_PASTE_OFF}\n", "\n")

    def read_line(self) -> bytes:
        if self._manner == "cooked" or not os.isatty(0):
            self._terminal.write(self._coloured)
            return self._terminal.read_line()
        with self._terminal.raw():
            self._terminal.write(_PASTE_ON)
            line = self._edit()
            self._terminal.write(self._end)
        return line

    @property
    def _coloured(self) -> str:
        return f"{self._colour}{self._prompt()}\x1b[0m" if self._colour else self._prompt()

    def _edit(self) -> bytes:
        line = bytearray()
        self._place = self._asked() if self._manner == "asks" else "\r"
        self._draw(line, b"")
        while (key := self._terminal.read_key()) not in _RETURN:
            if key == _END and not line:
                raise EndOfInputError
            if key == _ESCAPE:
                self._skip_sequence()
            elif key in _BACK:
                del line[-1:]
            elif key == _INTERRUPT:
                line.clear()
            else:
                line += key
            self._draw(line, key)
        if self._manner == "hint":
            self._terminal.write(_ERASE)
        return bytes(line)

    def _draw(self, line: bytearray, key: bytes) -> None:
        """What appears after a key; an editor that draws anew does so when no more is typed at once."""
        append = self._manner not in ("redraw", "asks") and key >= b" " and key not in _BACK
        if append:
            self._terminal.write(key)
        elif not self._terminal.has_typed:
            self._terminal.write(f"{self._place}{_ERASE}{self._coloured}")
            self._terminal.write(bytes(line))
            self._terminal.write(f"{self._place}\x1b[{len(self._prompt()) + len(line)}C")
        if self._manner == "hint":
            self._hint(line.decode("utf-8", "replace"))

    def _hint(self, typed: str) -> None:
        """The rest of the first command that begins so, behind the cursor."""
        rest = next((name[len(typed) :] for name in self._commands if name.startswith(typed) and name != typed), "")
        self._terminal.write(_ERASE + (f"\x1b[2m{rest}\x1b[0m\x1b[{len(rest)}D" if rest else ""))

    def _asked(self) -> str:
        """The sequence back to where the terminal says that the cursor is; without an answer nothing goes on."""
        self._terminal.write(_WHERE)
        answer = b""
        while not answer.endswith(b"R"):
            answer += self._terminal.read_key()
        row, _, column = answer.rpartition(b"[")[2].removesuffix(b"R").partition(b";")
        return f"\x1b[{int(row)};{int(column)}H"

    def _skip_sequence(self) -> None:
        """An arrow key or the like: none of them means anything here."""
        if self._terminal.read_key() in (b"[", b"O"):
            while self._terminal.read_key() < b"@":
                pass
