from __future__ import annotations

from keyferry.emulator.classic.errors import CkrError
from keyferry.emulator.classic.library import Library, Token
from keyferry.emulator.classic.session import Session
from keyferry.emulator.classic.slots import Slot

__all__ = ["CkrError", "Hsm", "Session", "Slot", "Token"]


class Hsm(Library):
    """The Classic side as one process of one tool sees it, through its Cryptoki library."""

    def open(self, slot_number: int) -> Session:
        slot = self.present(slot_number, "C_OpenSession")
        self.open_sessions[slot.partition, slot.ha] += 1
        return Session(self, slot)
