"""LOCKOUT-NEAR on the source: what Token Info tells of failure counters before a PIN is typed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keyferry.errors import LockoutNearError
from keyferry.tools.ckdemo import dialect
from keyferry.tools.ledger import Account

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from keyferry.pkcs11 import Slot
    from keyferry.tools.ckdemo.screens import Token
    from keyferry.tools.vtl.screens import SlotRow

USER = "crypto officer"
NOT_SEEN = (
    "the failure counters of the HA group's members were not seen: no member's slot is visible (HAOnly), and the "
    "group's own Token Info does not show them"
)


@dataclass(frozen=True, slots=True)
class Counters:
    """The lock-out flags of the slots that a login may try. seen: a failure counter was read at all."""

    raised: tuple[tuple[SlotRow, tuple[str, ...]], ...]
    seen: bool

    def require_none(self, *, allow_raised: bool) -> None:
        """LockoutNearError if a counter is raised; one that is locked is refused in any case."""
        for row, flags in self.raised:
            if allow_raised and "CKF_USER_PIN_LOCKED" not in flags:
                continue
            raise LockoutNearError(
                f"slot {row.number} ({row.label}, serial {row.serial}) reports {', '.join(flags)}",
                rule="LOCKOUT-NEAR",
                tool="ckdemo",
                keys="no PIN was typed, nothing was changed",
                hint="find out who typed wrong PINs; --allow-raised-counter types the PIN once all the same",
            )


def counters(
    row: SlotRow, token: Token, rows: Sequence[SlotRow], read: Callable[[Slot], Token], check: Callable[..., None]
) -> Counters:
    """Read the failure counters of a slot.

    An HA slot's Token Info is the library's, and a login tries every member. No tool lists the members, so the Token
    Info of every visible partition is read.

    Args:
        row: The slot.
        token: Its own Token Info.
        rows: All slots of the client.
        read: Reads the Token Info of a slot.
        check: Called with a member's row, label and serial; raises where the slot is another partition by now.
    """
    told = [(row, token)]
    for member in members(row, rows):
        found = read(member.number)
        check(member, found.label, found.serial)
        told.append((member, found))
    return Counters(tuple(_raised(told)), seen=not row.ha or len(told) > 1)


def members(row: SlotRow, rows: Sequence[SlotRow]) -> list[SlotRow]:
    """The visible slots that may be members of an HA slot's group; none for any other slot."""
    return [one for one in rows if one.present and not one.ha] if row.ha else []


def account(row: SlotRow, emulator: str | None, *, counted: bool) -> Account:
    """The crypto officer of a slot's partition. An HA group has the first member's serial number behind a 1."""
    serial = row.serial or ""
    serials = {serial, serial.removeprefix("1")} if row.ha else {serial}
    return Account("source", USER, frozenset(serials - {""}), emulator=emulator, counted=counted)


def _raised(told: Sequence[tuple[SlotRow, Token]]) -> Iterator[tuple[SlotRow, tuple[str, ...]]]:
    for row, token in told:
        if flags := tuple(flag for flag in dialect.LOCKOUT_FLAGS if flag in token.flags):
            yield row, flags
