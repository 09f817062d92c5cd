"""RUN-OWNER: a resumed run and each further session speak to the same partition, cluster and crypto user."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyferry.errors import CheckFailedError
from keyferry.planning.plan import IDENTITY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from keyferry.run.state import RunState


def same_cluster(past: RunState, now: Sequence[str]) -> None:
    """RUN-OWNER: the cluster shows before the login something that it has shown to this run already."""
    if past.cluster_fingerprints and past.cluster_fingerprints.isdisjoint(now):
        seen = f"shown now: {', '.join(now) or 'nothing'}\nbefore: {', '.join(sorted(past.cluster_fingerprints))}"
        raise _not_the_owner("destination", seen)


def same_owner(past: RunState, side: str, now: Mapping[str, str]) -> None:
    """RUN-OWNER: this side is who the journal says; another crypto user or partition has other keys."""
    same_identity(side, (past.endpoints or {}).get(side, {}), now)


def same_identity(side: str, then: Mapping[str, str], now: Mapping[str, str]) -> None:
    wrong = [
        f"{name}: {repr(now[name]) if name in now else 'not shown'} instead of {then[name]!r}"
        for name in IDENTITY[side]
        if name in then and then[name] != now.get(name)
    ]
    if wrong:
        raise _not_the_owner(side, "\n".join(wrong))


def _not_the_owner(side: str, seen: str) -> CheckFailedError:
    return CheckFailedError(
        f"the {side} side is not that of this run",
        rule="RUN-OWNER",
        seen=seen,
        keys="nothing was changed; this run's keys were not looked for",
        hint="resume as the same crypto user, on the same partition and cluster, or begin a new run",
    )
