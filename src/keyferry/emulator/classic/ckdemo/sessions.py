"""Sessions and logins: menus 1 to 4."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyferry.emulator.classic.ckdemo import select
from keyferry.emulator.classic.ckdemo.state import MAX_SESSIONS

if TYPE_CHECKING:
    from keyferry.emulator.classic.ckdemo.state import Demo

_SESSION_TYPE_QUESTIONS = (
    "\nReadOnly[0] Read/Write[1] Type? ",
    "\nParallel[0] Serial[1] Type? ",
    "\nExclusive session? Yes[1] No[0]  ",
)


def open_session(demo: Demo) -> None:
    if len(demo.sessions) >= MAX_SESSIONS:
        demo.terminal.write(
            "\nMaximum number of opened sessions is already reached. "
            f"{len(demo.sessions)} sessions are presently opened."
        )
        return
    slot = select.slot(demo)
    demo.ask.number(demo.dialect.roles.open_question, 0, demo.dialect.roles.open_last)
    if "Open Session Type" in demo.toggled:
        for question in _SESSION_TYPE_QUESTIONS:
            demo.ask.number(question, 0, 1)
    session = demo.hsm.open(slot)
    demo.opened += 1
    demo.sessions[demo.opened] = session


def close_session(demo: Demo) -> None:
    if demo.ask.number("Close a single session[0]\nClose all sessions[1]: ", 0, 1):
        slot = select.slot(demo)
        closing = [handle for handle, session in demo.sessions.items() if session.slot.number == slot]
    else:
        closing = [select.session(demo)]
    for handle in closing:
        demo.session(handle, "C_CloseSession").close()
        del demo.sessions[handle]


def login(demo: Demo) -> None:
    """Each PIN typed here reaches the HSM, and a wrong one counts."""
    handle = select.session(demo)
    roles = demo.dialect.roles
    role = roles.names[demo.ask.number(roles.login_list, 0, len(roles.names) - 1)]
    pin = _pin(demo)
    demo.session(handle, "C_Login").login(role, pin)


def _pin(demo: Demo) -> bytes:
    pad = hexadecimal = 0
    if "PIN path" in demo.toggled:
        pad = demo.ask.number("*For PIN*\nPIN path:  [0] user provided   [1] PIN-pad  > ", 0, 1)
        hexadecimal = 0 if pad else demo.ask.number("Format:  [0] ASCII  [1] Hexadecimal  > ", 0, 1)
    if pad:
        return b""
    if hexadecimal:
        return demo.ask.hexadecimal(demo.dialect.pin_prompt)
    return demo.ask.pin(demo.dialect.pin_prompt, masked=demo.dialect.masked)


def logout(demo: Demo) -> None:
    demo.session(select.session(demo), "C_Logout").logout()
