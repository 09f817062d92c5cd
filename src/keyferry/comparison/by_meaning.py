"""Two runs side by side by what was done, whatever words and numbers the tools of each have for it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from keyferry.comparison.by_text import ComparisonRow, keys
from keyferry.planning.job import DOCUMENTED_LABEL
from keyferry.recording.capture import load
from keyferry.tools.endpoints import SOURCE_TOOLS
from keyferry.tools.manual import ActionKind
from keyferry.tools.recorded_actions import acts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from keyferry.tools.manual import RecordedAction

_LOOKS = frozenset({ActionKind.LOOK, ActionKind.START, ActionKind.LEAVE})
"""Acts that change nothing and prove nothing by themselves: tools that tell less are asked more often."""
_OWN = {
    ActionKind.LOG_IN: ("user", "role"),
    ActionKind.OPEN: ("slot",),
    ActionKind.IMPORT: ("slot",),
    ActionKind.UNWRAP: ("file", "handle"),
}
"""What is each site's own, and so no difference."""
_GIVEN = re.compile(r"kf-[0-9a-f]+-\d+")
_GIVEN_LABEL = re.compile(rf"{DOCUMENTED_LABEL}_[0-9a-f]{{8}}")
_HANDLES = ("handle", "wrapping", "key")
_FIRST = ("key", "handle", "label")
_HALVES = ("public", "private")


def compare(ours: Path, theirs: Path) -> Iterator[ComparisonRow]:
    """Plan and outcome of each key, then every act of one side with the same one of the other, in any order."""
    yield from keys(ours, theirs)
    left, right = _told(ours), _told(theirs)
    places, others = _places(left), _places(right)
    for act in dict.fromkeys([*places, *others]):
        here, there = places.get(act, []), others.get(act, [])
        for number in range(max(len(here), len(there))):
            one, other = here[number : number + 1], there[number : number + 1]
            differs = "" if one and other else "only one side did this"
            yield ComparisonRow(
                "", act if one else None, act if other else None, differs, ("".join(one), "".join(other))
            )


def _places(told: list[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for act, place in told:
        found.setdefault(act, []).append(place)
    return found


def _told(run: Path) -> list[tuple[str, str]]:
    """Each act in words that hold no handle, and its place in the run's folder."""
    names = _Names()
    casts = sorted((run / "sessions").glob("*.cast"))
    return [
        (names.told(act), act.place.removeprefix(f"{run}/")) for act in acts(map(load, casts)) if act.what not in _LOOKS
    ]


def _plain(value: str) -> str:
    """The value without what a run adds to it, which is another in each run."""
    return _GIVEN_LABEL.sub(DOCUMENTED_LABEL, _GIVEN.sub("given by the run", value))


class _Names:
    """What each handle stands for, as the acts tell it one by one; each HSM has its own."""

    def __init__(self) -> None:
        self._names: dict[tuple[bool, str], str] = {}

    def told(self, act: RecordedAction) -> str:
        self._learn(act)
        if act.what in (ActionKind.LIST, ActionKind.LIST_SLOTS):
            return self._end(act, str(act.what))
        own = {*_HALVES, *_OWN.get(act.what, ())}
        names = sorted(act.told.keys() - own, key=lambda name: (name not in _FIRST, name))
        facts = [f"{name} {self._value(act, name, act.told[name])}" for name in names]
        verb = f": {act.verb}" if act.what is ActionKind.OTHER else ""
        return self._end(act, f"{act.what}{verb}" + (f" ({', '.join(facts)})" if facts else ""))

    @staticmethod
    def _end(act: RecordedAction, text: str) -> str:
        return text if act.done else f"{text}: {'not understood' if act.unknown else 'refused'}"

    def _value(self, act: RecordedAction, name: str, value: str) -> str:
        if name in _HANDLES:
            return self._names.get((act.tool in SOURCE_TOOLS, value), value)
        return _plain(value)

    def _learn(self, act: RecordedAction) -> None:
        source = act.tool in SOURCE_TOOLS
        if act.what is ActionKind.LIST:
            self._names |= {(source, handle): _plain(label) or "(no label)" for handle, label in act.told.items()}
        for half in _HALVES if act.what is ActionKind.MAKE_PAIR else ():
            self._names[source, act.told.get(half, "")] = f"the {half} half"
        if act.what is ActionKind.UNWRAP:
            self._names[source, act.told.get("handle", "")] = act.told.get("label", "")
