"""What all parsers share: a screen as a terminal gives it, made into lines."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING

from keyferry.errors import UnknownScreenError
from keyferry.text import last_lines
from keyferry.transcript.hints import UNKNOWN_SCREEN

if TYPE_CHECKING:
    from collections.abc import Iterable

_MARKS = (  # UTF-32 is not read: its mark begins like UTF-16's
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CHARACTERS_TO_A_NUL = 4  # in the text of a tool, where a NUL stands at the end of some lines
_STARS_ONLY = re.compile(r"\*+")


def decoded(data: bytes) -> str:
    """A captured screen as text: UTF-8 or, with its byte order mark, UTF-16; bytes that are no UTF-8 are kept.

    Raises:
        UnknownScreenError: the bytes cannot be the text of a tool.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            try:
                return data[len(mark) :].decode(encoding, "surrogateescape" if encoding == "utf-8" else "strict")
            except UnicodeDecodeError:
                raise _no_text(
                    f"they begin with a mark of {encoding.upper()} and are not whole {encoding.upper()}"
                ) from None
    if len(data) - data.count(0) < data.count(0) * _CHARACTERS_TO_A_NUL:
        raise _no_text("they hold as many NULs as UTF-16 does, without its byte order mark")
    return data.decode("utf-8", "surrogateescape")


def _no_text(why: str) -> UnknownScreenError:
    return UnknownScreenError(
        f"these bytes are not the text of a tool: {why}",
        hint="save the screen as UTF-8, or as UTF-16 with its byte order mark (PowerShell's `>` does)",
    )


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
