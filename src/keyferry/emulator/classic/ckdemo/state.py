from __future__ import annotations

from typing import TYPE_CHECKING

from keyferry.emulator import faults
from keyferry.emulator.classic.errors import CkrError

if TYPE_CHECKING:
    from keyferry.emulator.classic.ckdemo.dialect import Dialect
    from keyferry.emulator.classic.ckdemo.readers import Reader
    from keyferry.emulator.classic.hsm import Hsm, Session, Slot
    from keyferry.emulator.store import Store
    from keyferry.emulator.terminal import Terminal

MAX_SESSIONS = 20


class Demo:
    """What one run of the program knows. `slots` is the list as it was at start; it is never read anew."""

    def __init__(self, store: Store, hsm: Hsm, terminal: Terminal, ask: Reader, dialect: Dialect) -> None:
        self.store = store
        self.hsm = hsm
        self.terminal = terminal
        self.ask = ask
        self.dialect = dialect
        self.slots: list[Slot] = []
        self.sessions: dict[int, Session] = {}
        self.opened = 0
        self.toggled: set[str] = set()

    def session(self, handle: int, function: str) -> Session:
        """The open session; CKR_SESSION_HANDLE_INVALID, in `function`'s name, where there is none."""
        if handle not in self.sessions:
            raise CkrError(function, "CKR_SESSION_HANDLE_INVALID")
        return self.sessions[handle]

    def idle(self, session: Session, verb: str, function: str) -> None:
        """A chance for the fault `logged-out`."""
        if self.strikes("logged-out", verb):
            session.logout()
            raise CkrError(function, "CKR_USER_NOT_LOGGED_IN")

    def strikes(self, fault: str, verb: str) -> bool:
        return faults.strikes(self.store, "ckdemo", fault, verb)
