"""Whether what was done by hand is what the runbook says: the documented steps against the acts of recordings."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from keyferry.procedure.expected import Key, expected
from keyferry.procedure.steps import TITLES
from keyferry.tools.byhand import Act, What

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from keyferry.procedure.planfile import Plan

CLASSIC_TOOLS = frozenset({"vtl", "cmu", "ckdemo"})
_TELLS_LITTLE = frozenset({"key_mgmt_util"})
"""Tools that make a pair, and do not say of what kind it is."""


class State(StrEnum):
    DONE = "done"
    MISSING = "missing"
    DIFFERENT = "different"
    NOT_UNDERSTOOD = "not understood"


@dataclass(frozen=True, slots=True)
class Finding:
    """What the recordings show of one step. key: whose step it is. place: file and line, "" where there is none."""

    step: str
    state: State
    key: str | None = None
    place: str = ""
    detail: str = ""

    @property
    def title(self) -> str:
        return TITLES.get(self.step, "Besides the procedure")


class Check:
    """Goes through the steps once; what one step told (the pair, the imported key) the next ones are held to."""

    def __init__(self, acts: Iterable[Act], plan: Plan | None) -> None:
        self._acts = list(acts)
        self._number = {id(act): number for number, act in enumerate(self._acts)}
        self._wanted = expected(plan)
        self._label = self._wanted.label
        self._pair: Mapping[str, str] = {}
        self._slot: str | None = None
        self._imported: set[str] = set()

    def findings(self) -> list[Finding]:
        """Every step in the document's order, then what was done besides."""
        before = [self._login(), self._made(), self._exported()]
        classic = [self._slots_listed(), self._import(), self._listed(), *self._session(), self._allowed()]
        keys = list(self._keys())
        return [*before, self._moved("3", classic[1]), *classic, *keys, *self._besides()]

    def _login(self) -> Finding:
        logins = self._until(self._last(self._all(What.MAKE_PAIR)), self._all(What.LOG_IN, cloudhsm=True))
        return self._step("1.1", logins, user=self._wanted.user)

    def _made(self) -> Finding:
        made = self._all(What.MAKE_PAIR)
        if len([act for act in made if act.done]) > 1:
            return Finding("1.2", State.DIFFERENT, place=made[-1].place, detail="more than one pair was made")
        wanted = self._wanted
        found = self._step("1.2", made, label=wanted.label, bits=wanted.bits, extractable=wanted.pair_extractable)
        if act := self._last(made):
            self._pair, self._label = act.told, act.told.get("label")
            if act.tool in _TELLS_LITTLE:
                return self._looked_at(found, act, self._pair.get("private"), "the private half")
        return found

    def _exported(self) -> Finding:
        return self._step("2.1", self._all(What.EXPORT), handle=self._pair.get("public", "(none was made)"))

    def _slots_listed(self) -> Finding:
        listed = self._all(What.LIST_SLOTS)
        if (serial := self._wanted.serial) and (act := self._last(listed)):
            self._slot = act.told.get(serial)
            if self._slot is None:
                detail = f"no slot has the serial {serial}"
                return Finding("4.1", State.DIFFERENT, place=act.place, detail=detail)
        return self._step("4.1", listed)

    def _import(self) -> Finding:
        found = self._step("4.1", self._all(What.IMPORT), label=self._label, slot=self._slot)
        exported, imported = self._first(What.EXPORT), self._last(self._all(What.IMPORT))
        return self._behind(found, imported, exported, "the public key was exported: this is another file")

    def _listed(self) -> Finding:
        listed = self._behind_all(self._all(What.LIST), self._first(What.IMPORT))
        for act in listed:
            found = {handle for handle, label in act.told.items() if label == self._label}
            if act.done and len(found) > 1:
                return Finding("4.2", State.DIFFERENT, place=act.place, detail=f"{len(found)} objects of that label")
            self._imported |= found
        named = [act for act in listed if act.tool == "cmu" and self._imported & act.told.keys()]
        return self._step("4.2", named or [act for act in listed if not act.done])

    def _session(self) -> Iterator[Finding]:
        yield self._step("4.3", [act for act in self._all(What.START) if act.tool == "ckdemo"])
        yield self._step("4.4", self._all(What.OPEN), slot=self._slot)
        yield self._step("4.5", self._all(What.LOG_IN, cloudhsm=False), officer="True")

    def _allowed(self) -> Finding:
        """Setting nothing but CKA_WRAP, of nothing but the imported key; or seeing that it is set already."""
        shown = [act for act in self._all(What.DESCRIBE) if act.told.get("handle") in self._imported]
        already = [act for act in shown if act.told.get("CKA_WRAP") == "01"]
        acts = self._all(What.ALLOW)
        for act in acts:
            if act.done and (act.told.get("handle") not in self._imported or _others(act)):
                return Finding("4.6", State.DIFFERENT, place=act.place, detail="another key or attribute was set")
        found = self._step("4.6", acts or already, CKA_WRAP="01")
        return found if self._last(shown) else self._not_looked(found, "the imported key")

    def _keys(self) -> Iterator[Finding]:
        wraps = [act for act in self._all(What.WRAP) if act.done]
        unwraps = [act for act in self._all(What.UNWRAP) if act.done]
        keys = self._wanted.keys
        if keys is None:
            keys = tuple(Key(f"handle {handle}", frozenset({handle})) for handle in map(_key_of, wraps))
        if not keys:
            yield from (Finding(step, State.MISSING) for step in ("5.1", "5.2", "6", "7.1", "7.2"))
        for key in keys:
            yield from self._key(key, wraps, unwraps)
        for act in (*wraps, *unwraps):
            step = "5.2" if act.what is What.WRAP else "7.2"
            yield Finding(step, State.DIFFERENT, place=act.place, detail="done once too often, or for a key that stays")

    def _key(self, key: Key, wraps: list[Act], unwraps: list[Act]) -> Iterator[Finding]:
        shown = [act for act in self._all(What.DESCRIBE) if act.done and key.is_shown(act.told)]
        wrapped = _take(wraps, lambda act: _key_of(act) in {one.told.get("handle") for one in shown} | key.handles)
        before = [act for act in self._until(wrapped, shown) if wrapped is None or _same(act, wrapped)]
        yield self._step("5.1", before, key.name, extractable="True", **key.shown)
        tried = [wrapped] if wrapped else self._failed(What.WRAP)
        wanted = self._wanted
        yield self._step("5.2", tried, key.name, oaep="True", digest=wanted.digest, wrapping=self._imported)
        looks = {**(before[-1].told if before else {}), **key.looks}
        arrived = self._arrived(key, looks, unwraps)
        digest = wanted.digest or (wrapped.told.get("digest") if wrapped else None)
        arrival = self._unwrapped(key, looks.get("type"), digest, arrived)
        arrival = self._behind(arrival, arrived, wrapped, "this key was wrapped: this is another file")
        yield self._moved("6", arrival, key.name)
        yield self._logged_in(arrived, key.name)
        yield self._looked_at(arrival, arrived, arrived.told.get("handle"), "the new key") if arrived else arrival

    @staticmethod
    def _arrived(key: Key, looks: Mapping[str, str], unwraps: list[Act]) -> Act | None:
        """The unwrapping of this key: by its new label, or, where no plan names one, by what it is."""
        if key.new_label is not None:
            return _take(unwraps, lambda act: act.told.get("label") == key.new_label)
        return (
            _take(unwraps, lambda act: act.told.get("label") == looks.get("label"))
            or _take(unwraps, lambda act: act.told.get("type") == looks.get("type"))
            or _take(unwraps, lambda _: True)
        )

    def _unwrapped(self, key: Key, kind: str | None, digest: str | None, arrived: Act | None) -> Finding:
        return self._step(
            "7.2",
            [arrived] if arrived else self._failed(What.UNWRAP),
            key.name,
            oaep="True",
            digest=digest,
            wrapping=self._pair.get("private", "that of a pair"),
            type=kind,
            id=key.new_id,
            extractable=self._wanted.extractable,
        )

    def _looked_at(self, found: Finding, act: Act, handle: str | None, what: str) -> Finding:
        """The step, if somebody looked afterwards at what the runbook says to compare."""
        behind = self._acts[self._number[id(act)] :]
        looks = [one for one in behind if one.what is What.LOOK and one.done and one.told.get("handle") == handle]
        return found if looks else self._not_looked(found, what)

    @staticmethod
    def _not_looked(found: Finding, what: str) -> Finding:
        if found.state is not State.DONE:
            return found
        detail = f"it was done, but nobody looked at {what}, so nothing of it was compared"
        return Finding(found.step, State.MISSING, found.key, found.place, detail)

    def _logged_in(self, arrived: Act | None, name: str) -> Finding:
        logins = [act for act in self._all(What.LOG_IN, cloudhsm=True) if not arrived or act.tool == arrived.tool]
        return self._step("7.1", self._until(arrived, logins) if arrived else [], name)

    def _moved(self, step: str, proof: Finding, key: str | None = None) -> Finding:
        """No tool shows how a file was moved; the step that could read it on the other side does."""
        if proof.state is State.DONE:
            detail = f"seen by step {proof.step}: no tool's screen shows the moving itself"
            return Finding(step, State.DONE, key, proof.place, detail)
        return Finding(step, State.MISSING, key, detail=f"step {proof.step} does not show it")

    def _besides(self) -> Iterator[Finding]:
        ours = {self._pair.get("public"), self._pair.get("private"), *self._imported}
        for act in self._acts:
            if act.unknown:
                yield Finding("-", State.NOT_UNDERSTOOD, None, act.place, act.unknown)
            elif act.done and act.what is What.OTHER:
                yield Finding("-", State.DIFFERENT, None, act.place, f"{act.tool} {act.verb} is not of the procedure")
            elif act.done and act.what is What.REMOVE and act.told.get("handle") not in ours:
                yield Finding(
                    "-", State.DIFFERENT, None, act.place, "a key that is not of the wrapping pair was removed"
                )

    def _all(self, what: What, *, cloudhsm: bool | None = None) -> list[Act]:
        found = [act for act in self._acts if act.what is what]
        return [act for act in found if cloudhsm is None or (act.tool not in CLASSIC_TOOLS) == cloudhsm]

    def _failed(self, what: What) -> list[Act]:
        return [act for act in self._all(what) if not act.done]

    def _first(self, what: What) -> Act | None:
        return next((act for act in self._all(what) if act.done), None)

    def _behind(self, found: Finding, act: Act | None, before: Act | None, why: str) -> Finding:
        """The step, if it was not done before the one that it goes on from."""
        if found.state is not State.DONE or act is None or before is None or self._behind_all([act], before):
            return found
        return Finding(found.step, State.DIFFERENT, found.key, found.place, f"it was done before {why}")

    def _behind_all(self, acts: Sequence[Act], before: Act | None) -> list[Act]:
        """Those that do not stand before an act in the same recording: several may have been made side by side."""
        if before is None:
            return list(acts)
        first, recording = self._number[id(before)], _recording(before)
        return [act for act in acts if self._number[id(act)] >= first or _recording(act) != recording]

    def _until(self, end: Act | None, acts: Sequence[Act]) -> list[Act]:
        """Those that were done before `end`, in the order of the recordings."""
        last = self._number[id(end)] if end else len(self._acts)
        return [act for act in acts if self._number[id(act)] < last]

    @staticmethod
    def _last(acts: Sequence[Act]) -> Act | None:
        return next((act for act in reversed(acts) if act.done), None)

    def _step(self, step: str, acts: Sequence[Act], key: str | None = None, **wanted: str | set[str] | None) -> Finding:
        """The last of these that was done, if what it tells is what is wanted; None is not asked for."""
        act = self._last(acts)
        if act is None:
            return _not_done(step, acts, key)
        for name, value in wanted.items():
            said = act.told.get(name)
            if value is None or said == value or (isinstance(value, set) and said in value):
                continue
            want = " or ".join(sorted(value)) or "one that was imported" if isinstance(value, set) else value
            detail = f"{act.tool} {act.verb}: {name} is {said}, not {want}"
            return Finding(step, State.DIFFERENT, key, act.place, detail)
        return Finding(step, State.DONE, key, act.place)


def _not_done(step: str, acts: Sequence[Act], key: str | None) -> Finding:
    if not acts:
        return Finding(step, State.MISSING, key)
    act = acts[-1]
    if act.unknown:
        return Finding(step, State.NOT_UNDERSTOOD, key, act.place, act.unknown)
    return Finding(step, State.MISSING, key, act.place, f"{act.tool} {act.verb} was refused: {act.refused}")


def _take(acts: list[Act], fits: Callable[[Act], bool]) -> Act | None:
    """The first that fits, taken off."""
    found = next((act for act in acts if fits(act)), None)
    if found:
        acts.remove(found)
    return found


def _recording(act: Act) -> str:
    return act.place.rpartition(":")[0]


def _key_of(wrap: Act) -> str:
    return wrap.told.get("key", "")


def _same(shown: Act, wrapped: Act) -> bool:
    return shown.told.get("handle") == _key_of(wrapped)


def _others(act: Act) -> set[str]:
    """What was set besides CKA_WRAP."""
    return set(act.told) - {"handle", "CKA_WRAP"}
