from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from keyferry.cli.render import console
from keyferry.events import Bus, Event, KeyFinished, KeysPlanned, Noticed, StepStarted
from keyferry.text import printable

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


@contextmanager
def shown(bus: Bus) -> Iterator[None]:
    """Show events on stderr: the steps as they go, a bar for the keys on a terminal, else a line for each key."""
    if not sys.stderr.isatty():
        bus.join(_plain)
        yield
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn  # noqa: PLC0415 - start-up

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, console=console(stderr=True), transient=True) as progress:
        bus.join(_Bar(progress))
        yield


def _plain(event: Event) -> None:
    if line := _line(event):
        sys.stderr.write(line + "\n")


def _line(event: Event) -> str | None:
    match event:
        case StepStarted(number, title, None):
            return f"{'' if number in ('0', 'end') else number:>4}  {title}"
        case KeysPlanned(total, crossing):
            return f"      {crossing} of {total} keys can cross"
        case KeyFinished(name, state, rule, _):
            return f"      {printable(name)}: {state.replace('_', ' ')}{f' ({rule})' if rule else ''}"
        case Noticed(text):
            return f"      note: {printable(text)}"
    return None


class _Bar:
    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None

    def __call__(self, event: Event) -> None:
        if isinstance(event, KeysPlanned):
            self._task = self._progress.add_task("5.2 to 7.2", total=event.total)
        elif isinstance(event, KeyFinished) and self._task is not None:
            self._progress.advance(self._task)
        if (line := _line(event)) and not isinstance(event, KeyFinished):
            self._progress.console.print(line)
