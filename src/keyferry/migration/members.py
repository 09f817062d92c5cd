"""CLUSTER-COVERAGE, the cluster's half: `full` means every HSM that is in the cluster now, so the HSMs must stay."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyferry.errors import CheckFailedError, KeyferryError, NeedsOperatorError
from keyferry.events import KeyFinished
from keyferry.migration.transfer import end_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from keyferry.events import Bus
    from keyferry.migration.results import KeyResult
    from keyferry.migration.transfer import KeyTransfer
    from keyferry.pkcs11 import DestinationHandle
    from keyferry.run.journal import Journal
    from keyferry.tools.endpoints import Destination

_MISSING = (
    "an HSM joined the cluster after this key was verified, and the key is not on every HSM now: synchronize the"
    " cluster, then `keyferry resolve RUN KEY --adopt HANDLE` has `keyferry resume` prove it again"
)


class Members:
    """The HSMs of the cluster by their serial numbers: the same before the first wrap, after each batch and at the end.

    A tool that does not list them proves its coverage by other means; then nothing is asked and nothing is recorded.
    """

    def __init__(self, journal: Journal, bus: Bus, known: Sequence[str] | None) -> None:
        """known: those that an earlier process of this run began with."""
        self._journal, self._bus = journal, bus
        self._known = frozenset(known) if known else None

    def begin(self, destination: Destination, verified: Iterable[KeyResult], when: str) -> None:
        """Take the HSMs that the cluster lists now for those of this run.

        If they are others than an earlier process of this run saw, every key verified so far must be on them too.
        One that is not needs an operator.
        """
        now = destination.members()
        if now is None:
            return
        if frozenset(now) != frozenset(destination.cluster_fingerprints()):
            raise CheckFailedError(
                "an HSM joined or left the cluster while this command started",
                rule="DESTINATION-AVAILABILITY",
                seen=f"before: {', '.join(sorted(destination.cluster_fingerprints()))}\nnow: {', '.join(now)}",
                keys="nothing was changed by this command",
                hint="wait until no HSM is joining or leaving, then run the same command again",
            )
        changed = self._known is not None and frozenset(now) != self._known
        missing = [one for one in verified if not _is_covered(destination, one)] if changed else []
        for one in missing:
            one.end("needs_operator", "CLUSTER-COVERAGE", _MISSING)
            self._journal.write("key", **end_line(one))
            self._bus.tell(KeyFinished(one.planned.name, one.state, one.rule, one.detail))
        self._known = frozenset(now)
        self._journal.write("hsms", when=when, serials=list(now), baseline=True)

    def after_batch(self, carrier: KeyTransfer) -> None:
        self.check(carrier.destination, "after a batch")

    def check(self, destination: Destination, when: str) -> None:
        """NeedsOperatorError if an HSM joined or left the cluster since `begin`."""
        now = destination.members()
        if now is None:
            return
        self._journal.note("hsms", when=when, serials=list(now), baseline=False)
        if self._known is None or frozenset(now) == self._known:
            return
        raise NeedsOperatorError(
            f"the HSMs of the cluster changed during the run, found {when}: DESTINATION-AVAILABILITY requires that none"
            " joins or leaves",
            rule="CLUSTER-COVERAGE",
            seen=f"before: {', '.join(sorted(self._known))}\nnow: {', '.join(now)}",
            keys="the keys verified so far were on every HSM that was in the cluster then; other HSMs may lack them",
            hint="wait until no HSM is joining or leaving, then `keyferry resume`: it checks those keys again",
        )


def _is_covered(destination: Destination, result: KeyResult) -> bool:
    handle: DestinationHandle | None = result.destination_handle
    try:
        return handle is not None and bool(destination.coverage(handle))
    except KeyferryError as error:
        if error.rule != "CLUSTER-COVERAGE":
            raise
        return False
