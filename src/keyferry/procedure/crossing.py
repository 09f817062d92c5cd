"""Steps 5.2 to 7.2 for one key: wrap, move, unwrap, prove."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from keyferry.errors import Exit, KeyferryError, MismatchError, NeedsOperatorError
from keyferry.events import KeyFinished
from keyferry.procedure import steps
from keyferry.procedure.proof import attributes_match, kcv_match
from keyferry.procedure.wrapping import hash_of
from keyferry.tools.parties import Arrival

if TYPE_CHECKING:
    from pathlib import Path

    from keyferry.names import CloudHandle, Sha256
    from keyferry.procedure.assembly import Parties
    from keyferry.procedure.results import KeyResult
    from keyferry.procedure.rules import Wish
    from keyferry.procedure.rundir import RunDirectory
    from keyferry.procedure.wrapping import WrappingKey

ENDING = frozenset({Exit.RECORD_FAILED, Exit.UNKNOWN_SCREEN, Exit.UNREACHABLE, Exit.LOGIN_REFUSED, Exit.USAGE})
"""Errors after which no session can be trusted with the next key."""


class Crossing:
    """Carries keys one by one; each intent is in the journal before its command is typed."""

    def __init__(self, parties: Parties, directory: RunDirectory, wish: Wish, wrapping_key: WrappingKey) -> None:
        self._parties = parties
        self._directory = directory
        self._journal = directory.journal
        self._wish = wish
        self._wrapping_key = wrapping_key
        self._unwrapping = False

    def cross(self, result: KeyResult) -> None:
        """Take one key across and note what became of it; raises where the run cannot go on."""
        self._unwrapping = False
        try:
            self._carry(result)
        except KeyferryError as error:
            self._note(result, error)
            if error.exit_code in ENDING:
                raise
        finally:
            self._finish(result)

    def _carry(self, result: KeyResult) -> None:
        digest = self._wrap(result)
        name = self._move(result, digest)
        handle = self._unwrap(result, name)
        result.cloudhsm_handle = handle
        self._prove(result, handle)
        self._parties.cloudhsm_host.remove(name)

    def _wrap(self, result: KeyResult) -> Sha256:
        """5.2, BLOB-SIZE: the file is fresh and has the modulus' size."""
        steps.start(self._parties.bus, "5.2", result.planned.name)
        wrapping_handle = self._wrapping_key.classic_handle
        if wrapping_handle is None:
            raise MismatchError("the wrapping key is not on the Classic side", rule="WRAPPING-KEY-MATCH")
        self._journal.write("intent", act="wrap", key=result.handle)
        wrapped = self._parties.source.wrap(wrapping_handle, result.planned.key, self._wish.digest)
        size = (self._wrapping_key.public_key.bits + 7) // 8
        if wrapped.size != size:
            raise MismatchError(
                f"the wrapped file has {wrapped.size} bytes, not the modulus' {size}",
                rule="BLOB-SIZE",
                step="5.2",
                keys="this key did not cross; it is unchanged on the Classic side",
            )
        there = self._parties.classic_host.fetch(wrapped.name, self._file(result))
        self._same({"the Classic client": there, "the run directory": hash_of(self._file(result))}, "5.2")
        name = self._file(result).name
        self._journal.write("done", act="wrap", key=result.handle, file=name, host="classic", sha256=there, size=size)
        return there

    def _move(self, result: KeyResult, digest: Sha256) -> str:
        """6, BLOB-INTACT: the same file on both hosts."""
        steps.start(self._parties.bus, "6", result.planned.name)
        name = self._file(result).name
        there = self._parties.cloudhsm_host.put(self._file(result), name)
        self._same({"the Classic client": digest, "the CloudHSM client": there}, "6")
        self._journal.write("done", act="move", key=result.handle, file=name, host="cloudhsm", sha256=there)
        return name

    def _unwrap(self, result: KeyResult, name: str) -> CloudHandle:
        """7.2; from the intent on the outcome is the HSM's to tell, not ours to guess."""
        planned = result.planned
        steps.start(self._parties.bus, "7.2", planned.name)
        arrival = Arrival(
            label=planned.new_label,
            id=planned.new_id or None,
            type=planned.key.type,
            bits=planned.key.bits or 0,
            extractable=self._wish.extractable,
            digest=self._wish.digest,
            wrapping_key=self._wrapping_key.pair.private,
            file=name,
            usages=planned.key.usages,
        )
        self._journal.write("intent", act="unwrap", key=result.handle, **asdict(arrival))
        self._unwrapping = True
        handle = self._parties.destination.unwrap(arrival)
        self._unwrapping = False
        self._journal.write("done", act="unwrap", key=result.handle, handle=handle)
        return handle

    def _prove(self, result: KeyResult, handle: CloudHandle) -> None:
        """CLUSTER-COVERAGE, ATTRIBUTES-MATCH, KCV-MATCH."""
        destination = self._parties.destination
        result.nodes = destination.coverage(handle).nodes
        arrived = destination.describe(handle)
        result.kcv_there, result.attributes_there = arrived.kcv, dict(arrived.attributes)
        result.notes = attributes_match(
            result.planned, arrived, extractable=self._wish.extractable, settable=destination.settable_usages
        )
        result.proof = kcv_match(result.planned.kcv, arrived.kcv, handle=handle, require=self._wish.require_kcv)
        result.end("verified")

    def _note(self, result: KeyResult, error: KeyferryError) -> None:
        result.error = error
        error.redact(self._parties.sessions.redact)
        error.fill(step=self._parties.step)
        if isinstance(error, NeedsOperatorError):
            result.end("needs_operator", error.rule or "CLUSTER-COVERAGE", error.what)
        elif self._unwrapping and error.exit_code in ENDING:
            error.fill(
                keys=f"whether {result.planned.name!r} was unwrapped is not known: look before anything is retried"
            )
            result.end("needs_operator", error.rule or "OUTCOME-UNKNOWN", error.what)
        else:
            error.fill(keys="this key is unchanged on the Classic side")
            unsure = "OUTCOME-UNKNOWN" if error.exit_code in ENDING else "TOOL-REFUSED"
            result.end("failed", error.rule or unsure, error.what)

    def _finish(self, result: KeyResult) -> None:
        self._journal.write(
            "key",
            key=result.handle,
            state=result.state,
            rule=result.rule,
            detail=result.detail,
            proof=result.proof,
            kcv=result.planned.kcv,
            kcv_there=result.kcv_there,
            attributes_there=result.attributes_there,
            handle=result.cloudhsm_handle,
            nodes=result.nodes,
            attributes=result.notes,
            seen=result.error and result.error.seen,
        )
        self._parties.bus.tell(KeyFinished(result.planned.name, result.state, result.rule, result.detail))

    def _file(self, result: KeyResult) -> Path:
        return self._directory.files / f"{result.handle}.wrapped"

    @staticmethod
    def _same(hashes: dict[str, Sha256], step: str) -> None:
        if len(set(hashes.values())) != 1:
            raise MismatchError(
                "the wrapped file is not the same everywhere",
                rule="BLOB-INTACT",
                step=step,
                seen="\n".join(f"{place}: {digest}" for place, digest in hashes.items()),
                keys="this key did not cross; it is unchanged on the Classic side",
            )
