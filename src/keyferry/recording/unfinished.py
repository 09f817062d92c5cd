"""A session that nobody closed, because its process died: what of it counts (FORMAT.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyferry.recording import chain
from keyferry.text import NotJsonError, from_json

if TYPE_CHECKING:
    from pathlib import Path


def measure(path: Path) -> tuple[str, int]:
    """The link of the last whole line, and how many events come before it."""
    link, count = chain.START, 0
    with path.open("rb") as file:
        for count, line in enumerate(file):
            if not line.endswith(b"\n"):
                return link, max(count - 1, 0)
            body = line[:-1]
            kind = "header" if count == 0 else _kind(body)
            link = chain.link(chain.TRANSCRIPT, kind, link, body)
    return link, count


def _kind(line: bytes) -> str:
    """The kind of an event; what is none cannot have the link that the record names."""
    try:
        return str(from_json(line)[1])
    except (NotJsonError, LookupError, TypeError):
        return ""
