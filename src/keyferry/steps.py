"""The documented steps (AWS, 25 September 2019) as a record names them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyferry.events import StepStarted

if TYPE_CHECKING:
    from keyferry.events import Bus

TITLES = {
    "0": "Look before anything is changed",
    "1.1": "Log in to the CloudHSM cluster as the crypto user",
    "1.2": "Generate the RSA wrapping key pair",
    "2.1": "Export the public key",
    "3": "Move the public key to the source client",
    "4.1": "Import the public key into the partition",
    "4.2": "Find the imported key and compare it with the pair",
    "4.3": "Start ckdemo",
    "4.4": "Open a session to the slot",
    "4.5": "Log in to the partition",
    "4.6": "Let the imported public key wrap (CKA_WRAP)",
    "5.1": "Describe the keys: which may leave",
    "5.2": "Wrap the key (RSA OAEP)",
    "6": "Move the wrapped key to the destination client",
    "7.1": "Continue in the session of step 1.1",
    "7.2": "Unwrap the key and prove it",
    "end": "Balance the totals and leave",
}
"""`0` and `end` are ours; the document has the others."""

SIDES = {"5.2": "source", "6": "destination", "7.2": "destination"}
"""Steps that one side goes through while the other is at another."""


def split(text: str) -> tuple[str, str, str | None]:
    """A marker's number, title and key (None: the step is for no single key)."""
    number, _, rest = text.partition(" ")
    title = TITLES.get(number)
    if title is None or not rest.startswith(title):
        return number, rest, None
    key = rest.removeprefix(title).removeprefix(": ")
    return number, title, key if rest != title else None


def within(number: str, step: str) -> bool:
    """Whether a step is the named one or a part of it: 5.2 is within 5."""
    return number == step or number.startswith(f"{step}.")


def start(bus: Bus, number: str, key: str | None = None, worker: int = 1) -> None:
    """Tell that a step begins in a lane's sessions; `key` is the key's name where the step is for one key."""
    bus.tell(StepStarted(number, TITLES[number], key, worker))
