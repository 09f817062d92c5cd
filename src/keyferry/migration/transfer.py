"""Steps 5.2 to 7.2 for one key: wrap, move, unwrap, prove."""

from __future__ import annotations

import contextlib
from dataclasses import asdict
from typing import TYPE_CHECKING

from keyferry import steps
from keyferry.errors import Exit, InterruptedRunError, KeyferryError, MismatchError, NeedsOperatorError
from keyferry.events import KeyFinished
from keyferry.migration.already_there import SecondCopyError, already_there, second_copy
from keyferry.migration.wrapping_key import hash_of
from keyferry.planning.unwrap_spec import unwrap_spec, wrapped_name
from keyferry.run.state import WRONG_VALUE, Stage
from keyferry.run.status import WITHOUT_BLOB
from keyferry.tools.endpoints import KeySharing
from keyferry.verification.checks import attributes_match, holding_match, kcv_match

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from keyferry.migration.already_there import AlreadyThere
    from keyferry.migration.endpoints import Endpoints, Worker
    from keyferry.migration.results import KeyResult
    from keyferry.migration.wrapping_key import WrappingKey
    from keyferry.pkcs11 import DestinationHandle, Sha256
    from keyferry.planning.rules import EvaluationOptions
    from keyferry.run.directory import RunDirectory
    from keyferry.tools.endpoints import Destination, UnwrapSpec

ENDING = frozenset({Exit.RECORD_FAILED, Exit.UNKNOWN_SCREEN, Exit.UNREACHABLE, Exit.LOGIN_REFUSED, Exit.USAGE})
"""Errors after which no session can be trusted with the next key."""


REPEATABLE = frozenset({Stage.WRAPPED, Stage.MOVED, Stage.VERIFIED})
"""Results that nothing waits for: they are on the disk with the next intent at the latest, before it is acted on.
A power cut may take one of these before that, for what it tells is found or done again without harm."""


class KeyTransfer:
    """Carries keys; each intent is in the journal before its command is typed.

    `wrap` and `unwrap_and_verify` are a key's two halves, one on each side: nothing but the file and the result passes
    between them. Both go on from the stage that the key is in.
    """

    def __init__(  # noqa: PLR0917 - what a key's way depends on
        self,
        endpoints: Endpoints,
        directory: RunDirectory,
        wish: EvaluationOptions,
        wrapping_key: WrappingKey,
        there: AlreadyThere,
        worker: Worker | None = None,
    ) -> None:
        """there: of the whole run. lane: whose sessions carry, if not the run's first."""
        self._endpoints = endpoints
        self._worker = worker or endpoints
        self._directory = directory
        self._journal = directory.journal
        self._wish = wish
        self._wrapping_key = wrapping_key
        self._there = there
        self._moved: dict[str, Sha256] = {}
        self._unwrapped: list[str] = []

    @property
    def destination(self) -> Destination:
        """The session on the destination that these keys enter through."""
        return self._worker.destination

    def cross(self, result: KeyResult) -> None:
        """Take one key across and note what became of it; raises where the run cannot go on."""
        with self.recording_errors(result):
            self.wrap(result)
        self.arrive(result, [result])

    def arrive(self, result: KeyResult, ready: Sequence[KeyResult]) -> None:
        """`unwrap_and_verify`, where the key did not fail before, and what became of it noted."""
        if result.error is None:
            with self.recording_errors(result):
                self.unwrap_and_verify(result, ready)
        if result.error is None:
            self.ended(result)

    @contextlib.contextmanager
    def recording_errors(self, result: KeyResult) -> Iterator[None]:
        """Note an error as the key's own; it is raised where the session cannot be trusted with the next key."""
        try:
            yield
        except KeyferryError as error:
            self.failed(result, error)
            if error.exit_code in ENDING or isinstance(error, InterruptedRunError | SecondCopyError):
                raise

    def wrap(self, result: KeyResult) -> None:
        """5.2: the key's wrapped file lies in the run directory, and its hash is in the result."""
        if result.stage in WITHOUT_BLOB:
            self._wrap(result)

    def unwrap_and_verify(self, result: KeyResult, ready: Sequence[KeyResult]) -> None:
        """6 to 7.2: moved, unwrapped and proved. ready: the key and those after it whose files are to move too."""
        if result.stage is not Stage.UNWRAPPED:
            self._move(result, ready)
        with self._there.reserved(result.planned):
            self._unwrap_once(result)
        if result.state == "planned":
            self._prove(result)
        self._unwrapped.append(self._file(result).name)

    def _unwrap_once(self, result: KeyResult) -> None:
        """ALREADY-THERE, before and after: unwrapped if nobody else has, and then on the destination once."""
        self._step("7.2", result.planned.name)
        destination = self._worker.destination
        if result.stage is not Stage.UNWRAPPED:
            if others := self._there.others(destination, result):
                already_there(result, others)
                return
            self._unwrap(result)
        if others := self._there.others(destination, result):
            result.others |= frozenset(others)
            raise second_copy(result, others, destination)

    def _wrap(self, result: KeyResult) -> None:
        """5.2, BLOB-SIZE: the file is fresh and has the modulus' size."""
        self._step("5.2", result.planned.name)
        wrapping_handle = self._wrapping_key.source_handle
        if wrapping_handle is None:
            raise MismatchError("the wrapping key is not on the source", rule="WRAPPING-KEY-MATCH")
        self._intend(result, Stage.WRAP_INTENT, act="wrap", beside=sorted(result.beside))
        wrapped = self._worker.source.wrap(wrapping_handle, result.planned.key, self._wish.digest)
        size = (self._wrapping_key.public_key.bits + 7) // 8
        if wrapped.size != size:
            raise MismatchError(
                f"the wrapped file has {wrapped.size} bytes, not the modulus' {size}",
                rule="BLOB-SIZE",
                step="5.2",
                keys="this key was not migrated; it is unchanged on the source",
            )
        there = self._worker.source_host.collect(wrapped.name, self._file(result))
        self._worker.source.record_file(wrapped, there)
        self._same({"the source client": there, "the run directory": hash_of(self._file(result))}, "5.2")
        name = self._file(result).name
        self._done(result, Stage.WRAPPED, act="wrap", file=name, host="source", sha256=there, size=size)
        result.blob = there

    def _move(self, result: KeyResult, ready: Sequence[KeyResult]) -> None:
        """6, BLOB-INTACT: the same file on both hosts."""
        name = self._file(result).name
        if name not in self._moved:
            self.move_all(ready)
        there = self._moved.pop(name)
        self._same({"the source client": result.blob, "the destination client": there}, "6")
        self._done(result, Stage.MOVED, act="move", file=name, host="destination", sha256=there)

    def move_all(self, results: Sequence[KeyResult]) -> None:
        """6: the files of many keys in one transfer; each is compared when its key is at it."""
        name = results[0].planned.name if len(results) == 1 else None
        self._step("6", name)
        paths = [self._file(result) for result in results if result.stage is not Stage.UNWRAPPED]
        files = {path.name: path for path in paths}
        self._moved |= self._worker.destination_host.put_all(files, self._unwrapped)
        self._unwrapped.clear()

    def _unwrap(self, result: KeyResult) -> None:
        """7.2; from the intent on the outcome is the HSM's to tell, not ours to guess."""
        spec, wrapping_key = self._spec(result), self._wrapping_key.pair.private
        self._intend(
            result,
            Stage.UNWRAP_INTENT,
            act="unwrap",
            **asdict(spec),
            wrapping_key=wrapping_key,
            beside=sorted(result.beside),
        )
        self.arrived(result, self._worker.destination.unwrap(spec, wrapping_key))

    def arrived(self, result: KeyResult, handle: DestinationHandle, **how: object) -> None:
        """The key is on the destination under this handle. how: what the journal should say besides."""
        self._there.arrived(handle)
        self._done(result, Stage.UNWRAPPED, act="unwrap", handle=handle, **how)
        result.destination_handle = handle

    def _prove(self, result: KeyResult) -> None:
        """CLUSTER-COVERAGE, ATTRIBUTES-MATCH, KCV-MATCH."""
        destination, handle, spec = self._worker.destination, result.destination_handle, self._spec(result)
        if handle is None:
            raise MismatchError("the unwrapped key has no handle", rule="CLUSTER-COVERAGE")
        covered = destination.coverage(handle)
        result.nodes, result.coverage = covered.nodes, covered.words
        arrived = destination.describe(handle)
        result.kcv_there, result.attributes_there = arrived.kcv, dict(arrived.attributes)
        result.notes = attributes_match(
            result.planned, arrived, extractable=spec.extractable, settable=destination.settable_usages
        )
        if spec.sharing != KeySharing():
            holding_match(spec.sharing, destination.sharing(handle))
        result.proof = kcv_match(result.planned.kcv, arrived.kcv, handle=handle, require=self._wish.require_kcv)
        result.end("verified")

    def _spec(self, result: KeyResult) -> UnwrapSpec:
        wish, settable = self._wish, self._worker.destination.settable_usages
        return unwrap_spec(result.planned, digest=wish.digest, extractable=wish.extractable, settable=settable)

    def failed(self, result: KeyResult, error: KeyferryError) -> None:
        """Note how a key ended that did not cross, or that nobody knows how it ended."""
        result.error, result.code = error, error.exit_code
        result.open = error.exit_code in ENDING or isinstance(error, InterruptedRunError)
        error.redact(self._endpoints.sessions.redact)
        error.fill(step=self._endpoints.step)
        if isinstance(error, NeedsOperatorError):
            result.end("needs_operator", error.rule or "CLUSTER-COVERAGE", error.what)
        elif error.rule == WRONG_VALUE and result.destination_handle is not None:
            error.hint = self._wrong_value(result, result.destination_handle)
            result.end("needs_operator", WRONG_VALUE, f"{error.what}; {error.hint}")
        elif result.open and result.stage is Stage.UNWRAP_INTENT:
            error.fill(keys=f"whether {result.planned.name!r} was unwrapped is not known: `keyferry resume` finds out")
            result.end("needs_operator", error.rule or "OUTCOME-UNKNOWN", error.what)
        else:
            error.fill(keys="this key is unchanged on the source")
            unsure = "OUTCOME-UNKNOWN" if result.open else "TOOL-REFUSED"
            result.end("failed", error.rule or unsure, error.what)
        self.ended(result)

    def _wrong_value(self, result: KeyResult, handle: DestinationHandle) -> str:
        """What to do about a key of the destination that has another value than its source."""
        destination = self._worker.destination
        return (
            f"inspect key {handle} with `{destination.inspection(handle)}`, remove it with"
            f" `{destination.removal(handle)}`, then answer with"
            f" `keyferry resolve RUN {result.handle} --retry | --skip`"
        )

    def ended(self, result: KeyResult) -> None:
        """Write down what became of a key."""
        self._add(
            Stage.VERIFIED if result.state == "verified" else None,
            "key",
            **end_line(result),
        )
        result.attributes_there, result.notes = {}, {}  # the journal has them; thousands would fill the memory
        self._endpoints.bus.tell(KeyFinished(result.planned.name, result.state, result.rule, result.detail))

    def _step(self, number: str, key: str | None) -> None:
        steps.start(self._endpoints.bus, number, key, self._worker.number)

    def _intend(self, result: KeyResult, stage: Stage, **what: object) -> None:
        self._journal.write("intent", key=result.handle, **what)
        result.stage = stage

    def _done(self, result: KeyResult, stage: Stage, **what: object) -> None:
        self._add(stage, "done", key=result.handle, **what)
        result.stage = stage

    def _add(self, stage: Stage | None, kind: str, **what: object) -> None:
        (self._journal.note if stage in REPEATABLE else self._journal.write)(kind, **what)

    def _file(self, result: KeyResult) -> Path:
        return self._directory.files / wrapped_name(result.handle)

    @staticmethod
    def _same(hashes: dict[str, Sha256 | None], step: str) -> None:
        if None in hashes.values() or len(set(hashes.values())) != 1:
            raise MismatchError(
                "the wrapped file is not the same everywhere",
                rule="BLOB-INTACT",
                step=step,
                seen="\n".join(f"{place}: {digest or 'not known'}" for place, digest in hashes.items()),
                keys="this key was not migrated; it is unchanged on the source",
            )


def end_line(result: KeyResult) -> dict[str, object]:
    """The fields of the journal's line about what became of a key."""
    return {
        "key": result.handle,
        "state": result.state,
        "rule": result.rule,
        "detail": result.detail,
        "proof": result.proof,
        "kcv": result.planned.kcv,
        "kcv_there": result.kcv_there,
        "attributes_there": result.attributes_there,
        "handle": result.destination_handle,
        "nodes": result.nodes,
        "coverage": result.coverage or None,
        "attributes": result.notes,
        "seen": result.error and result.error.seen,
        "others": sorted(result.others),
        "open": result.open,
        "code": result.code,
    }
