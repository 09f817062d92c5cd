"""What binds a record together: each link is a SHA-256 over domain, kind, the link before and a body (FORMAT.md)."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

START = "0" * 64
"""The link before the first."""

TRANSCRIPT = "keyferry-transcript/2"
"""The domain of a session's chain, and the name of its format."""
JOURNAL = "keyferry-journal/2"
RUN = "keyferry-run/2"
"""The domains of a journal's first link and of a run's head."""


def link(domain: str, kind: str, before: str, body: bytes) -> str:
    """One link. domain and kind hold no newline and `before` is 64 hex digits, so no two inputs are one message."""
    return hashlib.sha256(f"{domain}\n{kind}\n".encode() + bytes.fromhex(before) + body).hexdigest()


END = "end"
"""The last word of a closing record."""
SHORT = 8  # digits of a line's link in a chain record


def record(count: int, last: str, lines: Iterable[str], *end: str) -> str:
    """The text of a chain record: events so far, the last link, and the start of each line's link since the last."""
    return " ".join((str(count), last, *[one[:SHORT] for one in lines], *end))


_UTF8 = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_ASCII = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def event_line(value: object) -> bytes:
    """The one form of a line of a recording, less its newline: keys in the order written, UTF-8, no blanks."""
    return _UTF8.encode(value).encode("utf-8", "replace")


def event(seconds: float, code: str, data: str) -> bytes:
    """`event_line` of an event, in a quarter of its time: thousands of them come with each key."""
    return f'[{round(seconds, 6)!r},"{code}",{_UTF8.encode(data)}]'.encode("utf-8", "replace")


def journal_line(value: object) -> bytes:
    """The one form of a line of a journal: keys in the order written, ASCII, no blanks, with its newline."""
    return _ASCII.encode(value).encode() + b"\n"
