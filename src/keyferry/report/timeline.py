"""What was done, step by step: from the recordings what was typed, from the journal what was moved."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING

from keyferry.recording.damage import JOURNAL
from keyferry.recording.turns import turns
from keyferry.report.load import number, text
from keyferry.report.model import BOTH, DESTINATION, SOURCE, Command, Place, Step, TimelineEntry
from keyferry.steps import TITLES
from keyferry.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from keyferry.recording.turns import Turn
    from keyferry.report.load import Cast, JournalLine, RunFiles, Table

SOURCE_TOOLS = frozenset({"vtl", "cmu", "ckdemo"})
_ROUNDING = 0.002  # seconds by which the times of a recording and of the journal may disagree
_BOTH_SIDES = frozenset({"0", "3", "6", "end"})


def acts(run: RunFiles, names: Mapping[int, str]) -> list[TimelineEntry]:
    """Everything that was done, in the order of time. names: the keys' names in the recordings, by handle."""
    owners = _Owners(run.journal, names)
    found = [act for cast in run.casts for act in _typed(cast, owners)]
    return sorted([*found, *_moved(run.journal)], key=lambda act: act.at)


def steps(every: Sequence[TimelineEntry]) -> Iterator[Step]:
    """The documented steps. Of those that come for each key, the acts of the first key only stand here."""
    for step in dict.fromkeys([*TITLES, *(act.step for act in every)]):
        mine = [act for act in every if act.step == step]
        keys = list(dict.fromkeys(act.key for act in mine if act.key is not None))
        yield Step(
            number=step,
            title=TITLES.get(step, ""),
            side=side_of(step),
            first=mine[0].at if mine else None,
            last=max(map(_end, mine)) if mine else None,
            busy=round(sum(act.seconds for act in mine), 3),
            keys=len(keys),
            acts=tuple(act for act in mine if act.key is None or act.key == keys[0]),
        )


def side_of(step: str) -> str:
    return BOTH if step in _BOTH_SIDES else SOURCE if step[:1] in ("4", "5") else DESTINATION


def started(recording_header: Table) -> datetime:
    """When a session started; the beginning of time where it does not say."""
    try:
        return datetime.fromisoformat(str(recording_header.get("started"))).astimezone(UTC)
    except ValueError:
        return datetime.fromtimestamp(number(recording_header, "timestamp") or 0, UTC)


def _typed(cast: Cast, owners: _Owners) -> Iterator[TimelineEntry]:
    header = cast.recording.header
    tool, start = text(header, "tool") or "?", started(header)
    every = list(turns(cast.recording))
    usual = Counter(turn.question for turn in every).most_common(1)[0][0]
    for (step, name), group in groupby(every, key=lambda turn: (turn.step, turn.key)):
        said = list(group)
        at = _time(start, said[0].at)
        yield TimelineEntry(
            step=step,
            key=None if name is None else owners.of(name, _time(start, said[0].at + _ROUNDING)),
            side=SOURCE if tool in SOURCE_TOOLS else DESTINATION,
            tool=tool,
            at=at,
            seconds=round(max(0.0, said[-1].until - said[0].at), 3),
            commands=tuple(_command(turn, usual) for turn in said),
            place=Place(cast.name, said[0].first, said[-1].last),
        )


def _command(turn: Turn, usual: str) -> Command:
    return Command("" if turn.question == usual else turn.question.strip(), turn.typed)


def _moved(journal: Sequence[JournalLine]) -> Iterator[TimelineEntry]:
    """Steps 3 and 6 type nothing: the journal has them."""
    for entry in journal:
        if text(entry.data, "act") == "move" and text(entry.data, "kind") == "done":
            key = number(entry.data, "key")
            said = Command("", f"move {text(entry.data, 'file')}")
            step = "3" if key is None else "6"
            at, place = text(entry.data, "at") or "", Place(JOURNAL, entry.line, entry.line)
            yield TimelineEntry(step, key, BOTH, "keyferry", at, 0.0, (said,), place)


class _Owners:
    """Which key a step is for: by the name in the marker and, where keys share one, by the journal's times."""

    def __init__(self, journal: Sequence[JournalLine], names: Mapping[int, str]) -> None:
        self._handles: dict[str, list[int]] = {}
        for handle, name in names.items():
            self._handles.setdefault(name, []).append(handle)
        self._begun: dict[int, str] = {}
        for entry in journal:
            key = number(entry.data, "key")
            if key is not None and text(entry.data, "kind") == "intent":
                self._begun.setdefault(key, text(entry.data, "at") or "")

    def of(self, name: str, at: str) -> int | None:
        """The key of this name that was begun last before; a marker is written just after the journal's line."""
        named = self._handles.get(name, [])
        before = [handle for handle in named if self._begun.get(handle, "~") <= at]
        return max(before or named, key=lambda handle: self._begun.get(handle, ""), default=None)


def name_of(label: str, handle: int) -> str:
    """How a marker names a key."""
    return printable(label) or f"(handle {handle})"


def _time(start: datetime, seconds: float) -> str:
    try:
        moment = start + timedelta(seconds=seconds)
    except (OverflowError, ValueError):
        moment = start
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _end(act: TimelineEntry) -> str:
    try:
        return _time(datetime.fromisoformat(act.at), act.seconds) if act.at else ""
    except ValueError:  # a record that was changed; verifying says so
        return ""
