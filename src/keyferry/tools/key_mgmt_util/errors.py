"""The errors of a command that failed, by what it means for the keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyferry.errors import (
    WORDED_OTHERWISE,
    CheckFailedError,
    KeyferryError,
    MismatchError,
    NeedsOperatorError,
    ToolRefusedError,
    UnknownScreenError,
    UnreachableError,
    UsageError,
)
from keyferry.text import last_lines, printable
from keyferry.tools.key_mgmt_util.dialect import NOT_LISTED, START_HINT, START_HINTS, TOOL
from keyferry.tools.key_mgmt_util.screens import common

if TYPE_CHECKING:
    from keyferry.pkcs11 import DestinationHandle
    from keyferry.secrets import Secret
    from keyferry.tools.key_mgmt_util.result import Failure, Outcome
    from keyferry.tools.logins import Logins

_STATES = {
    0x40000040: "the client daemon lost the request or its answer",
    0x30000085: "an HSM of the cluster is unavailable",
    0x9F: "a user of this type is logged in already",
    0x82: "the session is in a state that does not allow the command",
}
"""The codes of a failed login that speak of the connection or the session, not of the password."""
_LOGIN_CAUSES = (
    "possible causes: a wrong password; another user name; a locked user; a password that differs between the HSMs."
    " After five wrong passwords the user is locked: read LoginFailureCnt with `keyferry kmu list-users` and find the"
    " cause. Only then run again, with --type-again, and with --allow-raised-counter because the failure counter is"
    " raised now"
)

VISIBLE = {
    "-hpswd": "a client before 3.2.0 cannot ask for the password: `password_visible = true` in [destination] types it "
    "in sight on this tool's terminal, though never in the record"
}
"""What helps if a flag is missing."""
USAGE = "usage"
"""The code of a refusal with usage text, which has none."""


def refused(verb: str, outcome: Outcome, text: str) -> ToolRefusedError:
    """The command was understood and not done."""
    failure = outcome.failure
    return ToolRefusedError(
        f"{verb} was refused: {_told(failure)}" if failure else f"{verb} was refused",
        code=_code(failure),
        tool=TOOL,
        seen=last_lines(text),
        hint=WORDED_OTHERWISE if _code(failure) == USAGE and not NOT_LISTED.fullmatch(outcome.refusal or "") else None,
    )


def unknown_outcome(verb: str, outcome: Outcome, text: str) -> UnknownScreenError:
    """The answer does not prove whether the command was done: recovery queries the HSM before anything is repeated."""
    return UnknownScreenError(
        f"{verb} failed, but may have been done: {_told(outcome.failure)}",
        rule="OUTCOME-UNKNOWN",
        tool=TOOL,
        seen=last_lines(text),
    )


def unreachable(verb: str, outcome: Outcome, text: str) -> UnreachableError:
    """A query failed in the client or the daemon: no HSM answered it."""
    return UnreachableError(
        f"{verb} got no answer from the HSMs: {_told(outcome.failure)}",
        tool=TOOL,
        seen=last_lines(text),
        hint=START_HINT,
    )


def not_covered(handle: DestinationHandle, wanted: frozenset[int], answered: frozenset[int]) -> MismatchError:
    """CLUSTER-COVERAGE: findSingleKey reported success, but not for every HSM that the login listed."""
    missing = ", ".join(map(str, sorted(wanted - answered))) or "all: the login listed no node"
    return MismatchError(
        f"findSingleKey does not show key {handle} on every HSM of the cluster",
        rule="CLUSTER-COVERAGE",
        tool=TOOL,
        seen=f"nodes of the login: {_ids(wanted)}; nodes of findSingleKey: {_ids(answered)}; missing: {missing}",
        keys=f"whether key {handle} is on every HSM is not proved",
        hint="restore or remove the HSM that does not answer, then check again with findSingleKey",
    )


def _ids(nodes: frozenset[int]) -> str:
    return ", ".join(map(str, sorted(nodes))) or "none"


def login_on_some_nodes(outcome: Outcome, text: str) -> CheckFailedError:
    """CLUSTER-COVERAGE: the password was accepted, but not by every HSM."""
    failed = ", ".join(f"node {node.id}: 0x{node.code:x} {printable(node.text)}" for node in outcome.nodes if node.code)
    return CheckFailedError(
        f"loginHSM did not log in on every HSM of the cluster ({failed or _told(outcome.failure)})",
        rule="CLUSTER-COVERAGE",
        tool=TOOL,
        seen=last_lines(text),
        hint="restore the failed HSM or remove it from the cluster, then run again",
    )


def on_some_nodes(verb: str, outcome: Outcome, done: str, text: str) -> NeedsOperatorError:
    """CLUSTER-COVERAGE: the command was done, but not on all nodes. done: what came of it."""
    nodes = ", ".join(f"{node.id}: {'done' if node.code == 0 else f'0x{node.code:x}'}" for node in outcome.nodes)
    return NeedsOperatorError(
        f"{verb}: {_told(outcome.failure)}; and yet {done}",
        rule="CLUSTER-COVERAGE",
        tool=TOOL,
        seen=last_lines(text),
        keys=f"{done}, on some nodes of the cluster only (nodes: {nodes or 'not told'})",
        hint="see with findSingleKey where it is, have the cluster synchronised or delete it, then run again",
    )


def not_started(text: str) -> UnreachableError:
    """The tool ended before its first prompt; the text is all that it said."""
    hint = next((hint for words, hint in START_HINTS if words.lower() in text.lower()), START_HINT)
    return UnreachableError(
        f"{TOOL} ended at its start{_start_failure(text)}",
        tool=TOOL,
        seen=last_lines(text),
        keys="nothing was changed",
        hint=hint,
    )


def not_asked(outcome: Outcome, text: str) -> KeyferryError:
    """loginHSM ended without a question for the password: it was not typed."""
    if outcome.refusal:
        return UsageError(
            f"{TOOL} does not know loginHSM -hpswd: {printable(outcome.refusal)}",
            tool=TOOL,
            seen=last_lines(text),
            keys="the password was not typed, nothing was changed",
            hint="a client before 3.2.0: take a newer one, or set `password_visible = true` in [destination]: the "
            "password then shows on this tool's terminal, though never in the record; a client that words the flag "
            "otherwise: set `key_mgmt_util_hidden_password_flag` in [dialect]",
        )
    if outcome.failure:
        return refused("loginHSM", outcome, text)
    return UnknownScreenError(f"{TOOL} loginHSM: success without a password", tool=TOOL, seen=last_lines(text))


def login_refused(outcome: Outcome, text: str, password: Secret, logins: Logins) -> KeyferryError:
    """A refused secret, unless the code is documented for a state of the connection or of the tool."""
    failure = outcome.failure
    if failure and failure.code is not None and (state := _STATES.get(failure.code)):
        return UnreachableError(
            f"the login failed: {state}",
            tool=TOOL,
            seen=last_lines(text),
            keys="the password was typed once; whether this counts as a failed login is not documented",
            hint=START_HINT,
        )
    error = logins.refused(password, TOOL, last_lines(text))
    error.what, error.hint = f"{error.what}: {_told(failure)}", _LOGIN_CAUSES
    return error


def _start_failure(text: str) -> str:
    try:
        failure = common.startup(text).outcome.failure
    except UnknownScreenError:
        return ""  # shown as it is
    return f": {_told(failure)}" if failure else ""


def _told(failure: Failure | None) -> str:
    if failure is None:
        return "no failure"
    node = "" if failure.node is None else f"node {failure.node}: "
    code = "" if failure.code is None else f"0x{failure.code:02x} "
    return f"{node}{code}{printable(failure.text)}"


def _code(failure: Failure | None) -> str:
    return USAGE if failure is None or failure.code is None else f"0x{failure.code:02x}"
