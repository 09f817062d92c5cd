from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from keyferry.sanitize.pseudonyms import Pseudonyms
from keyferry.sanitize.vocabulary import is_distinctive

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from keyferry.sanitize.identifiers import Span

_WORD = re.compile(r"[^\W_]+")
_WRAP = re.compile(r"([ \t\r]*\n[ \t]*)")  # where a terminal or a tool broke a long value


@dataclass(frozen=True, slots=True)
class Marked:
    """A text and the spans in it that hold names, in order and apart."""

    text: str
    spans: Sequence[Span]

    def names(self) -> Iterator[str]:
        for start, end in self.spans:
            yield _WRAP.sub("", self.text[start:end])


class Replacements:
    """Gives every name of some texts its alias: in its spans, and wherever else a distinctive one stands."""

    def __init__(self, texts: Iterable[Marked]) -> None:
        self._aliases = Pseudonyms(name for text in texts for name in text.names())
        self._by_first_word = _by_first_word(self._aliases)

    @property
    def count(self) -> int:
        """How many names there are."""
        return len(self._aliases)

    def apply(self, marked: Marked) -> str:
        """The text with aliases, as long as before."""
        out, place, text = [], 0, marked.text
        for (start, end), name in zip(marked.spans, marked.names(), strict=True):
            out += [self._elsewhere(text, place, start), _wrapped(text[start:end], self._aliases[name])]
            place = end
        return "".join(out) + self._elsewhere(text, place, len(text))

    def _elsewhere(self, text: str, start: int, end: int) -> str:
        """What lies between two spans, with an alias for each distinctive name in it."""
        out, place = [], start
        for word in _WORD.finditer(text, start, end):
            for offset, name in self._by_first_word.get(word.group(), ()):
                at = word.start() - offset
                if at >= place and _stands_at(text, name, at, end):
                    out += [text[place:at], self._aliases[name]]
                    place = at + len(name)
                    break
        return "".join(out) + text[place:end]


def _by_first_word(names: Iterable[str]) -> dict[str, list[tuple[int, str]]]:
    """Distinctive names by their first word, with where it stands in them; longer ones first."""
    found: dict[str, list[tuple[int, str]]] = {}
    for name in sorted(filter(is_distinctive, names), key=len, reverse=True):
        if word := _WORD.search(name):
            found.setdefault(word.group(), []).append((word.start(), name))
    return found


def _stands_at(text: str, name: str, start: int, end: int) -> bool:
    """Whether the name stands there and its last word ends with it."""
    after = start + len(name)
    if after > end or not text.startswith(name, start):
        return False
    return after == len(text) or not (_WORD.match(name[-1]) and _WORD.match(text, after))


def _wrapped(text: str, alias: str) -> str:
    """The alias, broken where the text is."""
    out, place = [], 0
    for number, piece in enumerate(_WRAP.split(text)):
        if number % 2:
            out.append(piece)
        else:
            out.append(alias[place : place + len(piece)])
            place += len(piece)
    return "".join(out)
