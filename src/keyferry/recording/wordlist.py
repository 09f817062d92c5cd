"""A hash as words for reading aloud: BIP-39 with the English list, as wallets and ceremonies use it.

`english.txt` is the list of the Bitcoin Improvement Proposal 39, taken from the package `mnemonic` 0.21 of
SatoshiLabs (MIT licence, (c) 2013-2016 Pavol Rusnak): 2,048 words, each told by its first four letters.
"""

from __future__ import annotations

import hashlib
from importlib import resources

_BITS = 11  # of one word


def spoken(head: str) -> list[str]:
    """24 words for 64 hex digits; the last one holds a checksum, so a word that was misheard shows."""
    data = bytes.fromhex(head)
    checksum = hashlib.sha256(data).digest()[0]
    number = int.from_bytes(data + bytes([checksum]))
    count = (len(data) + 1) * 8 // _BITS
    words = resources.files("keyferry.recording").joinpath("english.txt").read_text("ascii").split()
    return [words[number >> _BITS * place & (1 << _BITS) - 1] for place in reversed(range(count))]
