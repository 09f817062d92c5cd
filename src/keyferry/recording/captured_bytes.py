"""The bytes of a captured screen, as a file holds them, made into text."""

from __future__ import annotations

import codecs

from keyferry.errors import UnknownScreenError

_MARKS = (  # UTF-32 is not read: its mark begins like UTF-16's
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CHARACTERS_TO_A_NUL = 4  # in the text of a tool, where a NUL stands at the end of some lines


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
