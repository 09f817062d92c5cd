"""Words of Keyferry 0.1 that have another name now."""

from __future__ import annotations

from keyferry.errors import UsageError

FORMER_SECTIONS = {"classic": "source", "cloudhsm": "destination"}
"""What Keyferry 0.1 called the sides."""


def renamed(former: str, now: str) -> UsageError:
    """A word of Keyferry 0.1 that has another name now."""
    return UsageError(f"{former} is now {now}", keys="nothing was started", hint="see CHANGELOG.md, 0.2.0")
