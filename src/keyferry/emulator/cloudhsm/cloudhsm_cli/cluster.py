"""The commands of cloudhsm-cli about users and the cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyferry.emulator.cloudhsm.cloudhsm_cli.session import Failed
from keyferry.emulator.cloudhsm.cluster import LOCK_AFTER, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from keyferry.emulator.cloudhsm.cloudhsm_cli.session import Session
    from keyferry.emulator.cloudhsm.cloudhsm_cli.words import Arguments
    from keyferry.emulator.cloudhsm.cluster import User

ROLES = {"CU": "crypto-user", "CO": "admin", "AU": "internal(APPLIANCE_USER)"}
_TYPES = {role: kind for kind, role in ROLES.items()}
_TOKEN_SIGN = {"strategy": "token-sign"}
_OF_USERS: Mapping[str, Mapping[str, object]] = {
    "user-locked": {"locked": "true"},
    "user-locked-somewhere": {"locked": "inconsistent"},
    "user-role-differs": {"role": "inconsistent"},
    "user-not-everywhere": {"cluster-coverage": "inconsistent"},
    "user-mfa": {"mfa": [_TOKEN_SIGN | {"status": "enabled"}]},
    "user-mfa-differs": {"mfa": [_TOKEN_SIGN | {"status": "inconsistent"}]},
}
"""What a fault changes in the entry of each crypto user."""

FIPS_STATE = "fips_state"  # the setting that holds a cluster's mode, where it is not the usual one
_FIPS = "2 [FIPS mode with single factor authentication]"
_NON_FIPS = "0 [non-FIPS mode with single factor authentication]"
_HSM1 = {
    "model": "NITROX-III CNN35XX-NFBE",
    "hardware-version-major": "5",
    "hardware-version-minor": "3",
    "firmware-version-major": "2",
    "firmware-version-minor": "6",
    "firmware-build-number": "16",
    "firmware-id": "CNN35XX-NFBE-FW-2.06-16",
}
_HSM2M = dict.fromkeys(_HSM1, "0") | {"model": "UNKNOWN-HSM2M-MODEL", "firmware-id": "UNKNOWN-HSM2M-FIRMWARE"}
"""The values of hsm2m.medium are not public."""


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
    struck = {fault: session.struck(fault) for fault in _OF_USERS}
    session.answer({"users": [_shown(session, user, struck) for user in session.cluster.users()]})


def _shown(session: Session, user: User, struck: Mapping[str, bool]) -> dict[str, object]:
    """Every member in the order of the documented form, each a string or a list; `quorum` only in newer versions."""
    locked = "true" if user.failures >= LOCK_AFTER else "false"
    found: dict[str, object] = {
        "username": user.name.lower(),
        "role": ROLES.get(user.type, user.type),
        "locked": locked,
        "mfa": [],
        **({"quorum": []} if session.jitter.pick("user-quorum", True, False) else {}),
        "cluster-coverage": "full",
    }
    if user.type == "CU":
        for fault, change in _OF_USERS.items():
            found |= change if struck[fault] else {}
    return found


def hsm_info(session: Session, _arguments: Arguments) -> None:
    nodes = session.cluster.nodes()
    if session.struck("hsm-joined"):
        nodes = [*nodes, max(nodes) + 1]
    if session.struck("hsm-left"):
        nodes = nodes[:-1]
    if session.struck("hsm-replaced"):
        nodes = [*nodes[:-1], nodes[-1] + 20]
    if session.struck("no-hsm"):
        nodes = []
    about = session.jitter.pick("hsm-type", _HSM2M, _HSM1)
    states = (_FIPS, _NON_FIPS) if about is _HSM2M else (_FIPS,)  # hsm1 clusters are in FIPS mode always
    state = session.store.setting(FIPS_STATE) or session.jitter.pick("fips-state", *states)
    found = [
        {
            "vendor": "Marvell Semiconductors, Inc.",
            "model": about["model"],
            "serial-number": f"5.{node}G2107-ICM{node:06}",
            **{name: value for name, value in about.items() if name != "model"},
            "fips-state": state,
        }
        for node in nodes
    ]
    session.answer({"hsms": found})
