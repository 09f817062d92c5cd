from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from keyferry.errors import CheckFailedError, UnreachableError
from keyferry.text import last_lines
from keyferry.tools.ckdemo.dialect import HIGHEST_SLOT
from keyferry.tools.lines import unknown
from keyferry.tools.one_shot import NOTHING_MORE
from keyferry.tools.vtl import dialect, screens

if TYPE_CHECKING:
    from collections.abc import Callable

    from keyferry.terminal.host import Host
    from keyferry.terminal.sessions import Sessions
    from keyferry.tools.limits import Limits
    from keyferry.tools.vtl.screens import SlotRow, VerifiedRow

T = TypeVar("T")


def list_slots(sessions: Sessions, host: Host, limits: Limits) -> tuple[SlotRow, ...]:
    """Every slot of this client, empty ones too; needs no login. An answer counts only with exit status 0."""
    return _call(sessions, host, limits, "listSlots", screens.slots)


def verify(sessions: Sessions, host: Host, limits: Limits) -> tuple[VerifiedRow, ...]:
    """Every partition that this client may use; needs no login. ToolRefusedError where there is none."""
    return _call(sessions, host, limits, "verify", screens.verified)


def _call(sessions: Sessions, host: Host, limits: Limits, verb: str, parse: Callable[[str], T]) -> T:
    with sessions.open(host, "vtl", verb, manners=dialect.MANNERS) as console:
        text = console.hear(NOTHING_MORE, limit=limits.answer).text
        status = console.close()
    if status is None or (status and not text.strip()):
        raise UnreachableError(
            "vtl ended before it said anything whole",
            tool="vtl",
            host=host.name,
            seen=last_lines(text) or None,
            keys="nothing was changed",
        )
    rows = parse(text)
    if status:
        raise unknown("vtl", verb, f"exit status {status} after a whole answer", text)
    return rows


def choose(rows: tuple[SlotRow, ...], wanted: str) -> SlotRow:
    """The one slot that is meant: `number:N`, `label:TEXT`, `serial:TEXT`, or bare digits or a bare label.

    SLOT-MATCH: CheckFailedError unless exactly one slot with a token is; it lists what there is.
    """
    is_meant = _test(wanted)
    present = [row for row in rows if row.present]
    meant = [row for row in present if is_meant(row)]
    if len(meant) != 1:
        raise _not_chosen(f"{len(meant)} slots match {wanted!r} (expected exactly one)", present)
    if meant[0].number > HIGHEST_SLOT:
        raise _not_chosen(f"slot {meant[0].number} cannot be typed to ckdemo: above {HIGHEST_SLOT}", present)
    return meant[0]


def _test(wanted: str) -> Callable[[SlotRow], bool]:
    kind, colon, value = wanted.partition(":")
    if not colon or kind not in {"number", "label", "serial"}:
        kind, value = ("number" if wanted.isdecimal() else "label"), wanted
    if kind == "number":
        return lambda row: value.isdecimal() and row.number == int(value)
    return lambda row: value == (row.label if kind == "label" else row.serial)


def _not_chosen(what: str, present: list[SlotRow]) -> CheckFailedError:
    return CheckFailedError(
        what,
        rule="SLOT-MATCH",
        tool="vtl",
        seen="\n".join(f"slot {row.number}: label {row.label!r}, serial {row.serial}" for row in present),
        keys="nothing was changed",
        hint="name the slot with --slot number:N, label:TEXT or serial:TEXT",
    )
