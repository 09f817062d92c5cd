"""Which Keyferry made a run: only its own version reads its format, and only the same one continues it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from keyferry import __version__
from keyferry.errors import CheckFailedError, UsageError
from keyferry.run.manifest import INFO, MANIFEST
from keyferry.text import NotJsonError, from_json

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = "keyferry.run-info/2"
_FORMER = {"keyferry.run-info/1": "0.1"}


def require_current_format(run: Path) -> None:
    """Raise UsageError if an earlier Keyferry, with another format, made this run. A damaged file says nothing here."""
    made_by = _FORMER.get(str(_info(run).get("schema")))
    if made_by is None:
        return
    if (run / MANIFEST).exists():
        what, hint = "verify it with the verify.py in its folder", f"python3 {run / 'verify.py'} {run}"
    else:
        what, hint = f"finish it with {made_by}", f"install Keyferry {made_by} and run `keyferry resume {run}`"
    raise UsageError(f"{run} was made by Keyferry {made_by}; {what}", keys="nothing was typed to any tool", hint=hint)


def require_same_version(run: Path) -> None:
    """Raise CheckFailedError unless the same major and minor version began this run."""
    version = _info(run).get("keyferry")
    if not isinstance(version, str):
        raise CheckFailedError(
            f"{run / INFO} does not say which Keyferry began the run",
            keys="nothing was typed to any tool",
            hint="take the run directory from a copy",
        )
    if _series(version) != _series(__version__):
        raise CheckFailedError(
            f"{run} was begun by Keyferry {version}, and this is {__version__}",
            keys="nothing was typed to any tool",
            hint=f"an unfinished run is continued by the version that began it: install Keyferry {_series(version)}",
        )


def _series(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _info(run: Path) -> dict[str, Any]:
    path = run / INFO
    if not path.is_file():  # a pipe would be waited for without end
        return {}
    try:
        value = from_json(path.read_bytes())
    except (OSError, NotJsonError):
        return {}
    return value if isinstance(value, dict) else {}
