"""What all parsers share: a screen as a terminal gives it, made into lines."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from keyferry.errors import UNKNOWN_SCREEN, UnknownScreenError
from keyferry.text import last_lines

if TYPE_CHECKING:
    from collections.abc import Iterable

_STARS_ONLY = re.compile(r"\*+")


def clean(text: str) -> str:
    """The text without NUL and carriage returns: line ends become one newline."""
    # A run of carriage returns is looked at once, from its start: what a hostile tool sends stays linear.
    return re.sub(r"(?<!\r)\r+\n", "\n", text.replace("\0", "")).replace("\r", "\n")


def lines(text: str) -> list[str]:
    """The lines of a screen that say something, blanks at both ends taken off."""
    return [line.strip() for line in clean(text).split("\n") if line.strip()]


def without_stars(found: Iterable[str]) -> list[str]:
    """The lines less those of stars only, as a hidden prompt leaves them."""
    return [line for line in found if not _STARS_ONLY.fullmatch(line)]


def unknown(tool: str, verb: str, why: str, line: str = "") -> UnknownScreenError:
    """The error of a screen that is not understood; it shows the line."""
    shown = f": {last_lines(line)}" if line and "\n" not in line.strip() else ""
    return UnknownScreenError(
        f"{tool} {verb}: {why}{shown}",
        tool=tool,
        seen=last_lines(line) or None,
        hint=UNKNOWN_SCREEN,
    )
