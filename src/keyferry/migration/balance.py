"""TOTALS-BALANCE: every planned key has an end, and the destination has the keys more that this run unwrapped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyferry.errors import MismatchError
from keyferry.text import value

if TYPE_CHECKING:
    from keyferry.migration.results import RunResult
    from keyferry.pkcs11 import CloudHandle


def balance(
    result: RunResult,
    before: frozenset[CloudHandle],
    now: frozenset[CloudHandle],
    arrived: frozenset[CloudHandle],
    rejected: frozenset[CloudHandle] = frozenset(),
) -> None:
    """MismatchError where the totals do not balance.

    before, now: the destination's secret keys before anything was changed, and now. arrived: all that unwraps of
    this run made. rejected: those of them that have another value, which an operator may have removed. A key that
    needs an operator may have come without anybody seeing its handle.
    """
    totals = result.totals
    ended = sum(count for state, count in totals.items() if state != "planned")
    wanted = {key.cloudhsm_handle for key in result.keys if key.cloudhsm_handle is not None}
    gone = sorted(wanted - rejected - now)
    told = arrived.union(*(key.others for key in result.keys))
    strange = sorted(now - before - told)
    if ended == totals["planned"] and not gone and len(strange) <= totals["needs_operator"]:
        return
    raise MismatchError(
        f"the totals do not balance: {value(totals)}; {len(arrived)} unwrapped,"
        f" {len(now) - len(before)} more keys on the destination",
        rule="TOTALS-BALANCE",
        step="end",
        seen=f"unwrapped by this run and gone: {_told(gone)}\nnot of this run and new: {_told(strange)}",
        keys="each key's own verdict stands; something else made or removed keys of this user meanwhile",
    )


def _told(handles: list[CloudHandle]) -> str:
    return ", ".join(map(str, handles)) or "none"
