"""Commands in this process: for tests that run hundreds of them on input that may break one."""

from __future__ import annotations

import contextlib
import functools
import io
import re
from typing import TYPE_CHECKING, Any

import typer.main

from keyferry.cli import __main__ as command
from keyferry.cli.output import crash
from keyferry.errors import InternalError, KeyferryError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PYTHON = re.compile(
    r"\b(?:None|True|False)\b|Errno|Traceback|\bobject at 0x|<class|\w(?:Error|Exception)\b|codec can't|invalid literal"
    r"|Expecting|Extra data|Unterminated|Invalid control|unhashable"
)
"""What only a Python programmer understands."""


@functools.cache
def _all() -> Any:
    command._register(["--help"])
    return typer.main.get_command(command.app)


def defect(words: Sequence[object]) -> str | None:
    """Run a command. Return what is wrong with how it ended, or None: any of Keyferry's own errors will do."""
    with _muted():
        try:
            _all().main([str(word) for word in words], standalone_mode=False)
        except KeyferryError as error:
            return f"an internal error: {error.__cause__!r}" if isinstance(error, InternalError) else _unclear(error)
        except Exception as error:  # noqa: BLE001 - that is what the tests look for
            if "click" in type(error).__module__ or crash.known(error):
                return None
            return f"{type(error).__name__}: {error}"
    return None


def _unclear(error: KeyferryError) -> str | None:
    told = "\n".join(filter(None, (error.what, error.keys, error.hint, error.rule)))
    found = PYTHON.search(told)
    return f"says {found.group()!r}: {told}" if found else None


@contextlib.contextmanager
def _muted() -> Iterator[None]:
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", "backslashreplace") for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        yield
