"""The last resort: an exception that is none of ours becomes one sentence and an exit code."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import traceback

from keyferry.cli import render
from keyferry.errors import InternalError, KeyferryError, UsageError
from keyferry.secrets import without_secrets

_UNCHANGED = "no run was open, so nothing was changed"
WANTED = "KEYFERRY_TRACEBACK"
_NOT_MAPPED = "failed to map segment"  # of a library that there is no memory for
_EXHAUSTED = {
    errno.EMFILE: "this process may not open more files: raise its limit (`ulimit -n`)",
    errno.ENFILE: "the system cannot open more files: close other programs",
    errno.ENOMEM: "the system has no memory left: close other programs",
    errno.EAGAIN: "the system cannot start more processes: close other programs, or raise the limit (`ulimit -u`)",
}


def report(error: BaseException) -> int:
    """Report an unexpected exception on stderr and return the exit code. KEYFERRY_TRACEBACK=1 adds the traceback."""
    if os.environ.get(WANTED) == "1":
        with contextlib.suppress(MemoryError):
            text = "".join(traceback.format_exception(error))
            sys.stderr.write(without_secrets(text.encode("utf-8", "backslashreplace").decode()))
    return render.report(_known(error) or _internal(error))


def _internal(error: BaseException) -> KeyferryError:
    if isinstance(error, InternalError):
        return error
    told = InternalError()
    told.what, told.keys = "an error in Keyferry itself", "no run was open, so no key was in flight"
    told.hint = f"report it with the output of the same command under {WANTED}=1"
    return told


def _known(error: BaseException) -> KeyferryError | None:
    """An exception that the system is the cause of, outside a run."""
    if isinstance(error, MemoryError) or (isinstance(error, ImportError) and _NOT_MAPPED in str(error)):
        what = "Keyferry was refused more memory: raise the limit (`ulimit -v`) or close other programs"
    elif isinstance(error, OSError) and error.errno in _EXHAUSTED:
        what = _EXHAUSTED[error.errno]
    elif isinstance(error, FileNotFoundError) and not _has_folder():
        what = "the current directory does not exist any more"
        return UsageError(what, keys=_UNCHANGED, hint="change to a directory that exists")
    else:
        return None
    return KeyferryError(what, keys=_UNCHANGED)


def _has_folder() -> bool:
    try:
        os.getcwd()
    except FileNotFoundError:
        return False
    return True
