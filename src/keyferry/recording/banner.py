from __future__ import annotations

import re

_VERSION = re.compile(r"\bv(?:ersion)?[ :]*\d+\.\d+", re.IGNORECASE)
_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\))")


def banner(greeting: str) -> str | None:
    """The first line of what a tool printed by itself that tells a version; None for a tool that tells none."""
    return next((line.strip() for line in plain(greeting).splitlines() if _VERSION.search(line)), None)


def plain(text: str) -> str:
    """Without escape sequences, and as a record shows bytes that are not UTF-8."""
    return _SEQUENCE.sub("", text).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
