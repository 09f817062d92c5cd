"""`--sessions N`: further sessions on both sides, each with its own tools, files and records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyferry.errors import CheckFailedError
from keyferry.migration.identity import same_identity
from keyferry.procedure import steps

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keyferry.migration.endpoints import Lane, Parties
    from keyferry.migration.signals import Interrupts
    from keyferry.tools.endpoints import Source


def demand_lasting_handles(sessions: int, source: Source) -> None:
    """CheckFailedError where a key's handle means another key in the next session."""
    if sessions > 1 and not source.handles_last():
        raise CheckFailedError(
            f"{sessions} sessions cannot share the keys of an HA group: its handles differ from session to session",
            rule="SLOT-MATCH",
            tool="ckdemo",
            keys="nothing was changed",
            hint="leave --sessions out, or name a member's own slot: --slot serial:...",
        )


def opened(parties: Parties, wanted: int, digest: str, interrupts: Interrupts) -> Iterator[Lane]:
    """Open lanes until there are `wanted` with the first, one after another: a secret is typed only where its last
    login succeeded (LOGIN-ONCE).
    """
    for number in range(2, wanted + 1):
        interrupts.check()
        lane = parties.another_lane(number)
        steps.start(parties.bus, "4.3", lane=number)
        lane.source.look()
        same_identity("classic", parties.source.identity(), lane.source.identity())
        steps.start(parties.bus, "4.4", lane=number)
        lane.source.open_session()
        steps.start(parties.bus, "4.5", lane=number)
        lane.source.log_in()
        lane.source.use_digest(digest)
        steps.start(parties.bus, "1.1", lane=number)
        lane.destination.look()
        parties.note_process(lane.destination)
        lane.destination.log_in()
        same_identity("cloudhsm", parties.destination.identity(), lane.destination.identity())
        lane.destination.use_digest(digest)
        yield lane
