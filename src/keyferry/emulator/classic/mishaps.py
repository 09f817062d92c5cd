"""The faults that vtl and cmu share, and how they write an error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyferry.emulator.faults import Fault, strikes
from keyferry.emulator.terminal import EndOfInputError

if TYPE_CHECKING:
    from keyferry.emulator.store import Store
    from keyferry.emulator.terminal import Terminal


def shared_faults(verbs: tuple[str, ...]) -> tuple[Fault, ...]:
    return (
        Fault("die", "ends before it says anything", verbs),
        Fault("hang", "says nothing and waits until its input ends", verbs),
        Fault("garbage", "answers something that is documented nowhere", verbs),
        Fault("slots-swapped", "the two partitions have traded slot numbers for this process", ("slots",)),
    )


def strikes_dead(store: Store, tool: str, verb: str, terminal: Terminal) -> bool:
    """Whether `die` or `hang` ends the run here (after hanging)."""
    if strikes(store, tool, "die", verb):
        return True
    if not strikes(store, tool, "hang", verb):
        return False
    try:
        while True:
            terminal.read_line()
    except EndOfInputError:
        return True


def writes_garbage(store: Store, tool: str, verb: str, terminal: Terminal) -> bool:
    if not strikes(store, tool, "garbage", verb):
        return False
    terminal.write(b"\x1b[7mframe 0x3f out of step\x1b[0m \xff\x00 retry=7 (see trace)\n")
    return True
