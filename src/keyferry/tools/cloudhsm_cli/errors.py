"""The documented error texts of CloudHSM CLI and what they mean. Any other text leaves the outcome unknown."""

from __future__ import annotations

import re

from keyferry.errors import ToolRefusedError, UnknownScreenError, UnreachableError
from keyferry.text import printable
from keyferry.tools.cloudhsm_cli.dialect import TOOL

_REFUSALS = re.compile(
    r"Cannot perform the requested key operation as the key must be available on at least 2 HSMs\."
    r"(?: Either increase the number of HSMs in the cluster, or disable the key availability check\.)?"
    r"|Key \S+ does not meet the availability requirements - The key must be available on at least 2 HSMs before being"
    r" used\."
    r"|Key selection criteria matched \d+ keys\. Refine selection criteria to select a single key\."
    r"|Quorum approval is required for this operation"
    r"|Received error response code from Server\. Response Code: 187"
    r"|UX000: Ephemeral key is not expected because we cannot build it without HSM Connection"
    r"|The selected key is not synchronized throughout the cluster"
    r"|User type should be CO or CU"
)
"""The texts with which a command was not carried out."""

_BARE = (
    (
        'Error: "HSM is disconnected"',
        "the connection to the HSM is lost, or the cluster enforces mTLS and this client has no certificate",
    ),
    ("Config key hostname has invalid value", "this client was never configured (`configure-cli -a ADDRESS`)"),
    ("Error: Failed to load config", "a file that the client's configuration names cannot be read"),
)
"""Lines without JSON around them that name a state of the connection or of the tool, and that state."""

_CONNECTION = (
    ("HSM is disconnected", _BARE[0][1]),
    ("CA certificate key too weak", "clients 5.17.0 and 5.17.1 do not accept this cluster's CA; 5.17.2 does"),
    ("Sequence number is outside of window", "too many commands at the same time for this client"),
    ("No credentials in the property bag", "the client's configuration was made without credentials"),
    ("Response Code: 187", "the HSM is busy and refused the request"),
    ("available on at least 2 HSMs", "the client's key-availability check found fewer than two HSMs"),
)
"""The same for the text of an answer in JSON."""

LOGIN_CAUSES = (
    "possible causes: a wrong password; another user name or role; a user who is locked on an HSM; a password that"
    " expired; a lost connection. The tool does not say which, and after five wrong passwords the user is locked."
    " Find the cause by other means, and only then run again with --type-again"
)


def state(text: str) -> str | None:
    """The state of the connection or tool that a text names; None where the text is not documented as one."""
    joined = " ".join(text.split())
    return next((told for words, told in _CONNECTION if words in joined), None)


def is_refusal(text: str) -> bool:
    """Whether a text is documented for a command that was not carried out."""
    return _REFUSALS.fullmatch(" ".join(text.split())) is not None


def outcome_unknown(verb: str, refusal: ToolRefusedError) -> UnknownScreenError:
    """An error answer that is not documented as a refusal: the command may have been carried out all the same."""
    return UnknownScreenError(
        f"{verb} ended with an error that is not documented as a refusal: {printable(refusal.text)}",
        rule="OUTCOME-UNKNOWN",
        tool=TOOL,
        seen=refusal.seen,
        keys="whether the command was executed is unknown",
        hint="`keyferry resume` asks the HSM what happened before it does anything again",
    )


def without_answer(verb: str, text: str, seen: str | None) -> UnreachableError | None:
    """The error for a screen without JSON that names the state of the connection or of the tool; else None."""
    if (told := bare_state(text)) is None:
        return None
    return UnreachableError(f"{verb} was not answered: {told}", tool=TOOL, seen=seen)


def bare_state(text: str) -> str | None:
    """The state that a line of this screen names; None where there is none, or where the screen has JSON."""
    lines = [line.strip() for line in text.splitlines()]
    if any(line.startswith("{") for line in lines):
        return None
    return next((told for words, told in _BARE if any(line.startswith(words) for line in lines)), None)
