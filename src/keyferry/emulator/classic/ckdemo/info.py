"""What slots, tokens and sessions say of themselves: menus 11 to 14."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from keyferry.emulator.classic.ckdemo import select
from keyferry.emulator.classic.errors import CkrError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keyferry.emulator.classic.ckdemo.state import Demo
    from keyferry.emulator.classic.hsm import Token

_STATES = {
    "": "CKS_RW_PUBLIC_SESSION",
    "CO": "CKS_RW_USER_FUNCTIONS",
    "CU": "CKS_RW_USER_FUNCTIONS",
    "SO": "CKS_RW_SO_FUNCTIONS",
    "AU": "?Unknown?",
}


def slot_info(demo: Demo) -> None:
    wanted = select.slot(demo)
    found = [slot for slot in demo.hsm.slots() if slot.number == wanted]
    if not found:
        raise CkrError("C_GetSlotInfo", "CKR_SLOT_ID_INVALID")
    lines = (f"Slot ID: {wanted}", f"Description: {found[0].description}", "Manufacturer: SafeNet Inc")
    flags = ("CKF_TOKEN_PRESENT",) if found[0].present else ("None",)
    _write(demo, "Slot Info", (*lines, "Flags: ", *(f"\t{flag}" for flag in flags)))


def token_info(demo: Demo) -> None:
    """The only screen that tells which partition a slot is."""
    token = demo.hsm.token(select.slot(demo))
    flags = list(token.flags)
    if demo.strikes("pin-count-low", "tokenInfo") and "CKF_USER_PIN_COUNT_LOW" not in flags:
        flags.append("CKF_USER_PIN_COUNT_LOW")
    _write(demo, "Token Info:", (*_names(token), *(f"\t{flag}" for flag in flags), *_numbers(token)))


def _names(token: Token) -> tuple[str, ...]:
    return (
        f"Token label -> {token.label:<32}",
        f"Token Manufacturer -> {token.manufacturer}",
        f"Token Model -> {token.model}",
        f"Token Serial Number -> {token.serial}",
        "Token Flags -> ",
    )


def _numbers(token: Token) -> tuple[str, ...]:
    return (
        f"Sessions (count/max) -> {token.sessions} / {token.max_sessions}",
        f"Read/Write Sessions (count/max) -> {token.rw_sessions} / {token.max_rw_sessions}",
        f"PIN Length (min - max) -> {token.min_pin} - {token.max_pin}",
        "Public Memory (free / total) -> {} / {}".format(*token.public_memory),
        "Private Memory (free / total) -> {} / {}".format(*token.private_memory),
        f"Hardware Version -> {token.hardware}",
        f"Firmware Version -> {token.firmware}",
        f"UTC Time -> {datetime.now(UTC):%Y%m%d%H%M%S00}",
    )


def session_info(demo: Demo) -> None:
    handle = select.session(demo)
    session = demo.session(handle, "C_GetSessionInfo")
    state = _STATES[session.role or ""]
    lines = (
        f"Handle -> {handle}",
        f"Slot Id -> {session.slot.number}",
        f"State -> {state}",
        "Device Error -> 0",
    )
    _write(demo, "Session Info:", (*lines, "Flags:", "\tCKF_RW_SESSION", "\tCKF_SERIAL_SESSION"))


def get_slot_list(demo: Demo) -> None:
    only_present = demo.ask.number("\nReport only slots with token present? Yes[1] No[0]", 0, 1)
    found = [slot.number for slot in demo.hsm.slots() if slot.present or not only_present]
    demo.terminal.write("".join(f"\nSlot #{number}" for number in found) or "\nNo slot found.")


def _write(demo: Demo, title: str, lines: Sequence[str]) -> None:
    demo.terminal.write(title + "\n" + "".join(f"\t{line}\n" for line in lines))
