"""PLAN-MATCH: the world is still that of the plan; which key of this session each planned key is."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING

from keyferry.errors import CheckFailedError
from keyferry.planning.plan import IDENTITY, without_values
from keyferry.planning.selection import select
from keyferry.text import counted, value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from keyferry.pkcs11 import Kcv
    from keyferry.planning.evaluate import Judge, PlannedKey
    from keyferry.planning.plan import Plan
    from keyferry.tools.endpoints import Source, SourceKey


def same_endpoints(planned: Mapping[str, str], now: Mapping[str, str], side: str) -> None:
    """Both identities agree in every field of the plan's; CheckFailedError names those that do not."""
    if wrong := _unlike(planned, {name: now.get(name) for name in planned}):
        raise refused(f"the {side} side is not that of the plan", "\n".join(wrong))


def partition(identity: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in identity.items() if name in IDENTITY["source"]}


class Matcher:
    """Finds the plan's keys among those of this session.

    stable: a handle means the same key in every session; else keys are known by what they say of themselves
    and by their check value.
    """

    def __init__(
        self, keys: Sequence[SourceKey], check_value: Callable[[SourceKey], Kcv | None], *, stable: bool
    ) -> None:
        self._keys = {key.handle: key for key in keys}
        self._check_value = check_value
        self._stable = stable

    def match(self, planned: Sequence[PlannedKey]) -> list[PlannedKey]:
        """The same keys in the plan's order, with this session's handles. CheckFailedError where one is not there.

        Those that cross choose first, for they must be told apart.
        """
        chosen = {one.handle: self._take(one) for one in sorted(planned, key=lambda one: one.verdict is not None)}
        return [replace(one, key=chosen[one.handle], known_as=None if self._stable else one.handle) for one in planned]

    def _take(self, one: PlannedKey) -> SourceKey:
        found = self._by_handle(one) if self._stable else self._by_looks(one)
        return self._keys.pop(found.handle)

    def _by_handle(self, one: PlannedKey) -> SourceKey:
        key = self._keys.get(one.handle)
        if key is None:
            raise refused(f"key {one.handle} ({one.name}) is gone")
        if wrong := _differences(one.key, key):
            raise refused(f"key {one.handle} ({one.name}) is not as it was planned", "\n".join(wrong))
        return key

    def _by_looks(self, one: PlannedKey) -> SourceKey:
        alike = [key for key in self._keys.values() if not _differences(one.key, key)]
        if one.verdict is None and len(alike) > 1 and one.kcv is not None:
            alike = [key for key in alike if self._check_value(key) == one.kcv]
        if not alike:
            raise refused(f"no key is as {one.name} was planned: it is gone or was changed")
        if one.verdict is None and len(alike) > 1:
            handles = ", ".join(str(key.handle) for key in alike)
            raise refused(f"{len(alike)} keys ({handles}) look the same as {one.name}, so none can be named")
        return alike[0]


def as_planned(
    plan: Plan, keys: Sequence[SourceKey], judge: Judge, source: Source
) -> tuple[list[PlannedKey], str | None]:
    """The plan's keys with this session's handles, each judged again as it was; and a notice of keys that are new."""
    planned = Matcher(keys, source.check_value, stable=source.has_stable_handles()).match(plan.keys)
    judged_again(planned, judge)
    chosen = plan.selection
    more = 0 if chosen.keys or chosen.exclude else len(select(keys, chosen)) - len(planned)
    told = f"{counted(more, 'symmetric key')} came to the partition since the plan was made: not migrated"
    return planned, told if more else None


def judged_again(planned: Sequence[PlannedKey], judge: Judge) -> None:
    """Every key has the verdict, the check value and the new names of the plan; CheckFailedError else."""
    for one in planned:
        now = judge.judge(one.key, one.want, known_as=one.handle)
        if wrong := _changes(one, now):
            raise refused(f"key {one.handle} ({one.name}) no longer matches the plan", "\n".join(wrong))


def _changes(one: PlannedKey, now: PlannedKey) -> list[str]:
    wrong = _unlike(_told(one), _told(now))
    return [*wrong, now.verdict.detail] if wrong and now.verdict else wrong


def _told(one: PlannedKey) -> dict[str, object]:
    """What was decided of a key. The names of one that stays never were."""
    if one.verdict:
        return {"verdict": one.verdict.rule, "check value": one.kcv}
    return {
        "verdict": None,
        "check value": one.kcv,
        "new label": one.new_label,
        "new id": one.new_id,
        "id given": one.id_given,
    }


def _differences(planned: SourceKey, now: SourceKey) -> list[str]:
    """Handles aside; attributes by name."""
    return _unlike(_looks(planned), _looks(now))


def _looks(key: SourceKey) -> dict[str, object]:
    looks = {one.name: getattr(key, one.name) for one in fields(key)}
    del looks["handle"], looks["attributes"]
    return looks | without_values(key.attributes)


def _unlike(before: Mapping[str, object], after: Mapping[str, object]) -> list[str]:
    names = [name for name in dict.fromkeys((*before, *after)) if before.get(name) != after.get(name)]
    return [f"{name}: {value(after.get(name))} instead of {value(before.get(name))}" for name in names]


def refused(what: str, seen: str | None = None) -> CheckFailedError:
    return CheckFailedError(
        what,
        rule="PLAN-MATCH",
        seen=seen,
        keys="nothing was changed on either side",
        hint="find out what changed, then create a new plan with `keyferry plan`",
    )
