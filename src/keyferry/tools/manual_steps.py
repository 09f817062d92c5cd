"""The acts of recordings in their order, and what they show of one step."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from keyferry.steps import TITLES
from keyferry.tools.endpoints import SOURCE_TOOLS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from keyferry.tools.manual import ActionKind, RecordedAction

_TOLD = {"True": "yes", "False": "no"}

Wanted = str | AbstractSet[str] | None


class State(StrEnum):
    DONE = "done"
    MISSING = "missing"
    DIFFERENT = "different"
    NOT_UNDERSTOOD = "not understood"


@dataclass(frozen=True, slots=True)
class StepResult:
    """What the recordings show of one step. key: whose step it is. place: file and line, "" where there is none."""

    step: str
    state: State
    key: str | None = None
    place: str = ""
    detail: str = ""

    @property
    def title(self) -> str:
        return TITLES.get(self.step, "Besides the procedure")

    def without(self, what: str) -> StepResult:
        """The step is not done after all: `what` was not looked at, so it was compared with nothing."""
        if self.state is not State.DONE:
            return self
        detail = f"it was done, but nobody looked at {what}, so nothing of it was compared"
        return StepResult(self.step, State.MISSING, self.key, self.place, detail)


class RecordedActions:
    """All acts. Two recordings may have been made side by side, so an order is certain only within one of them."""

    def __init__(self, acts: Iterable[RecordedAction]) -> None:
        self._acts = list(acts)
        self._number = {id(act): number for number, act in enumerate(self._acts)}

    def __iter__(self) -> Iterator[RecordedAction]:
        return iter(self._acts)

    def all(self, what: ActionKind, *, destination: bool | None = None) -> list[RecordedAction]:
        found = [act for act in self._acts if act.what is what]
        return [act for act in found if destination is None or on_destination(act) == destination]

    def failed(self, what: ActionKind) -> list[RecordedAction]:
        return [act for act in self.all(what) if not act.done]

    def first(self, what: ActionKind) -> RecordedAction | None:
        return next((act for act in self.all(what) if act.done), None)

    def until(self, end: RecordedAction | None, acts: Sequence[RecordedAction]) -> list[RecordedAction]:
        """Return those that were done before `end`, in the order of the recordings."""
        last = self._number[id(end)] if end else len(self._acts)
        return [act for act in acts if self._number[id(act)] < last]

    def after(self, start: RecordedAction, acts: Sequence[RecordedAction]) -> list[RecordedAction]:
        """Return those that were done after `start`, in the order of the recordings."""
        first = self._number[id(start)]
        return [act for act in acts if self._number[id(act)] > first]

    def surely_before(self, act: RecordedAction, other: RecordedAction) -> bool:
        return _recording(act) == _recording(other) and self._number[id(act)] < self._number[id(other)]

    def not_before(self, start: RecordedAction | None, acts: Sequence[RecordedAction]) -> list[RecordedAction]:
        """Return those that were not surely done before `start`."""
        return [act for act in acts if start is None or not self.surely_before(act, start)]

    def in_order(
        self, found: StepResult, act: RecordedAction | None, before: RecordedAction | None, why: str
    ) -> StepResult:
        """Return the step, unless it was done before the one that it needs."""
        if found.state is not State.DONE or act is None or before is None or not self.surely_before(act, before):
            return found
        return StepResult(found.step, State.DIFFERENT, found.key, found.place, f"it was done before {why}")


def last(acts: Sequence[RecordedAction]) -> RecordedAction | None:
    """Return the last one that was done."""
    return next((act for act in reversed(acts) if act.done), None)


def take(acts: list[RecordedAction], fits: Callable[[RecordedAction], bool]) -> RecordedAction | None:
    """Return the first that fits, and remove it from the list."""
    found = next((act for act in acts if fits(act)), None)
    if found:
        acts.remove(found)
    return found


def on_destination(act: RecordedAction) -> bool:
    return act.tool not in SOURCE_TOOLS


def step(number: str, acts: Sequence[RecordedAction], key: str | None = None, **wanted: Wanted) -> StepResult:
    """Compare the last of these acts that was done with what is wanted: None is not compared, "" must not be told."""
    act = last(acts)
    if act is None:
        return _not_done(number, acts, key)
    for name, value in wanted.items():
        said = act.told.get(name, "")
        if value is None or said == value or (not isinstance(value, str) and said in value):
            continue
        detail = f"{act.tool} {act.verb}: {_described(name, said, value)}"
        return StepResult(number, State.DIFFERENT, key, act.place, detail)
    return StepResult(number, State.DONE, key, act.place)


def moved(number: str, proof: StepResult, key: str | None = None) -> StepResult:
    """No tool shows how a file was moved; the step that could read it on the other side does."""
    if proof.state is State.DONE:
        detail = f"seen by step {proof.step}: no tool's screen shows the moving itself"
        return StepResult(number, State.DONE, key, proof.place, detail)
    return StepResult(number, State.MISSING, key, detail=f"step {proof.step} does not show it")


def _described(name: str, said: str, value: str | AbstractSet[str]) -> str:
    wanted = [value] if isinstance(value, str) else sorted(value)
    want = " or ".join(_TOLD.get(one, one) for one in wanted) or ("nothing" if wanted else "the imported key")
    name = name if name.isupper() else name.replace("_", " ")  # an attribute is named as the tool names it
    return f"{name} is {_TOLD.get(said, said) or 'not shown'}; expected {want}"


def _not_done(number: str, acts: Sequence[RecordedAction], key: str | None) -> StepResult:
    if not acts:
        return StepResult(number, State.MISSING, key)
    act = acts[-1]
    if act.unknown:
        return StepResult(number, State.NOT_UNDERSTOOD, key, act.place, act.unknown)
    return StepResult(number, State.MISSING, key, act.place, f"{act.tool} {act.verb} was refused: {act.refused}")


def _recording(act: RecordedAction) -> str:
    return act.place.rpartition(":")[0]
