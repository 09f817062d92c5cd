"""What all commands that make a key have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyferry.emulator.cloudhsm.cluster import Code, Refused
from keyferry.emulator.cloudhsm.key_mgmt_util.errors import Misused
from keyferry.emulator.cloudhsm.objects import SIZES, KeyClass, KeyObject, KeyType, usual_flags
from keyferry.emulator.faults import deaf

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from keyferry.emulator.cloudhsm.key_mgmt_util.flags import Arguments
    from keyferry.emulator.cloudhsm.key_mgmt_util.session import Session

_MAX_APPROVERS = 8


def symmetric(number: int, flag: str) -> KeyType:
    if number not in list(SIZES):
        raise Misused(f"Error: Invalid key type ({flag}).")
    return KeyType(number)


def new_key(session: Session, args: Arguments, key_class: KeyClass, key_type: KeyType, *, local: bool) -> KeyObject:
    """A key without value and owner, from the flags that all making commands share. Nothing is sent yet."""
    approvers = args.number("-m_value")
    if "-m_value" in args and approvers not in range(1, _MAX_APPROVERS + 1):
        raise Misused("Error: Invalid m_value.", f"Valid m_value range is 1 to {_MAX_APPROVERS}")
    if "-timeout" in args and "-min_srv" not in args:
        raise Misused("Error: Minimum servers (-min_srv) option is missing")
    if "-sess" in args and "-u" in args:
        raise Misused("Error: sharing session keys is not allowed")
    extractable = key_class is KeyClass.PUBLIC or "-nex" not in args
    flags = usual_flags(key_class, key_type, local=local, extractable=extractable, token="-sess" not in args)
    if key_class is KeyClass.PUBLIC and not session.dialect.new_attributes:
        flags -= {"PRIVATE", "WRAP"}
    args.numbers("-u")  # misuse shows before anything is sent
    return KeyObject(
        0,
        key_class,
        key_type,
        args.text("-l"),
        flags,
        id=args.text("-id"),
        session=session.keys.session if "-sess" in args else "",
        approvers=approvers,
    )


def create(
    session: Session,
    args: Arguments,
    keys: Sequence[KeyObject],
    line: Callable[[Sequence[KeyObject]], str],
    function: str = "",
) -> None:
    """Store the keys and print result, handle line and cluster block.

    A failed node leaves the keys on the others. The handle line then comes twice, before and after the block;
    importPubKey prints it once, after the block.
    """
    owner, shared = session.user.id, args.numbers("-u")
    if not set(shared) <= {user.id for user in session.cluster.users()}:
        raise Refused(Code.NO_SUCH_USER)
    deaf(session.struck)
    asked = session.cluster.nodes()[: 1 if "-sess" in args else None]
    failed = asked[-1:] if session.struck("node-failed") else []
    reached = [node for node in asked if node not in failed]
    states = session.states(Code.SUCCESS, reached) + session.states(Code.NODE_UNAVAILABLE, failed)
    if not reached:
        session.refuse(Refused(Code.NODE_UNAVAILABLE, states), function)
        return
    made = session.keys.add([key._replace(owner=owner) for key in keys], reached, shared)
    if session.struck("answer-lost"):
        session.refuse(Refused(Code.DAEMON_UNREACHABLE), function)
        return
    code = Code.OPERATION_INCOMPLETE if failed else Code.SUCCESS
    session.screen.result(function or session.dialect.functions[session.verb], code)
    if not (failed and session.verb == "importPubKey"):
        session.screen.say(line(made))
    if "-attest" in args:
        session.screen.say("\n\tAttestation Check : [PASS]\n")
    session.block(states)
    if len(reached) < args.number("-min_srv"):
        _wait_for_servers(session, args, made)
    elif failed and session.dialect.repeats_handle:
        session.screen.say(line(made))


def _wait_for_servers(session: Session, args: Arguments, made: Sequence[KeyObject]) -> None:
    """Poll for nodes that never come back here: roll back after -timeout, wait for ever without one."""
    if args.number("-min_srv") > len(session.cluster.nodes()):
        present = len(session.cluster.nodes())
        session.screen.say(
            "\n Not a valid min_srv count, please check the number of servers in cluster !!\n"
            f" Key generation succesful in all servers {present} present in the cluster\n"
        )
        return
    if "-timeout" not in args:
        session.screen.hang()
    for second in range(1, args.number("-timeout") + 1):
        session.screen.say(f"\n\tChecking key status ({second} seconds)..\n")
        session.screen.block(session.states(Code.SUCCESS, session.keys.nodes_with(made[0].handle)))
    for key in made:
        session.keys.delete(key.handle)
    session.screen.say(f"\nCouldn't verify key sync on {args.number('-min_srv')} servers\nRolling back\n")
    session.screen.result(session.dialect.functions["deleteKey"], Code.SUCCESS)
