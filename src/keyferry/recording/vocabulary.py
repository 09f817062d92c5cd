"""Which secrets the tools' own output may contain by chance."""

from __future__ import annotations

import functools
import re
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keyferry.secrets import Secret

_RUN = re.compile(r"[a-z0-9]+")
_NUMBER = re.compile(r"(?:0x)?[0-9a-f]{1,12}")
"""Handles, sizes, serial numbers and pieces of hex, as a tool may print them."""
_WORDS = re.compile(r"[0-9]{0,4}(?:[a-z]{3,}[0-9]{1,4})*(?:[a-z]{3,})?")
"""Words with short numbers beside or between them, as in a function's name."""
_WORD = re.compile(r"[a-z]+")


def is_ordinary(secret: Secret) -> bool:
    """Whether a secret is made of words and numbers that the tools print and take themselves.

    Such a secret cannot be filtered from a record: the gap in a known text would show what it is.
    """
    return all(map(_is_ordinary, _RUN.findall(secret.reveal().decode("ascii").lower())))


def _is_ordinary(run: str) -> bool:
    if len(run) <= 2 or _NUMBER.fullmatch(run):
        return True
    # A part of a word is enough.
    return _WORDS.fullmatch(run) is not None and all(word in _vocabulary() for word in _WORD.findall(run))


@functools.cache
def _vocabulary() -> str:
    """All words in one text, a line for each."""
    return resources.files("keyferry.recording").joinpath("vocabulary.txt").read_text("ascii")
