"""Where a journal contradicts the recordings of its run: handles, check values, attributes, coverage, outcomes."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from keyferry.errors import Exit
from keyferry.planning.unwrap_spec import spec_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from keyferry.planning.evaluate import PlannedKey
    from keyferry.planning.plan import Plan
    from keyferry.verification.claims import Claims, KeyClaims
    from keyferry.verification.evidence import Evidence, KeyEvidence

_INTERRUPTED = frozenset({Exit.HANGUP, Exit.INTERRUPTED, Exit.TERMINATED})
_PROVED = frozenset({"CLUSTER-COVERAGE", "ATTRIBUTES-MATCH", "KCV-MATCH"})
"""Rules of a failed proof."""


class Contradictions:
    """Compares one run. lasting: a source handle means the same key in every session. whole: the record is complete."""

    def __init__(self, claims: Claims, evidence: Evidence, plan: Plan, *, stable: bool, whole: bool) -> None:
        self._claims, self._evidence, self._plan = claims, evidence, plan
        self._lasting, self._whole = stable, whole
        self._private = {private for _public, private, _adopted in claims.pairs}

    def all(self) -> Iterator[tuple[int, str]]:
        """Yield the number of the journal's line (0: no single one), and what is wrong with it."""
        yield from ((0, why) for why in self._run())
        planned: dict[int, PlannedKey] = {one.handle: one for one in self._plan.keys}
        verified: dict[int, int] = {}
        for key, claims in self._claims.keys.items():
            one = planned.get(key)
            if one is None:
                yield claims.line, f"key {key} is not in the plan"
                continue
            yield from ((claims.line, f"key {key}: {why}") for why in self._key(one, claims))
            if claims.end and claims.end["state"] == "verified":
                other = verified.setdefault(claims.end["handle"], key)
                if other != key:
                    yield claims.line, f"keys {other} and {key} are verified under the same handle"

    def _run(self) -> Iterator[str]:
        for serials in self._claims.hsms - self._evidence.hsms:
            yield f"no recording shows that the cluster listed the HSMs {', '.join(serials)}"
        for public, private, adopted in self._claims.pairs:
            if not adopted and (public, private) not in self._evidence.pairs:
                yield f"no recording shows that the wrapping pair {public}, {private} was made"

    def _key(self, one: PlannedKey, claims: KeyClaims) -> Iterator[str]:
        yield from self._source(one, claims)
        yield from self._unwraps(one, claims)
        if claims.end is None:
            return
        if claims.end["kcv"] != one.kcv:
            yield f"its check value is {_shown(claims.end['kcv'])}, and the plan has {_shown(one.kcv)}"
        if claims.end["state"] == "verified":
            yield from self._verified(one, claims, claims.end)
        else:
            yield from self._not_verified(one, claims, claims.end)

    def _source(self, one: PlannedKey, claims: KeyClaims) -> Iterator[str]:
        """The plan is what ckdemo displayed; where handles do not last, its values are among those of all keys."""
        described = {
            "extractable": one.key.extractable,
            "state": one.state,
            "rule": one.verdict.rule if one.verdict else None,
        }
        yield from different(described, claims.described or described, "the plan describes")
        shown = self._evidence.extractable.get(str(one.handle))
        if self._lasting and shown and (one.key.extractable is True) not in shown:
            yield "the plan describes another CKA_EXTRACTABLE than ckdemo displayed"
        values = self._of_source(self._evidence.values, one)
        if one.kcv is not None and one.kcv not in values:
            yield f"no recording shows that {one.kcv} is its check value on the source"
        if one.kcv is None and values and self._lasting:
            yield f"it has no check value in the plan, and a recording shows {', '.join(sorted(values))}"
        if missing := claims.blobs - self._of_source(self._evidence.blobs, one):
            yield f"no recording shows that the wrapped file {min(missing)} was made of it"

    def _of_source(self, told: Mapping[str, set[str]], one: PlannedKey) -> set[str]:
        return (
            told.get(str(one.handle), set()) if self._lasting else {value for some in told.values() for value in some}
        )

    def _unwraps(self, one: PlannedKey, claims: KeyClaims) -> Iterator[str]:
        if claims.intent is not None:
            wanted = json.loads(json.dumps(asdict(spec_of(self._plan, one))))
            yield from different(wanted, claims.intent, "the plan wants")
            if claims.intent["wrapping_key"] not in self._private:
                yield f"it is unwrapped under {claims.intent['wrapping_key']}, which is not this run's private key"
        made = self._evidence.unwraps.get(f"{one.handle}.wrapped", [])
        handles = {unwrapped.handle for unwrapped in made}
        if wrong := set(claims.handles) - claims.adopted - handles:
            yield f"no recording shows that its unwrap made key {min(wrong)}"
        if foreign := {unwrapped.wrapping_key for unwrapped in made} - self._private:
            yield f"a recording shows its unwrap under key {min(foreign)}, which is not this run's private key"
        untold = {unwrapped.handle for unwrapped in made if unwrapped.whole} - set(claims.handles)
        if untold and self._must_be_told(claims):
            yield f"a recording shows that its unwrap made key {min(untold)}, and the journal does not say so"

    def _must_be_told(self, claims: KeyClaims) -> bool:
        """A process that died, was interrupted, or asked what came of its unwrap may not have noted what it did."""
        unsure = self._claims.killed or not self._whole or claims.questioned or claims.skipped_by_operator
        return claims.end is not None and not claims.end["open"] and not unsure

    def _verified(self, one: PlannedKey, claims: KeyClaims, end: Mapping[str, object]) -> Iterator[str]:
        handle = claims.handles[-1] if claims.handles else None
        if end["handle"] != handle:
            yield f"it is verified as key {_shown(end['handle'])}, but its unwrap made {_shown(handle)}"
        outcome = self._evidence.outcome(one, handle, self._plan)
        if outcome.state != "verified":
            why = outcome.rule or "a proof is missing"
            yield f"it is called verified, but the recordings do not show that: {why}"
            return
        yield from self._described(end, handle, outcome)

    def _described(self, end: Mapping[str, object], handle: int | None, outcome: KeyEvidence) -> Iterator[str]:
        arrived = self._evidence.arrived[handle or 0]
        there = arrived.key
        shown = {
            "nodes": list(arrived.coverage.nodes),
            "coverage": dict(arrived.coverage.words) or None,
            "kcv_there": there and there.kcv,
            "attributes_there": dict(there.attributes) if there else {},
            "attributes": outcome.notes,
            "proof": outcome.proof,
            "open": False,
            **dict.fromkeys(("rule", "detail", "seen", "code")),
        }
        yield from different(shown, end, "the recordings show")

    def _not_verified(self, one: PlannedKey, claims: KeyClaims, end: Mapping[str, object]) -> Iterator[str]:
        handle = claims.handles[-1] if claims.handles else None
        if end["handle"] is not None and end["handle"] != handle:
            yield f"it ended as key {_shown(end['handle'])}, but its unwrap made {_shown(handle)}"
        there = self._evidence.arrived.get(handle or -1)
        if there and there.key and end["attributes_there"]:
            shown = {"kcv_there": there.key.kcv, "attributes_there": dict(there.key.attributes)}
            yield from different(shown, end, "the recordings show")
        outcome = self._evidence.outcome(one, handle, self._plan)
        if outcome.state == "verified" and not self._was_stopped(claims, end):
            yield f"it is called {end['state']}, but the recordings show that it was verified"
        if outcome.state == "failed":
            yield from self._failed(end, handle, outcome, current=claims.current)

    def _failed(
        self, end: Mapping[str, object], handle: int | None, outcome: KeyEvidence, *, current: bool
    ) -> Iterator[str]:
        """A key that the recordings show to have failed a proof. current: nothing was ordered or begun since."""
        judged = end["open"] is False and (end["state"] == "failed" or end["rule"] in _PROVED)
        if current and end["state"] == "failed" and end["handle"] is None:
            yield f"it ended without a handle, but its unwrap made {_shown(handle)}"
        if end["rule"] in _PROVED and outcome.rule != end["rule"]:
            yield f"it is said to fail by {end['rule']}, but the recordings show {outcome.rule}"
        arrived = self._evidence.arrived[handle or 0]
        if judged and end["handle"] == handle and arrived.whole and arrived.key:
            shown = {
                "rule": outcome.rule,
                "kcv_there": arrived.key.kcv,
                "attributes_there": dict(arrived.key.attributes),
                "nodes": list(arrived.coverage.nodes),
                "coverage": dict(arrived.coverage.words) or None,
                "proof": None,
            }
            yield from different(shown, end, "the recordings show")

    @staticmethod
    def _was_stopped(claims: KeyClaims, end: Mapping[str, object]) -> bool:
        """A signal, or an operator's order, may end a key after its last proof was printed."""
        return claims.skipped_by_operator or (end["open"] is True and end["code"] in _INTERRUPTED)


def different(wanted: Mapping[str, object], told: Mapping[str, object], who: str) -> Iterator[str]:
    for name, value in wanted.items():
        if told.get(name) != value:
            yield f"its {name} is {_shown(told.get(name))}, and {who} {_shown(value)}"


def _shown(value: object) -> str:
    """A value in a message, cut where it is long."""
    text = "none" if value is None else value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
