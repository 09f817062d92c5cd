"""The commands of cloudhsm-cli about users and the cluster. Forms of `user list` and `cluster hsm-info`: inferred."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyferry.emulator.cloudhsm.cli_session import Failed
from keyferry.emulator.cloudhsm.cluster import LOCK_AFTER, Refused

if TYPE_CHECKING:
    from keyferry.emulator.cloudhsm.cli_session import Session
    from keyferry.emulator.cloudhsm.cli_words import Arguments
    from keyferry.emulator.cloudhsm.cluster import User

ROLES = {"CU": "crypto-user", "CO": "admin", "AU": "internal(APPLIANCE_USER)"}
_TYPES = {role: kind for kind, role in ROLES.items()}


def login(session: Session, arguments: Arguments) -> None:
    if session.logged_in is not None:
        raise Failed(session.jitter.pick("in-already-text", "A user is already logged in", "Already logged in"))
    typed = arguments.text("password").encode() if "password" in arguments else _password(session)
    if session.struck("refused"):
        typed += b"x"
    name, role = arguments.text("username").lower(), arguments.text("role")
    enter(session, name, role, typed)
    session.answer({"username": name, "role": role})


def enter(session: Session, name: str, role: str, password: bytes) -> None:
    """Log a user in; names are the same in any case."""
    known = {user.name.lower(): user.name for user in session.cluster.users()}
    try:
        session.logged_in = session.cluster.login(_TYPES.get(role, role), known.get(name.lower(), name), password)
    except Refused:
        raise Failed(session.jitter.pick("refused-text", "Login failed", "Invalid username or password")) from None


def _password(session: Session) -> bytes:
    session.terminal.write(session.jitter.pick("password-prompt", "Enter password:", "Enter password: "))
    return session.terminal.read_masked(b"").rstrip(b"\r")


def logout(session: Session, _arguments: Arguments) -> None:
    if session.logged_in is None:
        raise Failed("No user is logged in")
    session.logged_in = None
    session.answer("Logout successful")


def users(session: Session, _arguments: Arguments) -> None:
    struck = session.struck("user-locked")
    session.answer({"users": [_shown(session, user, struck=struck) for user in session.cluster.users()]})


def _shown(session: Session, user: User, *, struck: bool) -> dict[str, object]:
    locked = user.failures >= LOCK_AFTER or (struck and user.type == "CU")
    return {
        "username": user.name.lower(),
        "role": ROLES.get(user.type, user.type),
        "locked": session.jitter.pick("locked-as-text", str(locked).lower(), locked),
        "mfa": [],
        "cluster-coverage": "full",
    }


def hsm_info(session: Session, _arguments: Arguments) -> None:
    model = session.jitter.pick("hsm-model", "LS2 Family", "NITROX-III CNN35XX-NFBE")
    found = [
        {
            "vendor": "Marvell Semiconductors, Inc.",
            "model": model,
            "serial-number": f"5.{node}G2107-ICM{node:06}",
            "hardware-version-major": "7",
            "hardware-version-minor": "2",
            "firmware-version-major": "10",
            "firmware-version-minor": "2",
            "fips-state": "2 [FIPS mode with single factor authentication]",
        }
        for node in session.cluster.nodes()
    ]
    session.answer({"hsms": found})
