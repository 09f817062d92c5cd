"""The faults that vtl and cmu share, and how they write an error."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from keyferry.emulator.faults import Fault, of_lines, rubbish, strikes, wait_too_long
from keyferry.emulator.terminal import EndOfInputError

if TYPE_CHECKING:
    from keyferry.emulator.store import Store
    from keyferry.emulator.terminal import Terminal


def shared_faults(verbs: tuple[str, ...]) -> tuple[Fault, ...]:
    return (
        Fault("die", "ends before it says anything", verbs),
        Fault("die-after", "is killed after its whole answer; the work is done", verbs),
        Fault("late", "ends its answer after eight seconds; the work is done", verbs),
        *of_lines(verbs),
        Fault("hang", "says nothing and waits until its input ends", verbs),
        Fault("garbage", "answers something that is documented nowhere", verbs),
        Fault("slots-swapped", "the two partitions have traded slot numbers for this process", ("slots",)),
    )


def strikes_dead(store: Store, tool: str, verb: str, terminal: Terminal) -> bool:
    """Whether `die` or `hang` ends the run here (after hanging)."""
    terminal.drips = strikes(store, tool, "drip", verb)
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
    """Whether something else has taken the answer's place, and the work's."""
    garbage = b"\x1b[7mframe 0x3f out of step\x1b[0m \xff\x00 retry=7 (see trace)\n"
    if not strikes(store, tool, "garbage", verb):
        garbage = rubbish(lambda fault: strikes(store, tool, fault, verb))
    terminal.write(garbage)
    return bool(garbage)


def ends_badly(store: Store, tool: str, verb: str, terminal: Terminal) -> None:
    """Faults of an answer that is complete."""
    if strikes(store, tool, "late", verb):
        wait_too_long()
    if strikes(store, tool, "die-after", verb):
        terminal.flush()
        os.kill(os.getpid(), signal.SIGKILL)
