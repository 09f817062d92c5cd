"""A run in legs, where no network may join the hosts: each on one side, the run directory carried between them.

CANARY holds within a leg: the first key that is wrapped, and later unwrapped and proved, must succeed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from keyferry.errors import CheckFailedError, KeyferryError, UsageError
from keyferry.migration.identity import same_cluster, same_owner
from keyferry.migration.migration import Migration
from keyferry.migration.pipeline import canary
from keyferry.migration.recovery import matched_again
from keyferry.migration.transfer import ENDING
from keyferry.migration.wrapping_key import WrappingKey, hash_of, read_pem
from keyferry.pkcs11 import DestinationHandle, Kcv, KeyClass
from keyferry.planning.evaluate import Judge, reject_named, reject_too_many
from keyferry.planning.selection import reject_untypeable, select
from keyferry.run.manifest import PEM
from keyferry.run.state import PairStage, RunState
from keyferry.run.status import ON, SIDES, next_leg
from keyferry.run.unbegun import is_unbegun
from keyferry.tools.endpoints import DestinationKey, Pair

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Any

    from keyferry.migration.results import KeyResult
    from keyferry.migration.transfer import KeyTransfer
    from keyferry.run.directory import RunDirectory
    from keyferry.tools.endpoints import Destination, Source


class OfflinePart(Migration):
    """A part of a run that reaches one side only; of the other the journal tells."""

    def _look_at_source(self) -> None:
        self._step("4.3")
        self._look_at_partition()
        self._require_owner("source", self._endpoints.source)
        self._step("4.4")
        self._endpoints.source.open_session()
        self._step("4.5")
        self._endpoints.source.log_in()
        self._directory.journal.write("endpoints", **self._identities())

    def _look_at_destination(self) -> None:
        self._end_tools()
        self._step("0")
        self._endpoints.destination.preflight()
        for warning in self._endpoints.destination.probe(self._order.needs):
            self._notice(warning)
        self._require_owner("destination", self._endpoints.destination)
        if self._past:
            same_cluster(self._past, self._endpoints.destination.cluster_fingerprints())
        self._step("1.1")
        self._endpoints.record_process(self._endpoints.destination)
        self._endpoints.destination.log_in()
        self._write_parties()

    def _require_owner(self, side: str, endpoint: Source | Destination) -> None:
        if self._past:
            same_owner(self._past, side, endpoint.identity())

    def _identities(self) -> dict[str, Mapping[str, str]]:
        past = (self._past and self._past.endpoints) or {"source": {}, "destination": {}}
        return {**past, **{side: dict(endpoint.identity()) for side, endpoint in self._endpoints.present.items()}}


class MakeWrappingKey(OfflinePart):
    """Steps 1 and 2, on the destination client: the pair, its public half in the run directory."""

    def _work(self) -> None:
        destination = self._endpoints.destination
        self._look_at_destination()
        if self._past is None or self._past.before is None:
            there = [destination.describe(handle) for handle in destination.secret_keys()]
            handles, described = [key.handle for key in there], [_brief(key) for key in there]
            self._directory.journal.write("before", handles=handles, described=described, room=destination.room())
        wrapping = self._wrapping()
        if self._past is None or self._past.pair.stage is PairStage.NONE:
            wrapping.check_free()
        self._interrupts.check()
        self._changing = True
        self.result.wrapping_key = wrapping.export(self._order.wish.digest)


class WrapKeys(OfflinePart):
    """Steps 4 and 5, on the source client: the keys are judged, and those that cross are wrapped."""

    def _work(self) -> None:
        past = self._past or RunState()
        reject_untypeable(self._wants(), self._endpoints.destination_kind, self._order.wrapping.label)
        self._look_at_source()
        if past.plan:
            self._recall(past)
        else:
            self._evaluate_by(past)
        self._changing = True
        crossing = [result for result in self.result.keys if result.state == "planned"]
        if not crossing:
            return
        exported = exported_key(self._directory, past)
        self.result.wrapping_key = self._wrapping().bring(exported, self._order.wish.digest)
        carrier = self._transfer(self.result.wrapping_key, frozenset())
        if past.plan:
            matched_again(self._endpoints.source, carrier, crossing)
        self._wrap(carrier, [result for result in crossing if result.state == "planned"])

    def _evaluate_by(self, past: RunState) -> None:
        """5.1, by what the first leg saw on the destination."""
        self._step("5.1")
        source = self._endpoints.source
        kind = self._endpoints.destination_kind
        there = [_recalled(key) for key in past.there.get("described", ())]
        judge = Judge(
            self._order.wish, self._directory.run_id, kind.can_type, there, source.check_value, kind.longest_label
        )
        planned = [judge.judge(key, want) for key, want in select(source.keys(), self._order.selection)]
        self._keep(planned)
        reject_named(planned, self._order.wanted)
        reject_too_many(planned, past.there.get("room"))

    def _wrap(self, carrier: KeyTransfer, results: list[KeyResult]) -> None:
        failures = 0
        for number, result in enumerate(results):
            self._interrupts.check()
            try:
                carrier.wrap(result)
            except KeyferryError as error:
                carrier.failed(result, error)
                if number == 0:
                    raise canary(error) from None
                if error.exit_code in ENDING:
                    raise
                failures += 1
                if self._enough(failures):
                    return


class UnwrapKeys(OfflinePart):
    """Step 7, on the destination client again: the keys are unwrapped and proved, and the totals balance."""

    def _work(self) -> None:
        past = self._past or RunState()
        self._look_at_destination()
        before = self._recall(past)
        self._begin_members("before the first unwrap")
        crossing = [result for result in self.result.keys if result.state == "planned"]
        if crossing:
            key = self._wrapping().export(self._order.wish.digest)
            self.result.wrapping_key = replace(key, source_handle=past.pair.source)
            carrier = self._transfer(self.result.wrapping_key, before)
            self._reconcile(carrier, crossing, before, past)
            crossing = [result for result in crossing if result.state == "planned"]
            carrier.move_all(crossing)
            self._transfer_all(carrier, crossing)
        self._step("end")
        self._balance(before)


LEGS: dict[str, type[OfflinePart]] = {"1-2": MakeWrappingKey, "4-5": WrapKeys, "7": UnwrapKeys}
"""The steps that may be done apart, by the document's numbers; 3 and 6 are the carrying between them."""


def require_begun(steps: str, directory: Path) -> None:
    """CheckFailedError if the steps before these left no run directory here."""
    if steps != "1-2" and (is_unbegun(directory) or not directory.exists()):
        raise UsageError(
            f"steps {steps} cannot start yet: there is no run in {directory}",
            keys="nothing was typed to any tool",
            hint=f"first run steps 1-2 {ON['destination']}, then copy the whole run directory to this host",
        )


def _not_next(steps: str, wanted: str | None, directory: Path) -> CheckFailedError:
    order = [*LEGS]
    if wanted is None:
        why = "all of them are done"
    elif order.index(steps) < order.index(wanted):
        why = f"they are done; steps {wanted} come next, {ON[SIDES[wanted]]}"
    else:
        why = f"they cannot start yet: steps {wanted} come first, {ON[SIDES[wanted]]}"
    return CheckFailedError(
        f"steps {steps} are not what comes next in this run: {why}",
        step=steps,
        keys="nothing was typed to any tool",
        hint=f"`keyferry status {directory}` shows the next command and its host",
    )


def require_next(past: RunState, steps: str, directory: Path) -> None:
    """CheckFailedError where other steps come next, or what the steps before left is not as the journal has it."""
    if steps != (wanted := next_leg(past)):
        raise _not_next(steps, wanted, directory)
    _demand_unchanged(past, steps, directory / "files")


def _demand_unchanged(past: RunState, steps: str, files: Path) -> None:
    if steps == "4-5" and (not (files / PEM).exists() or read_pem(files / PEM)[1] != past.pair.sha256):
        raise _changed(PEM, "WRAPPING-KEY-MATCH")
    for key in past.open_keys if steps == "7" else ():
        path = files / f"{key.handle}.wrapped"
        if not path.exists() or hash_of(path) != key.blob:
            raise _changed(path.name, "BLOB-INTACT")


def _changed(file: str, rule: str) -> CheckFailedError:
    return CheckFailedError(
        f"{file} is not what the steps before left in this run",
        rule=rule,
        keys="nothing was typed to any tool; no key of the source was changed",
        hint="was the whole directory copied, and is it this run's? Find out who could write to it",
    )


def exported_key(directory: RunDirectory, past: RunState) -> WrappingKey:
    """What steps 1 and 2 left: the pair's handles from the journal, its public half from the file."""
    pair = past.pair
    if pair.public is None or pair.private is None or pair.label is None:
        raise _changed("the journal", "WRAPPING-KEY-MATCH")
    public_key, digest = read_pem(directory.files / PEM)
    return WrappingKey(pair.label, Pair(pair.public, pair.private), None, public_key, digest)


def _brief(key: DestinationKey) -> dict[str, object]:
    """What ALREADY-THERE must know of a key of the destination."""
    return {"handle": key.handle, "label": key.label, "kcv": key.kcv}


def _recalled(key: Mapping[str, Any]) -> DestinationKey:
    kcv = None if key["kcv"] is None else Kcv(key["kcv"])
    unknown = dict.fromkeys(("bits", "token", "extractable", "local", "may_unwrap", "public_key"))
    return DestinationKey(
        handle=DestinationHandle(key["handle"]),
        label=key["label"],
        key_class=KeyClass.SECRET,
        type="",
        id="",
        kcv=kcv,
        attributes={},
        **unknown,
    )
