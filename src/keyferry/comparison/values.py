"""Whether two texts say the same, values that may differ from run to run aside."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from keyferry.report.model import SOURCE
from keyferry.sanitize import identifiers
from keyferry.sanitize.replace import Marked

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from keyferry.sanitize.identifiers import Span

_CHANGING = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d[\d:.]*Z?|(?<=UTC Time -> )\d+|(?<=\(free / total\) -> )[\d /]+|(?<=attributes-)\d+"
    r"|(?<=\(count/max\) -> )[\d /]+|(?<=\"key-length-bytes\": )\d{4}"
)
"""What differs from one moment to the next: times, free memory, sessions, numbers of our own files, and how many bytes
a private key's encoding takes (no key that crosses has a thousand).
"""
_VALUES = re.compile(
    r"\d+(?=\.wrapped\b)|(?<=classic_wrap_)[0-9a-f]{8}(?!\w)|"
    r"(?<![\w.])(?![0-9a-f]{4}0{12}\b)(?:(?:0x)?[0-9a-f]{8,}|\d{5,})(?![\w.])|(?<=Node id )\d+",
    re.IGNORECASE,
)
"""Handles in names of files, a run's id in the label of its wrapping pair, hashes, numbers of nodes, and numbers that
are too long to be a count or a code.

A number that ckdemo shows as the bytes of a CK_ULONG (class, type, length) is none.
"""
_CHOICE = re.compile(r"[(\[]\s*(\d+)[)\]]\s*([^()\[\]\n]+?)(?=\s*[(\[\n]|\s{2,}|$)")
_NUMBERED = re.compile(r"^[ \t]*(\d+) - ([^\n]+?)(?:\s{2,}|:|$)", re.MULTILINE)


class Pairing:
    """Learns which value of one run stands for which of the other, and holds both to it.

    A handle, serial, check value or hash may be another one in the other run, but the same one everywhere.
    names: what must be the same in both, as the keys' labels are.
    """

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names
        self._there: dict[tuple[str, str], str] = {}
        self._back: dict[tuple[str, str], str] = {}

    def same(self, ours: Marked, theirs: Marked, side: str) -> bool:
        """Whether the texts are the same but for values, and these stand for each other as before.

        side: whose handles the numbers are; each HSM numbers its own.
        """
        if _between(ours) != _between(theirs):
            return False
        pairs = zip(_values(ours, side), _values(theirs, side), strict=True)
        # Every pair is learnt, also behind one that does not hold.
        return False not in [self._paired(one, other, where) for (one, where), (other, _where) in pairs]

    def _paired(self, one: str, other: str, side: str) -> bool:
        if {one, other} & self._names:
            return one == other
        there, back = self._there.setdefault((side, one), other), self._back.setdefault((side, other), one)
        return (there, back) == (other, one)


def marked_line(line: str, question: str) -> Marked:
    line = _steady(line)
    return _marked(line, identifiers.in_line(line, question) or identifiers.in_arguments(line.replace(" ", "\n")))


def marked_output(text: str) -> Marked:
    text = _steady(text)
    return _marked(text, identifiers.in_output(text))


def choices(screen: str) -> dict[str, str]:
    """What the numbers of a menu stand for: `(60) Wrap key`, `[26]RSA_OAEP`, `15 - CKA_WRAP`."""
    found = [*_CHOICE.findall(screen), *_NUMBERED.findall(screen)]
    return {number: " ".join(name.split()) for number, name in found}


def _steady(text: str) -> str:
    return _CHANGING.sub("0", text)


def _marked(text: str, spans: Sequence[Span]) -> Marked:
    return Marked(text, identifiers.outermost(text, [*spans, *(found.span() for found in _VALUES.finditer(text))]))


def _values(marked: Marked, side: str) -> Iterator[tuple[str, str]]:
    """Each value and whose it is: a number is a handle of its side, in a wrapped file's name one of the source's."""
    for (_start, end), value in zip(marked.spans, marked.names(), strict=True):
        own = SOURCE if marked.text.startswith(".wrapped", end) else side
        yield value, own if value.isdecimal() else ""


def _between(marked: Marked) -> list[str]:
    """What stands between the values, blanks squeezed."""
    return list(_pieces(marked))


def _pieces(marked: Marked) -> Iterator[str]:
    place = 0
    for start, end in [*marked.spans, (len(marked.text), len(marked.text))]:
        yield " ".join(marked.text[place:start].split())
        place = end
