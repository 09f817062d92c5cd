"""The last resort: an exception that is none of ours becomes one sentence and an exit code."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback

from keyferry.cli.output import render
from keyferry.errors import InternalError, KeyferryError, UsageError, exhausted
from keyferry.secrets import without_secrets
from keyferry.text import shortened

_UNCHANGED = "no run was open, so nothing was changed"
WANTED = "KEYFERRY_TRACEBACK"


def report(error: BaseException) -> int:
    """Report an unexpected exception on stderr and return the exit code. KEYFERRY_TRACEBACK=1 adds the traceback."""
    if os.environ.get(WANTED) == "1":
        with contextlib.suppress(MemoryError):
            text = "".join(traceback.format_exception(error))
            sys.stderr.write(without_secrets(text.encode("utf-8", "backslashreplace").decode()))
    return render.report(known(error) or _internal(error))


def _internal(error: BaseException) -> KeyferryError:
    if isinstance(error, InternalError):
        return error
    told = InternalError(error)
    told.keys = "no run was open, so no key was in flight"
    return told


def known(error: BaseException) -> KeyferryError | None:
    """An exception that the system is the cause of, outside a run."""
    if what := exhausted(error):
        return KeyferryError(what, keys=_UNCHANGED)
    if isinstance(error, FileNotFoundError) and not _has_folder():
        what = "the current directory does not exist any more"
        return UsageError(what, keys=_UNCHANGED, hint="change to a directory that exists")
    if isinstance(error, OSError) and isinstance(error.filename, str | bytes | os.PathLike) and error.strerror:
        name = os.fsdecode(error.filename)
        return UsageError(f"{shortened(name)}: {error.strerror}", keys=_UNCHANGED)
    return None


def _has_folder() -> bool:
    try:
        os.getcwd()
    except FileNotFoundError:
        return False
    return True
