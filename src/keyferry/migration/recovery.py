"""A run that goes on: RUN-OWNER, and the read-only question that settles each command whose outcome nobody saw."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyferry.errors import CheckFailedError, Exit, MismatchError
from keyferry.migration.already_there import already_there
from keyferry.migration.results import KeyResult
from keyferry.migration.wrapping_key import hash_of
from keyferry.pkcs11 import KeyClass
from keyferry.planning.match import Matcher
from keyferry.run.state import ENDS, Decision, Stage
from keyferry.run.status import WITHOUT_BLOB

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from keyferry.migration.in_flight import InFlight
    from keyferry.migration.signals import Interrupts
    from keyferry.migration.transfer import KeyTransfer
    from keyferry.pkcs11 import DestinationHandle
    from keyferry.planning.evaluate import PlannedKey
    from keyferry.run.directory import RunDirectory
    from keyferry.run.state import KeyState, RunState
    from keyferry.tools.endpoints import Destination, DestinationKey, Source


def recalled(planned: Sequence[PlannedKey], past: RunState) -> list[KeyResult]:
    """Every key of the plan with what the journal says became of it."""
    return [_recalled(one, past.keys[one.handle]) for one in planned]


def _recalled(one: PlannedKey, key: KeyState) -> KeyResult:
    result = KeyResult(one, destination_handle=key.cloud_handle, proof=key.proof, others=key.others)
    if key.settled:
        result.end(key.stage.value.replace(" ", "_"), key.rule, key.detail)
        result.code = None if key.code is None else Exit(key.code)
        return result
    result.stage = key.before if key.stage in ENDS else key.stage
    result.blob, result.beside, result.decision = key.blob, key.beside, key.decision
    result.intended = key.intended
    return result


class UnclaimedKeys:
    """The destination's secret keys that came since the run began and that are no key's of this run yet."""

    def __init__(self, destination: Destination, known: Iterable[DestinationHandle]) -> None:
        self._seen = set(known)
        self.question = destination.question
        self._destination = destination
        self._keys: list[DestinationKey] = []
        self.look_again()

    def look_again(self) -> None:
        """Add those that came since the last look."""
        for handle in self._destination.secret_keys():
            if handle not in self._seen:
                self._seen.add(handle)
                self._keys.append(self._destination.describe(handle))

    def candidates(self, one: PlannedKey) -> list[DestinationKey]:
        """Those that may be this key: by its new names, or by its check value under other names."""
        return [key for key in self._keys if self.is_it(one, key) or self._same_value(one, key)]

    def alike(self, one: PlannedKey) -> list[DestinationKey]:
        """Those that ALREADY-THERE speaks of."""
        return [key for key in self._keys if key.label == one.new_label or self._same_value(one, key)]

    @staticmethod
    def is_it(one: PlannedKey, key: DestinationKey) -> bool:
        """Label and id are this key's. An id that the run gave is nobody else's; else the check value may deny it."""
        named = (key.label, key.id, key.key_class) == (one.new_label, one.new_id, KeyClass.SECRET)
        return named and (one.id_given or None in (one.kcv, key.kcv) or one.kcv == key.kcv)

    @staticmethod
    def _same_value(one: PlannedKey, key: DestinationKey) -> bool:
        return one.kcv is not None and key.kcv == one.kcv

    def take(self, handle: DestinationHandle) -> None:
        """This one is known now."""
        self._keys = [key for key in self._keys if key.handle != handle]


class Reconciler:
    """Takes every key that was begun to a stage from which it can go on, or to its end."""

    def __init__(
        self,
        carrier: KeyTransfer,
        directory: RunDirectory,
        unclaimed: UnclaimedKeys,
        interrupts: Interrupts,
        in_flight: InFlight,
    ) -> None:
        self._transfer, self._unclaimed, self._interrupts = carrier, unclaimed, interrupts
        self._in_flight = in_flight
        self._journal, self._files = directory.journal, directory.files

    def settle(self, results: Sequence[KeyResult]) -> None:
        """The keys in doubt first: what came of them decides what a newcomer is to the others."""
        for result in results:
            self._guarded(result, self._apply_decision)
        for result in self._left(results):
            if result.stage is Stage.UNWRAP_INTENT and result.decision is None:
                self._guarded(result, self._ask)
        for result in self._left(results):
            if result.stage is not Stage.UNWRAPPED:
                self._guarded(result, self._recheck)

    @staticmethod
    def _left(results: Sequence[KeyResult]) -> Iterator[KeyResult]:
        return (result for result in results if result.state == "planned")

    def _guarded(self, result: KeyResult, look: Callable[[KeyResult], None]) -> None:
        self._interrupts.check()
        try:
            look(result)
        except MismatchError as error:
            self._transfer.failed(result, error)
        else:
            if result.state != "planned":
                self._transfer.ended(result)

    def _apply_decision(self, result: KeyResult) -> None:
        """What an operator ordered with `keyferry resolve`."""
        match result.decision:
            case Decision("adopt", handle) if handle is not None:
                alike = {key.handle for key in self._unclaimed.alike(result.planned)}
                result.beside = (result.beside | result.others | alike) - {handle}
                self._adopt(result, handle, by="operator")
            case Decision("skip"):
                result.end("skipped", "OPERATOR", "skipped by an operator's order")
            case Decision("retry"):
                result.stage, result.destination_handle = Stage.PLANNED, None
                result.beside |= result.others | {key.handle for key in self._unclaimed.alike(result.planned)}

    def _ask(self, result: KeyResult) -> None:
        """Was it unwrapped? None found: it is done now; one: it is adopted and verified; several: a person says.

        The answer may come late, so before it is done again the answer limit must have passed since the intent.
        """
        one = result.planned
        found = self._found(result)
        if not found and self._in_flight.wait(result.intended):
            self._unclaimed.look_again()
            found = self._found(result)
        self._journal.write(
            "question",
            act="unwrap",
            key=result.handle,
            label=one.new_label,
            id=one.new_id,
            kcv=one.kcv,
            found=[key.handle for key in found],
        )
        if not found and not self._in_flight.certain:
            result.end("needs_operator", "OUTCOME-UNKNOWN", self._may_still_come(result))
        elif not found:
            result.stage = Stage.MOVED
        elif len(found) == 1 and UnclaimedKeys.is_it(one, found[0]):
            self._adopt(result, found[0].handle, by="question")
        else:
            result.others |= {key.handle for key in found}
            handles = ", ".join(str(key.handle) for key in found)
            result.end(
                "needs_operator",
                "OUTCOME-AMBIGUOUS",
                f"which key of the destination is this one, if any: {handles}? Look with"
                f" `{self._unclaimed.question(one.new_label)}`, then answer with"
                f" `keyferry resolve RUN {result.handle} --adopt HANDLE | --retry | --skip`",
            )

    def _found(self, result: KeyResult) -> list[DestinationKey]:
        return [key for key in self._unclaimed.candidates(result.planned) if key.handle not in result.beside]

    def _may_still_come(self, result: KeyResult) -> str:
        return (
            "the key was not found on the destination, but the tool that was told to unwrap it may still be at work:"
            " whether it has ended cannot be checked from here. Make sure that it has, look with"
            f" `{self._unclaimed.question(result.planned.new_label)}`, then answer with"
            f" `keyferry resolve RUN {result.handle} --adopt HANDLE | --retry | --skip`"
        )

    def _adopt(self, result: KeyResult, handle: DestinationHandle, by: str) -> None:
        self._transfer.arrived(result, handle, adopted=by, beside=sorted(result.beside))
        self._unclaimed.take(handle)

    def _recheck(self, result: KeyResult) -> None:
        """ALREADY-THERE: nobody moved the key meanwhile. BLOB-INTACT: its wrapped file is what was recorded."""
        others = [key for key in self._unclaimed.alike(result.planned) if key.handle not in result.beside]
        if others:
            already_there(result, [key.handle for key in others])
            return
        if result.stage in WITHOUT_BLOB:
            return
        path = self._files / f"{result.handle}.wrapped"
        if not path.exists():
            result.stage = Stage.PLANNED
        elif hash_of(path) != result.blob:
            raise MismatchError(
                f"the wrapped file {path.name} is not what was recorded",
                rule="BLOB-INTACT",
                seen=f"recorded: {result.blob}\nnow: {hash_of(path)}",
                keys="this key was not migrated; it is unchanged on the source",
                hint=f"find out who changed it; `keyferry resolve RUN {result.handle} --retry` wraps it anew",
            )


def matched_again(source: Source, carrier: KeyTransfer, results: Sequence[KeyResult]) -> None:
    """PLAN-MATCH: keys that must be wrapped are those of the plan still; one that is not fails, alone."""
    wanted = [result for result in results if result.state == "planned" and result.stage in WITHOUT_BLOB]
    if not wanted:
        return
    matcher = Matcher(source.keys(), source.check_value, stable=source.has_stable_handles())
    for result in wanted:
        try:
            [result.planned] = matcher.match([result.planned])
        except CheckFailedError as error:
            carrier.failed(result, error)
