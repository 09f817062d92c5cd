"""Whether what was done by hand is what the runbook says: the documented steps against the acts of recordings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from keyferry.manual.expected import ExpectedKey, expected
from keyferry.pkcs11 import KeyClass
from keyferry.planning.job import DOCUMENTED_LABEL
from keyferry.tools.manual import ActionKind
from keyferry.tools.manual_steps import RecordedActions, State, StepResult, last, moved, on_destination, step, take

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from keyferry.planning.plan import Plan
    from keyferry.tools.manual import RecordedAction
    from keyferry.tools.manual_steps import Wanted

__all__ = ["Check", "State", "StepResult"]

_TELLS_LITTLE = frozenset({"key_mgmt_util"})
"""Tools that make a pair, and do not say of what kind it is."""
_CRYPTO_USER = {"CU", "crypto-user"}


_OF_A_RUN = re.compile(rf"{DOCUMENTED_LABEL}_[0-9a-f]{{8}}")
"""The label of a pair that a run made; a plan does not know the run's id."""


class Check:
    """Goes through the steps once; what one step told (the pair, the imported key) the next ones are held to."""

    def __init__(self, acts: Iterable[RecordedAction], plan: Plan | None) -> None:
        self._acts = RecordedActions(acts)
        self._wanted = expected(plan)
        self._label = self._wanted.label
        self._pair: Mapping[str, str] = {}
        self._slots: set[str] = set()
        self._only_slot = False
        self._imported: set[str] = set()

    def findings(self) -> list[StepResult]:
        """Every step in the document's order, then what was done besides."""
        before = [self._login(), self._made(), self._exported()]
        listed = self._listed()
        imported = self._import()
        source = [imported, listed, *self._session(), self._allowed()]
        return [*before, moved("3", imported), *source, *self._keys(), *self._besides()]

    def _login(self) -> StepResult:
        logins = self._acts.until(
            last(self._acts.all(ActionKind.MAKE_PAIR)), self._acts.all(ActionKind.LOG_IN, destination=True)
        )
        return self._as_user("1.1", logins)

    def _as_user(self, number: str, logins: Sequence[RecordedAction], key: str | None = None) -> StepResult:
        act = last(logins)
        role = _CRYPTO_USER if act and "role" in act.told else None
        return step(number, logins, key, user=self._wanted.user, role=role)

    def _made(self) -> StepResult:
        made, wanted = self._acts.all(ActionKind.MAKE_PAIR), self._wanted
        if len([act for act in made if act.done]) > 1:
            return StepResult("1.2", State.DIFFERENT, place=made[-1].place, detail="more than one pair was made")
        if (act := last(made)) is None:
            return step("1.2", made)
        self._pair, self._label = act.told, act.told.get("label")
        little = act.tool in _TELLS_LITTLE
        unwraps = None if little else "True"
        label = self._label if wanted.label and _OF_A_RUN.fullmatch(self._label or "") else wanted.label
        asked = {"label": label, "bits": wanted.bits, "extractable": wanted.pair_extractable}
        found = step("1.2", made, **asked, unwraps=unwraps)
        looked = not little or self._looks(act, self._pair.get("private"))
        return found if looked else found.without("the private half")

    def _exported(self) -> StepResult:
        return step("2.1", self._acts.all(ActionKind.EXPORT), handle=self._pair.get("public", "(none was made)"))

    def _listed(self) -> StepResult:
        """The imported key is one that a list shows after an import, and none showed before it."""
        lists, start = self._acts.all(ActionKind.LIST), self._acts.first(ActionKind.IMPORT)
        if start is None:
            listed = next((act for act in reversed(lists) if self._labelled(act)), None)
            detail = "an object has that label, but no recording shows its import" if listed else ""
            return StepResult("4.2", State.MISSING, place=listed.place if listed else "", detail=detail)
        old = {handle for act in lists if self._acts.surely_before(act, start) for handle in self._labelled(act)}
        old -= {act.told.get("handle", "") for act in self._acts.all(ActionKind.REMOVE, destination=False) if act.done}
        after = self._acts.not_before(start, lists)
        for act in after:
            found = self._labelled(act)
            if len(found) > 1:
                return StepResult("4.2", State.DIFFERENT, place=act.place, detail=f"{len(found)} objects of that label")
            if left := found & old:
                detail = f"object {min(left)} had that label before the import"
                return StepResult("4.2", State.DIFFERENT, place=act.place, detail=detail)
            self._imported |= found
        named = [act for act in after if act.tool == "cmu" and self._imported & act.told.keys()]
        return step("4.2", named or [act for act in after if not act.done])

    def _labelled(self, act: RecordedAction) -> set[str]:
        return {handle for handle, label in act.told.items() if label == self._label} if act.done else set()

    def _import(self) -> StepResult:
        """Two things in one step: the slots were listed, and the key was imported into the one that was chosen."""
        listed, imports = self._acts.all(ActionKind.LIST_SLOTS), self._acts.all(ActionKind.IMPORT)
        table, imported = last(listed), last(imports)
        if table is None or imported is None:
            return step("4.1", listed if table is None else imports)
        self._slots = set(table.told.values())
        self._only_slot = len(self._slots) == 1
        if serial := self._wanted.serial:
            self._slots &= {table.told.get(serial, "")}
        if not self._slots:
            detail = f"no slot with a token has the serial {serial}" if serial else "no slot with a token is listed"
            return StepResult("4.1", State.DIFFERENT, place=table.place, detail=detail)
        found = step("4.1", imports, label=self._label, slot=self._slots)
        why = "the public key was exported: this is another file"
        found = self._acts.in_order(found, imported, self._acts.first(ActionKind.EXPORT), why)
        if found.state is not State.DONE:
            return found
        self._slots &= {imported.told.get("slot", "")}  # the session must be opened to the same one
        if not self._imported:
            return StepResult("4.1", State.MISSING, place=found.place, detail="no list after it shows the imported key")
        return found

    def _session(self) -> Iterator[StepResult]:
        yield step("4.3", [act for act in self._acts.all(ActionKind.START) if act.tool == "ckdemo"])
        opened = self._acts.all(ActionKind.OPEN)
        act = last(opened)
        asked = act is None or "slot" in act.told or not self._only_slot  # ckdemo asks only where there are several
        yield step("4.4", opened, slot=self._slots if asked and self._slots else None)
        yield step("4.5", self._acts.all(ActionKind.LOG_IN, destination=False), officer="True")

    def _allowed(self) -> StepResult:
        """Setting nothing but CKA_WRAP, of nothing but the imported key, or seeing that it is set; then a display."""
        acts = self._acts.all(ActionKind.ALLOW)
        for act in acts:
            if act.done and (act.told.get("handle") not in self._imported or _others(act)):
                return StepResult("4.6", State.DIFFERENT, place=act.place, detail="another key or attribute was set")
        shown = [act for act in self._acts.all(ActionKind.DESCRIBE) if act.told.get("handle") in self._imported]
        found = step("4.6", acts or [act for act in shown if act.told.get("CKA_WRAP") == "01"], CKA_WRAP="01")
        allowed = last(acts)
        seen = self._acts.not_before(allowed, shown)
        if found.state is not State.DONE or last(seen) is None:
            return found.without("the imported key afterwards")
        may_wrap = [act for act in seen if act.told.get("CKA_WRAP") == "01"]
        return step("4.6", may_wrap or seen, CKA_WRAP="01", **{"class": str(KeyClass.PUBLIC)})

    def _keys(self) -> Iterator[StepResult]:
        wraps = [act for act in self._acts.all(ActionKind.WRAP) if act.done]
        unwraps = [act for act in self._acts.all(ActionKind.UNWRAP) if act.done]
        keys = self._wanted.keys
        if keys is None:
            keys = tuple(ExpectedKey(f"handle {handle}", frozenset({handle})) for handle in map(_key_of, wraps))
        if not keys:
            yield from (StepResult(number, State.MISSING) for number in ("5.1", "5.2", "6", "7.1", "7.2"))
        for key in keys:
            yield from self._key(key, wraps, unwraps)
        for act in (*wraps, *unwraps):
            number = "5.2" if act.what is ActionKind.WRAP else "7.2"
            yield StepResult(
                number, State.DIFFERENT, place=act.place, detail="done once too often, or for a key that stays"
            )

    def _key(
        self, key: ExpectedKey, wraps: list[RecordedAction], unwraps: list[RecordedAction]
    ) -> Iterator[StepResult]:
        shown = [act for act in self._acts.all(ActionKind.DESCRIBE) if act.done and key.is_shown(act.told)]
        wrapped = take(wraps, lambda act: _key_of(act) in {one.told.get("handle") for one in shown} | key.handles)
        before = [act for act in self._acts.until(wrapped, shown) if wrapped is None or _same(act, wrapped)]
        yield step("5.1", before, key.name, extractable="True", **key.shown)
        tried = [wrapped] if wrapped else self._acts.failed(ActionKind.WRAP)
        wanted = self._wanted
        yield step("5.2", tried, key.name, oaep="True", digest=wanted.digest, wrapping=self._imported)
        looks = {**(before[-1].told if before else {}), **key.looks}
        arrived = self._arrived(key, looks, unwraps)
        digest = wanted.digest or (wrapped.told.get("digest") if wrapped else None)
        arrival = self._unwrapped(key, looks.get("type"), digest, arrived)
        arrival = self._acts.in_order(arrival, arrived, wrapped, "this key was wrapped: this is another file")
        yield moved("6", arrival, key.name)
        yield self._logged_in(arrived, key.name)
        yield self._proved(arrival, arrived, key) if arrived else arrival

    @staticmethod
    def _arrived(key: ExpectedKey, looks: Mapping[str, str], unwraps: list[RecordedAction]) -> RecordedAction | None:
        """The unwrapping of this key: by its new label, or, where no plan names one, by what it is."""
        if (spec := key.spec) is not None:
            return take(unwraps, lambda act: act.told.get("label") == spec.label)
        return (
            take(unwraps, lambda act: act.told.get("label") == looks.get("label"))
            or take(unwraps, lambda act: act.told.get("type") == looks.get("type"))
            or take(unwraps, lambda _: True)
        )

    def _unwrapped(
        self, key: ExpectedKey, kind: str | None, digest: str | None, arrived: RecordedAction | None
    ) -> StepResult:
        asked: dict[str, Wanted] = {"oaep": "True", "digest": digest, "type": kind, "other_options": ""}
        asked["wrapping"] = self._pair.get("private", "that of a pair")
        return step(
            "7.2", [arrived] if arrived else self._acts.failed(ActionKind.UNWRAP), key.name, **asked | key.unwrapped
        )

    def _proved(self, arrival: StepResult, arrived: RecordedAction, key: ExpectedKey) -> StepResult:
        """Somebody looked at the new key and, where it is to be shared, at who may use it."""
        handle = arrived.told.get("handle")
        if not self._looks(arrived, handle):
            return arrival.without("the new key")
        if arrival.state is not State.DONE or not key.is_held:
            return arrival
        told = [
            act for act in self._acts.after(arrived, self._acts.all(ActionKind.LOOK)) if act.told.get("held") == handle
        ]
        if last(told) is None:
            return arrival.without("the users who share the new key")
        found = step("7.2", told, key.name, **key.held)
        return arrival if found.state is State.DONE else found

    def _looks(self, act: RecordedAction, handle: str | None) -> bool:
        """Whether somebody looked afterwards at what the runbook says to compare."""
        behind = self._acts.after(act, self._acts.all(ActionKind.LOOK))
        return any(one.done and one.told.get("handle") == handle for one in behind)

    def _logged_in(self, arrived: RecordedAction | None, name: str) -> StepResult:
        logins = self._acts.all(ActionKind.LOG_IN, destination=True)
        ours = [act for act in logins if arrived and act.tool == arrived.tool]
        return self._as_user("7.1", self._acts.until(arrived, ours), name)

    def _besides(self) -> Iterator[StepResult]:
        for act in self._acts:
            if act.unknown:
                yield StepResult("-", State.NOT_UNDERSTOOD, None, act.place, act.unknown)
            elif act.done and act.what is ActionKind.OTHER:
                yield StepResult(
                    "-", State.DIFFERENT, None, act.place, f"{act.tool} {act.verb} is not of the procedure"
                )
            elif act.done and act.what is ActionKind.REMOVE and act.told.get("handle") not in self._ours(act):
                yield StepResult(
                    "-", State.DIFFERENT, None, act.place, "a key that is not of the wrapping pair was removed"
                )

    def _ours(self, act: RecordedAction) -> set[str]:
        """Handles of the wrapping pair on the side of this act: the same number is another object on the other."""
        pair = {handle for name in ("public", "private") if (handle := self._pair.get(name))}
        return pair if on_destination(act) else self._imported


def _key_of(wrap: RecordedAction) -> str:
    return wrap.told.get("key", "")


def _same(shown: RecordedAction, wrapped: RecordedAction) -> bool:
    return shown.told.get("handle") == _key_of(wrapped)


def _others(act: RecordedAction) -> set[str]:
    """What was set besides CKA_WRAP."""
    return set(act.told) - {"handle", "CKA_WRAP"}
