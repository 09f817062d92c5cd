"""What a tool with a line editor of its own sends: text that is drawn, moved about in, and drawn again."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from keyferry.terminal.prompts import WINDOW
from keyferry.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable

_PIECE = re.compile(
    rb"(?P<text>[^\x00\x07\x08\n\r\x1b]+)"  # a tab is a cell of its own
    rb"|\x1b\[(?P<parameters>[0-?]*)[ -/]*(?P<final>[@-~])"
    rb"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # a window's title, a link
    rb"|\x1b[()][0-9A-Z]|\x1b[=>]"  # character sets, the keypad
    rb"|\x1b(?P<cursor>[78])"
    rb"|(?P<control>[\x00\x07\x08\n\r])",
    re.DOTALL,
)
_UNFINISHED = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*|\][^\x07\x1b]*\x1b?|[()])?\Z")
_WITHOUT_TRACE = frozenset(b"mhlqutnc")
"""Colours, modes (bracketed paste), the cursor's shape, questions to the terminal (of which ASKED is answered)."""

ASKED = b"\x1b[6n"
"""Where is the cursor? An editor that asks this may wait for the answer without end."""
RULE = "CURSOR-ASKED"
"""Under this name the question is taken out of the record: a terminal on which it was played would answer again."""
_TOLD_ROW = 1
_DIGITS = 4
"""Of a column or count in an escape sequence. No terminal has more than 9,999 columns."""
_LONGEST_SEQUENCE = 4096
_LONGEST_EDITED = 64 * 1024
"""Bytes of a row behind the cursor that may be moved. A longer row can only be appended to."""
_LARGEST = 16 * 2**20
"""Bytes on the screen, including the blanks between the row's end and the cursor."""
_SECRET_ASKED = re.compile(rb": *\Z")


class UnknownSequenceError(Exception):
    """An escape sequence whose effect on the screen is not known here."""


class ScreenRow:
    """Makes of the stream what a terminal shows of it. Only the last row can change; those above it are done.

    Cells are bytes: what is typed to such a tool is ASCII, and what it answers it only appends. width: of a
    terminal that goes on at the next line where a row is full: those lines are one row here.
    """

    def __init__(self, width: int | None = None, *, captured: bool = False) -> None:
        self._width = width
        self._captured = captured
        self._cursor = 0
        self._saved = 0
        self._start: int | None = None  # of the row; searched for only where it is not known
        self._unfinished = b""
        self._at: int | None = None  # the screen's row, as far as the tool names one
        self._may_move = captured
        self.replies: list[bytes] = []
        """What a terminal says to the questions that came; whoever is the terminal sends it, and empties this."""

    def feed(self, shown: bytearray, data: bytes) -> None:
        """Draw on `shown`, whose last row this is. UnknownSequenceError for what cannot be drawn."""
        data = self._unfinished + data
        self._unfinished, place = b"", 0
        while place < len(data):
            piece = _PIECE.match(data, place)
            if piece is None:
                if not _UNFINISHED.match(data, place) or len(data) - place > _LONGEST_SEQUENCE:
                    raise _unknown(data[place + 1 : place + 12])
                self._unfinished = data[place:]
                return
            self._draw(shown, piece)
            place = piece.end()

    def end(self, shown: bytearray) -> int:
        """Where the cursor stands: what is behind it is a hint of the editor, not text."""
        return min(self.start(shown) + self._cursor, len(shown))

    def start(self, shown: bytearray) -> int:
        """Return where the row starts."""
        if self._start is None:
            self._start = shown.rfind(b"\n") + 1
        return self._start

    def forget(self, shown: bytearray, *, row: bool = False) -> None:
        """Drop the rows above, or (row) all."""
        del shown[: len(shown) if row else self.start(shown)]
        self._start = 0
        self._cursor = 0 if row else self._cursor

    def forget_line(self, shown: bytearray) -> None:
        """Drop the first line, but not the newline that ends it."""
        del shown[: shown.index(b"\n")]
        self._start = None

    def _draw(self, shown: bytearray, piece: re.Match[bytes]) -> None:
        if piece["text"]:
            self._write(shown, piece["text"])
        elif piece["control"]:
            self._obey(shown, piece["control"])
        elif piece["final"] == b"n" and piece["parameters"] == b"6":
            self._tell(shown)
        elif piece["final"] == b"H":
            self._move(piece["parameters"])
        elif piece["final"]:
            self._edit(shown, piece["final"], piece["parameters"])
        elif piece["cursor"] == b"7":
            self._saved = self._cursor
        elif piece["cursor"] == b"8":
            self._cursor = self._saved

    def _obey(self, shown: bytearray, control: bytes) -> None:
        if control == b"\n":
            shown += control
            self._start = len(shown)
            self._cursor = 0
            self._at = None if self._captured else self._at
        elif control == b"\r":
            self._cursor -= self._cursor % self._width if self._width else self._cursor
        elif control == b"\b":
            self._cursor = max(0, self._cursor - 1)

    def _edit(self, shown: bytearray, final: bytes, parameters: bytes) -> None:
        if final[0] in _WITHOUT_TRACE:
            return
        digits = parameters.split(b";")[0]
        place = self._place(shown)
        movable = final not in b"P@" or len(shown) - place <= _LONGEST_EDITED
        if (digits and not digits.isdigit()) or len(digits) > _DIGITS or not movable:
            raise _unknown(b"[ " + parameters + final)
        count = int(digits or 0)
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
                del shown[self.start(shown) :]
            case _:
                raise _unknown(b"[ " + parameters + final)

    def _tell(self, shown: bytearray) -> None:
        """Behind a question for a secret nothing is said: it would be typed."""
        if not _SECRET_ASKED.search(shown, max(self.start(shown), len(shown) - WINDOW)):
            self.replies.append(b"\x1b[%d;%dR" % (_TOLD_ROW, self._cursor + 1))
            self._may_move = True
            self._at = self._at if self._captured else _TOLD_ROW

    def _move(self, parameters: bytes) -> None:
        """To a place of the screen: of the row that the tool was told; in a capture, of whichever this one is."""
        place = re.fullmatch(rb"(\d{0,%d});?(\d{0,%d})" % (_DIGITS, _DIGITS), parameters)
        row = int(place[1] or 1) if place else None
        if not self._may_move or place is None or row != (self._at or row):
            raise _unknown(b"[ " + parameters + b"H")
        self._at, self._cursor = row, max(1, int(place[2] or 1)) - 1

    def _write(self, shown: bytearray, text: bytes) -> None:
        place = self._place(shown)
        shown[place : place + len(text)] = text
        self._cursor += len(text)

    def _place(self, shown: bytearray) -> int:
        """The cursor's place, the row made as long as that."""
        place = self.start(shown) + self._cursor
        if place > _LARGEST:
            raise UnknownSequenceError(f"a screen of more than {_LARGEST} bytes")
        shown += b" " * (place - len(shown))
        return place


def _unknown(sequence: bytes) -> UnknownSequenceError:
    """sequence: what follows the escape character."""
    shown = printable(sequence.decode("utf-8", "backslashreplace"))
    return UnknownSequenceError(f"an unknown escape sequence: ESC {shown[:40]}")


def drawn(data: bytes, width: int | None = None) -> bytes:
    """A whole capture as a terminal would show it in the end."""
    shown = bytearray()
    ScreenRow(width, captured=True).feed(shown, data)
    return bytes(shown)


class CursorQueryFilter:
    """Writes a stream to the record less the editor's questions for the cursor; `cut` hears where one stood."""

    def __init__(self, write: Callable[[bytes], None], cut: Callable[[str, int], None]) -> None:
        self._write, self._cut = write, cut
        self._held = b""

    def feed(self, data: bytes) -> None:
        """What may become a question is kept back."""
        *before, last = (self._held + data).split(ASKED)
        for piece in before:
            self._write(piece)
            self._cut(RULE, len(ASKED))
        kept = next((size for size in range(len(ASKED) - 1, 0, -1) if last.endswith(ASKED[:size])), 0)
        self._held = last[len(last) - kept :]
        self._write(last[: len(last) - kept])

    def flush(self) -> None:
        held, self._held = self._held, b""
        self._write(held)
