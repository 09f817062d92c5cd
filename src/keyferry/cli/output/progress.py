from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from keyferry.cli.output.render import console
from keyferry.events import Bus, Event, KeyFinished, KeysPlanned, Noticed, StepStarted
from keyferry.text import printable

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


@contextmanager
def shown(bus: Bus) -> Iterator[None]:
    """Show events on stderr: the steps as they go, a bar for the keys on a terminal, else a line for each key.

    The bar starts with the first event: secrets are asked for before that, on a screen that nothing redraws.
    """
    if not sys.stderr.isatty():
        lines(bus)
        yield
        return
    bar = _Bar()
    bus.join(bar)
    try:
        yield
    finally:
        bar.stop()


def lines(bus: Bus) -> None:
    """Show events on stderr as plain lines, for a command that asks questions while tools run."""
    bus.join(_Lines())


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
                return f"      {crossing} of {total} keys can be migrated"
            case KeyFinished(name, state, rule):
                return f"      {printable(name)}: {state.replace('_', ' ')}{f' ({rule})' if rule else ''}"
            case Noticed(text):
                return f"      note: {printable(text)}"


class _Bar:
    """A live progress bar, which redraws the last line of the screen from the first event on."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._lines = _Lines()
        self._task: TaskID | None = None

    def __call__(self, event: Event) -> None:
        progress = self._started()
        if isinstance(event, KeysPlanned):
            self._task = progress.add_task("keys", total=event.total)
        elif isinstance(event, KeyFinished) and self._task is not None:
            progress.advance(self._task)
        if (line := self._lines.line(event)) and not isinstance(event, KeyFinished):
            progress.console.print(line)

    def stop(self) -> None:
        """Remove the bar and show the cursor again."""
        if self._progress is not None:
            self._progress.stop()

    def _started(self) -> Progress:
        if self._progress is None:
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn  # noqa: PLC0415 - start-up

            columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
            self._progress = Progress(*columns, console=console(stderr=True), transient=True)
            self._progress.start()
        return self._progress
