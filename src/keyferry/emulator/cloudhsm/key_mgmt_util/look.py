"""The commands that find, show or change keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyferry.emulator import files
from keyferry.emulator.cloudhsm.cluster import Code, Refused
from keyferry.emulator.cloudhsm.key_mgmt_util import attributes
from keyferry.emulator.cloudhsm.key_mgmt_util.dialect import ERRORS
from keyferry.emulator.cloudhsm.key_mgmt_util.errors import Misused

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from keyferry.emulator.cloudhsm.key_mgmt_util.flags import Arguments
    from keyferry.emulator.cloudhsm.key_mgmt_util.session import Session
    from keyferry.emulator.cloudhsm.objects import KeyObject

_HANDLES_A_LINE = 15
_TOKEN = 1


def find(session: Session, args: Arguments) -> None:
    filters = _filters(session, args)
    found = [key.handle for key in session.keys.seen_by(session.user.id) if all(test(key) for test in filters)]
    dialect = session.dialect
    session.screen.say(dialect.total.format(len(found) - bool(found and session.struck("list-longer"))))
    if session.struck("busy-list"):
        session.screen.say(f"Failed to fetch the keys with error {Code.BUSY:x} : {ERRORS[Code.BUSY]}\n")
        session.block(session.states(Code.SUCCESS))
        session.screen.result(session.dialect.functions["findKey"], Code.BUSY)
        return
    if session.struck("list-gone"):
        session.screen.say("No more keys are found\n")
    elif found:
        session.screen.say(dialect.matching.format(len(found) - 1 + dialect.last_index_past_end))
        session.screen.say(dialect.handles.format(_in_lines(found, dialect.handles_break)))
    session.block(session.states(Code.SUCCESS))
    session.succeed()


def _filters(session: Session, args: Arguments) -> list[Callable[[KeyObject], bool]]:
    users = set(args.numbers("-u"))
    modulus = _hex(session.read_file(args.text("-m")).decode("ascii", "replace")) if "-m" in args else b""
    check_value = _hex(args.text("-kcv"))
    dialect = session.dialect
    tests: dict[str, Callable[[KeyObject], bool]] = {
        "-c": lambda key: key.key_class == args.number("-c"),
        "-t": lambda key: key.key_type == args.number("-t"),
        "-l": lambda key: key.label == args.text("-l"),
        "-id": lambda key: key.id == args.text("-id"),
        "-sess": lambda key: bool(key.session) == bool(args.number("-sess")),
        "-u": lambda key: bool(users & {key.owner, *session.keys.shared_with(key.handle)}),
        "-kcv": lambda key: attributes.values(key, dialect).get(371) == check_value,
        "-m": lambda key: attributes.values(key, dialect).get(288) == modulus,
    }
    return [test for flag, test in tests.items() if flag in args]


def _hex(text: str) -> bytes:
    try:
        return bytes.fromhex("".join(text.split()).removeprefix("0x"))
    except ValueError:
        raise Misused from None


def _in_lines(handles: Sequence[int], line_break: str) -> str:
    rows = [handles[at : at + _HANDLES_A_LINE] for at in range(0, len(handles), _HANDLES_A_LINE)]
    return line_break.join(", ".join(map(str, row)) for row in rows)


def find_single(session: Session, args: Arguments) -> None:
    """SUCCESS only if every node has the key (a session key: its own node)."""
    key = session.keys.get(args.number("-k"), session.user.id)
    asked = session.keys.nodes_with(key.handle) if key.session else session.cluster.nodes()
    missing = set(asked) - set(session.keys.nodes_with(key.handle))
    if session.struck("single-missing"):
        missing.add(asked[-1])
    codes = {node: Code.INVALID_HANDLE if node in missing else Code.SUCCESS for node in asked}
    states = [state for node, code in codes.items() for state in session.states(code, [node])]
    if missing:
        raise Refused(Code.INVALID_HANDLE, states)
    session.screen.result(session.dialect.functions["findSingleKey"], Code.SUCCESS)
    session.block(states)


def get_attribute(session: Session, args: Arguments) -> None:
    """Values go to the file only."""
    number, name, dialect = args.number("-a"), args.text("-out"), session.dialect
    found = attributes.values(session.keys.get(args.number("-o"), session.user.id), dialect)
    if session.struck("kcv-wrong") and (kcv := found.get(371)):
        found[371] = bytes(byte ^ 0xFF for byte in kcv) if isinstance(kcv, bytes) else kcv
    everything = number == attributes.ALL
    asked = attributes.dump_order(dialect) if everything else (number,)
    shown = {one: found[one] for one in asked if one in found}
    if not shown:
        raise Refused(Code.INVALID_INPUT)
    lines = [attributes.render(one, value, dialect, alone=not everything) for one, value in shown.items()]
    unknown = dialect.unknown_attributes if everything else ()
    lines += [f"{attributes.UNKNOWN}\n0x{number & 1:02x}\n" for number in unknown]
    try:
        files.write(name, "".join(lines).encode("utf-8", "surrogateescape"))
    except (OSError, ValueError):
        session.screen.say("Failed to open file\n ")
        raise Refused(Code.OPEN_FILE_FAILED) from None
    if everything:
        size = attributes.size(shown, dialect) + 9 * len(unknown)
        session.screen.say(dialect.all_attributes.format(size, len(shown) + len(unknown)))
        session.screen.say("".join(f"{number:04x}\n" for number in unknown))
    session.screen.say(dialect.one_file.format(name))
    session.succeed()


def key_info(session: Session, args: Arguments) -> None:
    key = session.keys.get(args.number("-k"), session.user.id)
    session.succeed()
    session.screen.say(session.dialect.owner.format(key.owner))
    if users := session.keys.shared_with(key.handle):
        rows = "".join(f"\n\t\t {user}" for user in users).removeprefix("\n")
        session.screen.say(session.dialect.shared.format(len(users), rows))
    if key.approvers:
        session.screen.say(f"\n\t {key.approvers} Users need to approve to use/manage this key\n")


def set_attribute(session: Session, args: Arguments) -> None:
    """Only TOKEN can be changed. What follows the typed number on its line is read as the next command."""
    if args.number("-a") != _TOKEN:
        session.screen.say("\n\tThis attribute is either not modifiable or unknown\n")
        return
    session.screen.say("\t\tThis attribute is defined as a boolean value.\n")
    session.screen.say("\t\tEnter the boolean attribute value (0 or 1):")
    value = session.screen.read_number()
    key = session.keys.owned(args.number("-o"), session.user.id)
    if value not in (0, 1):
        raise Refused(Code.INVALID_INPUT)
    session.keys.keep(key, token=bool(value))
    session.succeed()
