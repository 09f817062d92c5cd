from __future__ import annotations

import contextlib
import io
import os
import re
import sys
from typing import TYPE_CHECKING, Any, TextIO, cast

from keyferry.errors import KeyferryError

if TYPE_CHECKING:
    from collections.abc import Callable


_SIZES = ("COLUMNS", "LINES", "TERMINAL_WIDTH")
_SIZE = re.compile("[1-9][0-9]{0,3}")


def mend_environment() -> None:
    """Drop a terminal's size that is no number: the libraries that draw tables would fail on it."""
    for name in _SIZES:
        if not _SIZE.fullmatch(os.environ.get(name, "80")):
            del os.environ[name]


def mend() -> None:
    """Make the standard streams such that none of them can harm a run, and none shows a traceback.

    One that is closed is opened on nothing, for the journal would get its number, and what dies writes to number 2.
    stderr may break: then what was to be shown is lost, and nothing else. Where stdout does, main tells it.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            nothing = open(os.devnull, mode, encoding="utf-8")  # noqa: SIM115 - open as long as the process
            os.set_inheritable(nothing.fileno(), True)
            setattr(sys, name, nothing)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # labels in a locale that has no such letters
    sys.stdout = cast("TextIO", _Stream(sys.stdout, _cannot_be_told))
    sys.stderr = cast("TextIO", _Stream(sys.stderr, lambda _error: None))


class _Stream:
    """A text stream, but for what happens where it cannot be written."""

    def __init__(self, stream: TextIO, failed: Callable[[OSError], None]) -> None:
        self._stream, self._failed = stream, failed

    def write(self, text: str) -> int:
        try:
            self._stream.write(text)
        except OSError as error:
            self._failed(error)
        return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            self._failed(error)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever a text stream has
        return getattr(self._stream, name)


def _cannot_be_told(error: OSError) -> None:
    with contextlib.suppress(OSError, ValueError):  # what is buffered still is not written again at the exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):
        raise error
    raise KeyferryError(
        f"stdout cannot be written: {error.strerror}",
        keys="the command finished but its result could not be printed",
        hint="`keyferry status RUN` tells how a run stands",
    ) from error
