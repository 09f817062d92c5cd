"""One JSON document on stdout for `--json`, also if a command fails before its run folder exists."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keyferry.cli.output import crash, render
from keyferry.errors import KeyferryError
from keyferry.migration.results import not_begun

if TYPE_CHECKING:
    from collections.abc import Callable


def with_document(command: Callable[..., None], **more: object) -> Callable[..., None]:
    """Wrap a command that prints `keyferry.run/2`: an error that it raises is printed as such a document, too.

    Args:
        command: a command with `json`; if it is about a run that exists, with `run`.
        more: fields of its document besides, or instead of, those of `keyferry.run/2`.
    """

    @functools.wraps(command)
    def run(**arguments: Any) -> None:  # noqa: ANN401 - whatever typer parsed
        try:
            command(**arguments)
        except (KeyferryError, OSError, MemoryError) as error:
            told = error if isinstance(error, KeyferryError) else crash.known(error)
            if arguments["json"] and told and not isinstance(error, BrokenPipeError):
                folder: Path | None = arguments.get("run")
                render.document(not_begun(told, folder and folder.absolute()) | more)
            raise

    return run
