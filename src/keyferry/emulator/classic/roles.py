from __future__ import annotations

from typing import TYPE_CHECKING

from keyferry.emulator.classic.errors import CkrError
from keyferry.emulator.store import hide, matches

if TYPE_CHECKING:
    from keyferry.emulator.store import Store

TRIES = 10  # of a crypto officer or user; an administrator can set fewer


def set_pin(store: Store, partition: int, role: str, pin: bytes) -> None:
    """Initialize a role ("CO", "CU"); its failures start at none."""
    store.run("INSERT OR REPLACE INTO luna_role VALUES (?, ?, ?, 0)", partition, role, hide(pin))


def check_pin(store: Store, partition: int, role: str, pin: bytes, *, locked: str) -> None:
    """CkrError unless this is the role's PIN. A wrong try counts; after the tenth the answer is `locked`."""
    row = store.row("SELECT * FROM luna_role WHERE partition = ? AND role = ?", partition, role)
    if row is None:
        raise CkrError("C_Login", "CKR_USER_PIN_NOT_INITIALIZED")
    if row["failures"] >= TRIES:
        raise CkrError("C_Login", locked)
    right = matches(pin, row["pin"])
    failures = "0" if right else "failures + 1"
    store.run(
        f"UPDATE luna_role SET failures = {failures} WHERE partition = ? AND role = ?",  # noqa: S608 - one of two texts
        *(partition, role),
    )
    if not right:
        raise CkrError("C_Login", "CKR_PIN_INCORRECT")


def user_flags(store: Store, partition: int, *, virtual: bool = False) -> tuple[str, ...]:
    """What the token says of its crypto officer's counter. The token of an HA group is the library's: it has none."""
    row = store.row("SELECT failures FROM luna_role WHERE partition = ? AND role = 'CO'", partition)
    if row is None:
        return ()
    if virtual:
        return ("CKF_USER_PIN_INITIALIZED",)
    counter = (
        ("CKF_USER_PIN_COUNT_LOW", row["failures"] > 0),
        ("CKF_USER_PIN_FINAL_TRY", row["failures"] == TRIES - 1),
        ("CKF_USER_PIN_LOCKED", row["failures"] >= TRIES),
    )
    return ("CKF_USER_PIN_INITIALIZED", *(name for name, holds in counter if holds))
