"""What a tool with a line editor of its own sends: text that is drawn, moved about in, and drawn again."""

from __future__ import annotations

import re

_PIECE = re.compile(
    rb"(?P<text>[^\x00-\x1f\x7f]+)"
    rb"|\x1b\[(?P<parameters>[0-?]*)[ -/]*(?P<final>[@-~])"
    rb"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # a window's title, a link
    rb"|\x1b[()][0-9A-Z]|\x1b[=>]"  # character sets, the keypad
    rb"|\x1b(?P<cursor>[78])"
    rb"|(?P<control>[^\x1b])",
    re.DOTALL,
)
_UNFINISHED = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*|\][^\x07\x1b]*\x1b?|[()])?\Z")
_WITHOUT_TRACE = frozenset(b"mhlqutnc")
"""Colours, modes (bracketed paste), the cursor's shape, and questions to the terminal, which stay unanswered."""


class UnknownSequenceError(Exception):
    """An escape sequence whose effect on the screen is not known here."""


class Row:
    """Makes of the stream what a terminal shows of it. Only the last row can change; those above it are done.

    Cells are bytes: what is typed to such a tool is ASCII, and what it answers it only appends. width: of a
    terminal that goes on at the next line where a row is full: those lines are one row here.
    """

    def __init__(self, width: int | None = None) -> None:
        self._width = width
        self._cursor = 0
        self._saved = 0
        self._unfinished = b""

    def feed(self, shown: bytearray, data: bytes) -> None:
        """Draw on `shown`, whose last row this is. UnknownSequenceError for what cannot be drawn."""
        data = self._unfinished + data
        self._unfinished, place = b"", 0
        while place < len(data):
            piece = _PIECE.match(data, place)
            if piece is None:
                if not _UNFINISHED.match(data, place):
                    raise UnknownSequenceError(repr(data[place : place + 12]))
                self._unfinished = data[place:]
                return
            self._draw(shown, piece)
            place = piece.end()

    def end(self, shown: bytearray) -> int:
        """Where the cursor stands: what is behind it is a hint of the editor, not text."""
        return min(start_of_row(shown) + self._cursor, len(shown))

    def forget(self, shown: bytearray, *, row: bool = False) -> None:
        """Drop the rows above, or (row) all."""
        del shown[: len(shown) if row else start_of_row(shown)]
        self._cursor = 0 if row else self._cursor

    def _draw(self, shown: bytearray, piece: re.Match[bytes]) -> None:
        if piece["text"]:
            self._write(shown, piece["text"])
        elif piece["control"]:
            self._obey(shown, piece["control"])
        elif piece["final"]:
            self._edit(shown, piece["final"], piece["parameters"])
        elif piece["cursor"] == b"7":
            self._saved = self._cursor
        elif piece["cursor"] == b"8":
            self._cursor = self._saved

    def _obey(self, shown: bytearray, control: bytes) -> None:
        if control == b"\n":
            shown += control
            self._cursor = 0
        elif control == b"\r":
            self._cursor -= self._cursor % self._width if self._width else self._cursor
        elif control == b"\b":
            self._cursor = max(0, self._cursor - 1)
        elif control not in b"\0\a":
            self._write(shown, control)

    def _edit(self, shown: bytearray, final: bytes, parameters: bytes) -> None:
        if final[0] in _WITHOUT_TRACE:
            return
        digits = parameters.split(b";")[0]
        if digits and not digits.isdigit():
            raise UnknownSequenceError(f"ESC [ {(parameters + final).decode()}")
        count = int(digits or 0)
        place = self._place(shown)
        match final:
            case b"A" if self._width and self._cursor >= self._width * max(1, count):
                self._cursor -= self._width * max(1, count)
            case b"C":
                self._cursor += max(1, count)
            case b"D":
                self._cursor = max(0, self._cursor - max(1, count))
            case b"G":
                self._cursor = max(1, count) - 1
            case b"P":
                del shown[place : place + max(1, count)]
            case b"@":
                shown[place:place] = b" " * max(1, count)
            case b"X":
                shown[place : place + max(1, count)] = b" " * len(shown[place : place + max(1, count)])
            case b"K" | b"J" if count == 0:
                del shown[place:]
            case b"K" if count == 2:
                del shown[start_of_row(shown) :]
            case _:
                raise UnknownSequenceError(f"ESC [ {(parameters + final).decode()}")

    def _write(self, shown: bytearray, text: bytes) -> None:
        place = self._place(shown)
        shown[place : place + len(text)] = text
        self._cursor += len(text)

    def _place(self, shown: bytearray) -> int:
        """The cursor's place, the row made as long as that."""
        start = start_of_row(shown)
        shown += b" " * (start + self._cursor - len(shown))
        return start + self._cursor


def start_of_row(shown: bytearray) -> int:
    return shown.rfind(b"\n") + 1


def drawn(data: bytes, width: int | None = None) -> bytes:
    """A whole capture as a terminal would show it in the end."""
    shown = bytearray()
    Row(width).feed(shown, data)
    return bytes(shown)
