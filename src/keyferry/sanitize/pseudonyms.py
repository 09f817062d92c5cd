"""Names of a recording's own in the place of those that identify a site."""

from __future__ import annotations

import hashlib
import math
import re
import string
from typing import TYPE_CHECKING

from keyferry.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_HEX = re.compile(r"[0-9a-f]+|[0-9A-F]+")
_MODULUS = 128
"""Hex digits from which on a number keeps its first two digits (its bits) and its last (it stays odd)."""
_LONGEST_HANDLE = len(str(2**64 - 1))
_HIGHEST_TYPED = "10000"  # ckdemo takes no higher handle, so no other number becomes this one
_LETTERS = string.ascii_lowercase
_FOREIGN = {
    2: "".join(map(chr, range(0xE0, 0xF0))),
    3: "".join(map(chr, range(0x4E00, 0x4E10))),
    4: "".join(map(chr, range(0x20000, 0x20010))),
}
"""Characters outside ASCII, by their length in UTF-8."""
_NO_TEXT = "".join(map(chr, range(0xDCF8, 0xDD00)))  # bytes (PEP 383) that are never UTF-8, whatever stands beside


class Pseudonyms:
    """An alias for each token: of the same length in characters and in bytes, each character of its kind.

    Digits stay digits, letters letters of their case, hex stays hex, all other ASCII stays as it is; a number has
    no new leading zero, a handle stays below 2^64 and on its side of what ckdemo can read. A token that is another
    one's bytes in hex stays so, for a tool may show one name in both ways. No two tokens share an alias, and none
    is another token where there is room. Which alias a token has depends on the order of the tokens and on their
    kinds, never on what they say, so it tells nothing of them.
    """

    def __init__(self, tokens: Iterable[str]) -> None:
        self._tokens = dict.fromkeys(tokens)
        self._taken: set[str] = set()
        self._aliases: dict[str, str] = {}
        spelled = {token: plain for token in self._tokens if (plain := _spelled(token)) in self._tokens}
        for order, token in enumerate(self._tokens):
            if token not in spelled:
                self._give(token, self._choose(token, order))
        for order, token in enumerate(spelled):
            alias = self._aliases.get(spelled[token], "").encode("utf-8", "surrogateescape").hex()
            alias = alias.upper() if token.isupper() else alias
            self._give(token, alias if alias and alias not in self._taken else self._choose(token, order))

    def __getitem__(self, token: str) -> str:
        return self._aliases[token]

    def __len__(self) -> int:
        return len(self._aliases)

    def __iter__(self) -> Iterator[str]:
        return iter(self._aliases)

    def _give(self, token: str, alias: str) -> None:
        self._aliases[token] = alias
        self._taken.add(alias)

    def _choose(self, token: str, order: int) -> str:
        pools = _pools(token)
        for others in (self._tokens.keys(), ()):
            for candidate in _candidates(pools, order):
                if candidate not in self._taken and candidate not in others and _pools(candidate) == pools:
                    return candidate
        raise UsageError("more names of one length and kind than that many characters can tell apart")


def _spelled(token: str) -> str | None:
    """The text whose bytes a token is in hex, as ckdemo shows a name that is not all printable; None for no hex."""
    if len(token) % 2 or not _HEX.fullmatch(token):
        return None
    return bytes.fromhex(token).decode("utf-8", "surrogateescape")


def _candidates(pools: list[str], order: int) -> Iterator[str]:
    """All texts of these characters, from a place that the order decides."""
    size = math.prod(map(len, pools))
    start = int.from_bytes(hashlib.shake_256(str(order).encode()).digest(len(pools) + 8))
    for step in range(size):
        yield _spell((start + step) % size, pools)


def _spell(number: int, pools: list[str]) -> str:
    text = ""
    for pool in reversed(pools):
        number, place = divmod(number, len(pool))
        text = pool[place] + text
    return text


def _pools(token: str) -> list[str]:
    """For each character those that may stand in its place; equal for tokens of one kind."""
    letters = _LETTERS[:6] if _HEX.fullmatch(token) else _LETTERS
    pools = [_pool(char, letters) for char in token]
    if token.isdecimal() and token.isascii():
        pools[: len(_first_digits(token))] = _first_digits(token)
    elif len(token) >= _MODULUS and _HEX.fullmatch(token):
        pools[:2], pools[-1] = token[:2], token[-1]
    return pools


def _pool(char: str, letters: str) -> str:
    if char.isascii():
        kinds = (string.digits, letters, letters.upper())
        return next((kind for kind in kinds if char in kind), char)
    return _NO_TEXT if "\udc80" <= char <= "\udcff" else _FOREIGN[len(char.encode())]


def _first_digits(number: str) -> list[str]:
    """What a number's first digits may be, so that it stays the kind of number that it is."""
    if number == _HIGHEST_TYPED:
        return list(number)
    if len(number) == _LONGEST_HANDLE:
        return ["1", "01234567"]
    return ["0"] if number.startswith("0") else [string.digits[1:]]
