"""Files that somebody named, or that lie in a run. A pipe would be waited for without end, and a device never ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyferry.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


def reject_special(path: Path, *, keys: str | None = None, hint: str | None = None) -> None:
    """Raise UsageError if the path is a pipe, a socket or a device."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise UsageError(f"{path} is a pipe or a device, not a file", keys=keys, hint=hint)


def read(path: Path, *, keys: str | None = None, hint: str | None = None) -> bytes:
    """Return the content. UsageError if it cannot be read, in the system's words."""
    reject_special(path, keys=keys, hint=hint)
    try:
        return path.read_bytes()
    except OSError as error:
        where = " (a link that leads nowhere)" if path.is_symlink() and not path.exists() else ""
        raise UsageError(f"{path}: {error.strerror}{where}", keys=keys, hint=hint) from error
