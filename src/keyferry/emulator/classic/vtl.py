from __future__ import annotations

from typing import TYPE_CHECKING

from keyferry.emulator.classic.client_config import Client
from keyferry.emulator.classic.tool_faults import ends_badly, shared_faults, strikes_dead, writes_garbage
from keyferry.emulator.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from keyferry.emulator.classic.slots import Slot
    from keyferry.emulator.store import Store

_NO_PARTITION = "Error: Unable to find any Luna SA slots/partitions among registered server\n"
FAULTS = shared_faults(("listSlots", "verify", "listServers"))


def main(store: Store, argv: list[str]) -> int:
    terminal = Terminal()
    client = Client(store, "vtl")
    verb = _verb(argv)
    if verb is not None and strikes_dead(store, "vtl", verb, terminal):
        return 1
    if client.dialect == "7":
        version = client.jitter.pick("client version", "10.3.0-275", "10.5.0-470")
        terminal.write(f"vtl (64-bit) v{version}. Emulated for rehearsals.\n\n")
    if verb is None:
        terminal.write("Usage: vtl " + " | ".join(_VERBS) + "\n")
    elif not writes_garbage(store, "vtl", verb, terminal):
        terminal.write(_VERBS[verb](client))
        ends_badly(store, "vtl", verb, terminal)
    terminal.flush()
    return int(verb is None)


def _verb(argv: list[str]) -> str | None:
    """The one sub-command that the first word begins, in any case and with or without a dash."""
    asked = argv[0].removeprefix("-").lower() if argv else ""
    named = [verb for verb in _VERBS if asked and verb.lower().startswith(asked)]
    return named[0] if len(named) == 1 else None


def _list_slots(client: Client) -> str:
    slots = client.slots()
    old = client.dialect == "5"
    label = client.jitter.pick("label column", 31, 32) if old else 32
    widths = (9, 20, label, 10, 12) if old else (4, 20, 32, 16, 12)
    heads = ("Slot #" if old else "Slot", "Description", "Label", "Serial #", "Status")
    found = "The following slots were found:" + (" " if old else "")
    table = [heads, tuple("=" * width for width in widths), *(_row(slot, old=old) for slot in slots)]
    rows = (" ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in table)
    end = client.jitter.pick("blank line after the slots", "", "\n")
    return "\n".join((f"Number of slots: {len(slots)}", "", found, "", *rows)) + "\n" + end


def _row(slot: Slot, *, old: bool) -> Sequence[str]:
    number = f"slot #{slot.number}" if old else f"{slot.number:>4}"
    if not slot.present:
        return number, "-", "-", "-", "Not present"
    return number, slot.description, slot.label or "", slot.serial or "", "Present"


def _verify(client: Client) -> str:
    """The partitions of this client; an error, of unknown exit status, where there is none."""
    old = client.dialect == "5"
    trailing = " " if old else client.jitter.pick("blank after found", " ", "")
    head = "Slot\tSerial #\tLabel" if old else "Slot\tSerial #        \tLabel"
    rule = "====\t========\t=====" if old else "====\t================\t====="
    rows = [
        f"{slot.number:2}\t{slot.serial}\t{slot.label}" if old else f"{slot.number:4}\t{slot.serial:>16} \t{slot.label}"
        for slot in client.slots()
        if slot.present and not slot.ha
    ]
    if not rows:
        return _NO_PARTITION
    return "\n".join(
        ("", "The following Luna SA Slots/Partitions were found:" + trailing, "", head, rule, *rows, "", "")
    )


def _list_servers(_: Client) -> str:
    return "Server: 192.0.2.10  HTL required: no\n"


_VERBS: dict[str, Callable[[Client], str]] = {
    "listSlots": _list_slots,
    "verify": _verify,
    "listServers": _list_servers,
}
