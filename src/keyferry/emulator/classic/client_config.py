from __future__ import annotations

from typing import TYPE_CHECKING

from keyferry.emulator.classic.slots import Slot, read_slots
from keyferry.emulator.faults import strikes
from keyferry.emulator.jitter import Jitter

if TYPE_CHECKING:
    from keyferry.emulator.store import Store


class Client:
    """The client software as one process of one tool has it: what it knows without a session.

    `ha=False` leaves the HA groups out, as `ckdemo nolb` does.
    """

    def __init__(self, store: Store, tool: str, *, ha: bool = True) -> None:
        self.store = store
        self.dialect = store.setting("luna", "7")
        self.jitter = Jitter(store.setting("jitter"))
        self._tool = tool
        self._ha = ha
        self._swapped = False

    def slots(self) -> list[Slot]:
        """All slots in listing order, also empty ones; a chance for the fault `slots-swapped`."""
        self._swapped |= strikes(self.store, self._tool, "slots-swapped", "slots")
        return self._slots()

    def _slots(self) -> list[Slot]:
        return read_slots(self.store, self.dialect, ha=self._ha, swapped=self._swapped)
