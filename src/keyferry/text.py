from __future__ import annotations

import html
import json
import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any

_LONGEST_NAME = 300
_LONGEST = 4096
"""Characters of one line that a message shows."""


def printable(text: str) -> str:
    """The text with everything that could move a cursor or deceive a reader written as an escape."""
    return "".join(char if _harmless(char) else _escape(char) for char in text)


def typed_html(text: str) -> str:
    """What is typed, as HTML in which no line ends between the hyphen of an option and its name (class `w`)."""
    return _OPTION.sub(r'<span class="w">\g<0></span>', html.escape(printable(text)))


_OPTION = re.compile(r"(?<!\S)-+\w")


def value(found: object) -> str:
    """A value as a message shows it: text in quotes, none, true, false; never a word of the programming language."""
    if found is None:
        return "none"
    if isinstance(found, bool):
        return "true" if found else "false"
    if isinstance(found, dict):
        return ", ".join(f"{name.replace('_', ' ')} {value(one)}" for name, one in found.items()) or "none"
    if isinstance(found, list | tuple | set | frozenset):
        return ", ".join(map(value, found)) or "none"
    return repr(str(found)) if isinstance(found, str) else str(found)


def shortened(name: object) -> str:
    """The name of a file, without its middle if it is very long."""
    text = str(name)
    return text if len(text) <= _LONGEST_NAME else f"{text[: _LONGEST_NAME // 2]}...{text[-_LONGEST_NAME // 2 :]}"


def counted(count: int, noun: str) -> str:
    """`1 key`, `2 keys`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def last_lines(text: str, count: int = 12) -> str:
    """The end of a screen, made harmless, for an error message; of a line that has no end the beginning."""
    lines = text.replace("\r", "").replace("\0", "").split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    return "\n".join(map(_shown, lines[-count:]))


def _shown(line: str) -> str:
    return printable(line[:_LONGEST]) + ("..." if len(line) > _LONGEST else "")


def _harmless(char: str) -> bool:
    return char == "\t" or unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def _escape(char: str) -> str:
    if "\udc80" <= char <= "\udcff":
        return f"\\x{ord(char) - 0xDC00:02x}"  # a byte that is not UTF-8
    return char.encode("unicode_escape").decode("ascii")


class NotJsonError(ValueError):
    """A text that is not JSON; the message says why in plain words."""


def from_json(data: bytes | str, hook: Callable[[dict[str, Any]], object] | None = None) -> Any:  # noqa: ANN401
    """Parse JSON that somebody may have damaged or written by hand.

    Raises:
        NotJsonError: it is not JSON, not UTF-8, nested too deeply, or holds a number that is none.
    """
    try:
        text = data.decode() if isinstance(data, bytes) else data
        return json.loads(text, object_hook=hook, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise NotJsonError(f"not JSON from column {error.colno} on") from None
    except UnicodeDecodeError as error:
        raise NotJsonError(f"byte {error.start + 1} is not UTF-8") from None
    except RecursionError:
        raise NotJsonError("nested too deeply") from None
    except ValueError:
        raise NotJsonError("it holds a number that is too long, or none") from None


def _no_number(name: str) -> object:
    raise ValueError(name)


def canonical(value: object) -> bytes:
    """A JSON document in the one form that is hashed: sorted names, no blanks, ASCII, one final newline.

    A list or an iterator right under the top is written one element at a time: there can be thousands of keys.
    """
    if isinstance(value, dict):
        fields = (_plain(name) + b":" + _elements(value[name]) for name in sorted(value))
        return b"{" + b",".join(fields) + b"}\n"
    return _plain(value) + b"\n"


def _elements(value: object) -> bytes:
    if isinstance(value, list | Iterator):
        return b"[" + b",".join(map(_plain, value)) + b"]"
    return _plain(value)


def _plain(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, allow_nan=False, separators=(",", ":")).encode()
