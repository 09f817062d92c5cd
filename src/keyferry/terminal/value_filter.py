from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

RULE = "VALUE-NEVER-SHOWN"

_COMPONENTS = ("value", "private_exponent", "prime_1", "prime_2", "exponent_1", "exponent_2", "coefficient")
NAMES = frozenset(
    (prefix + name).encode()
    for component in _COMPONENTS
    for name in (component, component.replace("_", ""))
    for prefix in ("", "cka_")
)
"""Attributes that hold key material, as ckdemo (`CKA_VALUE=`) and cmu (`value=`) name them."""

_BEGINNINGS = frozenset(name[:size] for name in NAMES for size in range(len(name) + 1))
_SHORTEST = min(map(len, NAMES))
_PIECE = re.compile(rb"[^\r\n\t]+|[\r\n\t]+")


class ValueFilter:
    """VALUE-NEVER-SHOWN: cuts key values out of a stream before anything records, parses or shows them.

    A value begins with its attribute's name at the start of a line or of a tab-separated column, then `=`
    or `:`, and ends with the line or column. `cut` is told the length of each value taken out, in bytes.
    Only what may yet become such a name is kept back, so a prompt always comes through.
    """

    def __init__(self, cut: Callable[[int], None]) -> None:
        self._cut = cut
        self._column: bytearray | None = bytearray()  # the undecided start of a column; None when decided
        self._named = False  # the column holds a whole name
        self._value: int | None = None  # bytes of the value being cut; None outside a value

    def feed(self, chunk: bytes) -> bytes:
        out = bytearray()
        for piece in _pieces(chunk):
            if piece[0] in b"\r\n\t":
                self._end_column(out)
                out += piece
            elif self._value is not None:
                self._value += len(piece)
            elif self._column is None:
                out += piece
            elif not self._column and _begins_no_name(piece):
                out += piece
                self._column = None
            elif self._named and not piece.strip(b" "):
                self._column += piece  # a name is still waiting for its sign
            else:
                self._decide(self._column, piece, out)
        return bytes(out)

    def flush(self) -> bytes:
        """What was kept back at the end of the stream; a value cut short is reported, not given out."""
        out = bytearray()
        self._end_column(out)
        return bytes(out)

    def _decide(self, column: bytearray, piece: bytes, out: bytearray) -> None:
        column += piece
        name, sign, rest = _split(bytes(column))
        self._named = name.strip(b" ").lower() in NAMES
        if sign and name.strip(b" ").lower() in NAMES:
            out += name + sign
            self._value, self._column = len(rest), None
        elif sign or not _may_become(name):
            out += column
            self._column = None
        elif not column.strip(b" "):
            # Blanks pass, and a name is still looked for behind them: a prompt that ends in blanks is seen.
            out += column
            column.clear()

    def _end_column(self, out: bytearray) -> None:
        if self._value is not None:
            self._cut(self._value)
        out += self._column or b""
        self._column, self._value, self._named = bytearray(), None, False


def _pieces(chunk: bytes) -> list[bytes]:
    """The chunk in runs without an end of column, and runs of such ends."""
    return _PIECE.findall(chunk)


def _begins_no_name(piece: bytes) -> bool:
    """Whether the first letters alone tell: so most of what a tool prints is let through."""
    return piece.lstrip(b" ")[:_SHORTEST].lower() not in _BEGINNINGS


def _split(column: bytes) -> tuple[bytes, bytes, bytes]:
    places = [place for place in (column.find(b"="), column.find(b":")) if place >= 0]
    if not places:
        return column, b"", b""
    first = min(places)
    return column[:first], column[first : first + 1], column[first + 1 :]


def _may_become(text: bytes) -> bool:
    stripped = text.lstrip(b" ").lower()
    return stripped in _BEGINNINGS or stripped.rstrip(b" ") in NAMES
