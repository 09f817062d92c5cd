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
        bus.join(_Lines())
        yield
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn  # noqa: PLC0415 - start-up

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, console=console(stderr=True), transient=True) as progress:
        bus.join(_Bar(progress))
        yield


class _Lines:
    """Events as lines; a step that comes for each key is told the first time."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def __call__(self, event: Event) -> None:
        if line := self.line(event):
            sys.stderr.write(line + "\n")

    def line(self, event: Event) -> str | None:
        match event:
            case StepStarted(number, title):
                if number in self._told:
                    return None
                self._told.add(number)
                return f"{number if number[0].isdecimal() and number != '0' else '':>4}  {title}"
            case KeysPlanned(total, crossing):
                return f"      {crossing} of {total} keys can cross"
            case KeyFinished(name, state, rule):
                return f"      {printable(name)}: {state.replace('_', ' ')}{f' ({rule})' if rule else ''}"
            case Noticed(text):
                return f"      note: {printable(text)}"


class _Bar:
    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._lines = _Lines()
        self._task: TaskID | None = None

    def __call__(self, event: Event) -> None:
        if isinstance(event, KeysPlanned):
            self._task = self._progress.add_task("keys", total=event.total)
        elif isinstance(event, KeyFinished) and self._task is not None:
            self._progress.advance(self._task)
        if (line := self._lines.line(event)) and not isinstance(event, KeyFinished):
            self._progress.console.print(line)
