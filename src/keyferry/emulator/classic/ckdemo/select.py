"""The questions that come before a function's own (reference, section 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyferry.emulator.classic.errors import CkrError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from keyferry.emulator.classic.ckdemo.state import Demo
    from keyferry.emulator.classic.objects import Obj

_HIGHEST_ID = 500
_HIGHEST_HANDLE = 10000
_LIST = -1


def slot(demo: Demo) -> int:
    """Asked only where there is a choice; the answer is not held against the list."""
    if len(demo.slots) < 2:
        return demo.slots[0].number if demo.slots else 0
    demo.terminal.write("\nSlots available:")
    for each in demo.slots:
        demo.terminal.write(f"\n\tslot#{each.number} - {each.description:<64}")
    return demo.ask.number("\nSelect a slot: ", 0, _HIGHEST_ID)


def session(demo: Demo) -> int:
    """Asked only where there is a choice; 0 without any session."""
    if len(demo.sessions) < 2:
        return next(iter(demo.sessions), 0)
    demo.terminal.write("\nSessions available:")
    for handle, opened in demo.sessions.items():
        demo.terminal.write(f"\n\tsession#{handle} - slot {opened.slot.number}")
    return demo.ask.number("\nSelect a session: ", 0, _HIGHEST_ID)


def obj(demo: Demo, session_handle: int, message: str) -> int:
    """An object's handle, not held against the HSM; -1 lists the objects and asks again."""
    prompt = f"\n{message} (-1 to list available objects) : "
    while (handle := demo.ask.number(prompt, _LIST, _HIGHEST_HANDLE)) == _LIST:
        try:
            write_list(demo, demo.session(session_handle, "C_FindObjectsInit").find())
        except CkrError as error:
            demo.terminal.write(f"\nError trying to list all available objects.\nError: {error.ckr}\n")
    return handle


def write_list(demo: Demo, objects: Iterable[Obj]) -> None:
    lines = [b"\nHandle %d -- label: %b" % (each.handle, each.label) for each in objects]
    demo.terminal.write(b"".join(lines) + b"\n" if lines else b"\nNo objects found\n")
