from __future__ import annotations

from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from keyferry.emulator.classic.client_config import Client
from keyferry.emulator.classic.errors import CkrError
from keyferry.emulator.classic.object_store import Shelf
from keyferry.emulator.classic.roles import user_flags

if TYPE_CHECKING:
    from keyferry.emulator.classic.ha_handles import VirtualHandles
    from keyferry.emulator.classic.slots import Slot
    from keyferry.emulator.store import Store


class Token(NamedTuple):
    """What C_GetTokenInfo gives; memory in bytes, `rw_sessions` and `sessions` are this process' own."""

    label: str
    serial: str
    flags: tuple[str, ...]
    manufacturer: str
    model: str
    hardware: str
    firmware: str
    sessions: int
    rw_sessions: int
    max_sessions: int = 0
    max_rw_sessions: int = 0
    min_pin: int = 7
    max_pin: int = 255
    public_memory: tuple[int, int] = (102_701, 102_701)  # free, total
    private_memory: tuple[int, int] = (102_701, 102_701)


class _Model(NamedTuple):
    manufacturer: str
    model: str
    hardware: str
    firmware: str


_MODELS = {
    "5": _Model("Safenet, Inc.", "LunaSA", "0.0", "6.2.1"),
    "7": _Model("SafeNet", "LunaSA 7.4.0", "0.0", "7.3.3"),
}
_TOKEN_FLAGS = ("CKF_RNG", "CKF_LOGIN_REQUIRED", "CKF_RESTORE_KEY_NOT_NEEDED", "CKF_TOKEN_INITIALIZED")


class Library(Client):
    """Cryptoki as one process of one tool has it: tokens, objects, and who is logged in; `Hsm` opens sessions."""

    def __init__(self, store: Store, tool: str, *, ha: bool = True) -> None:
        super().__init__(store, tool, ha=ha)
        self.shelf = Shelf(store)
        self.roles: dict[tuple[int, bool], str] = {}  # who is logged in, by partition and HA
        self.open_sessions: Counter[tuple[int, bool]] = Counter()

    @cached_property
    def virtual(self) -> VirtualHandles:
        """What the HA slots call the objects, in this process."""
        from keyferry.emulator.classic.ha_handles import VirtualHandles  # noqa: PLC0415 - random, for HA slots only

        return VirtualHandles()

    def token(self, slot_number: int) -> Token:
        slot = self.present(slot_number, "C_GetTokenInfo")
        model = _MODELS[self.dialect]
        sessions = self.open_sessions[slot.partition, slot.ha]
        return Token(
            label=slot.label or "",
            serial=slot.serial or "",
            flags=_TOKEN_FLAGS + user_flags(self.store, slot.partition, virtual=slot.ha),
            manufacturer=model.manufacturer,
            model="LunaVirtual" if slot.ha else model.model,
            hardware=model.hardware,
            firmware=model.firmware,
            sessions=sessions,
            rw_sessions=sessions,
        )

    def members(self, slot: Slot) -> list[int]:
        """The partitions that a login to a slot tries: of an HA group, which holds them all, every one."""
        if not slot.ha:
            return [slot.partition]
        return [row["id"] for row in self.store.rows("SELECT id FROM luna_partition ORDER BY id")]

    def closed(self, slot: Slot) -> None:
        """A session of the slot has ended; with the last one its login ends too."""
        place = slot.partition, slot.ha
        self.open_sessions[place] -= 1
        if not self.open_sessions[place]:
            self.roles.pop(place, None)

    def present(self, slot_number: int, function: str) -> Slot:
        for slot in self._slots():
            if slot.number == slot_number:
                if not slot.present:
                    raise CkrError(function, "CKR_TOKEN_NOT_PRESENT")
                return slot
        raise CkrError(function, "CKR_SLOT_ID_INVALID")
