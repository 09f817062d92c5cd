from __future__ import annotations

import threading
from enum import StrEnum, auto
from typing import TYPE_CHECKING

from keyferry.errors import LoginRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from keyferry.secrets import Secret
    from keyferry.terminal.console import Console


class _Outcome(StrEnum):
    TYPED = auto()
    ACCEPTED = auto()
    REFUSED = auto()


class Logins:
    """LOGIN-ONCE: a secret is typed again only if its last login succeeded, by proof.

    A login whose outcome nobody saw counts as refused. One object a run; every driver types through it.
    note: told each outcome (the secret's name; `typed`, `accepted` or `refused`) before anything else happens.
    """

    def __init__(self, note: Callable[[str, str], None] = lambda _name, _outcome: None) -> None:
        self._outcomes: dict[str, _Outcome] = {}
        self._note = note
        self.turn = threading.RLock()
        """Held by a login from its first word to its last: of several sessions one logs in after the other."""

    def type(self, console: Console, secret: Secret, *, hides: bool) -> None:
        """Type the secret at the prompt that waits; where it may not be typed, LoginRefusedError."""
        self.claim(secret, console.tool)
        console.say_secret(secret, hides=hides)

    def claim(self, secret: Secret, tool: str) -> None:
        """Take the leave to type a secret once; the caller reports how it went."""
        before = self._outcomes.get(secret.name)
        if before not in (None, _Outcome.ACCEPTED):
            raise self._error(f"{tool}: the {secret.name} is not typed again: its last login did not succeed", tool)
        self._set(secret, _Outcome.TYPED)

    def accepted(self, secret: Secret) -> None:
        self._set(secret, _Outcome.ACCEPTED)

    def refused(self, secret: Secret, tool: str, seen: str) -> LoginRefusedError:
        """Note the refusal; gives the error to raise."""
        self._set(secret, _Outcome.REFUSED)
        return self._error(f"{tool} refused the {secret.name}", tool, seen)

    def _set(self, secret: Secret, outcome: _Outcome) -> None:
        self._outcomes[secret.name] = outcome
        self._note(secret.name, outcome)

    @staticmethod
    def _error(what: str, tool: str, seen: str | None = None) -> LoginRefusedError:
        return LoginRefusedError(
            what,
            rule="LOGIN-ONCE",
            tool=tool,
            seen=seen,
            keys="nothing more was typed; every wrong try counts towards a lock-out that may be final",
            hint="find the right secret by other means, look at the failure counter, and only then run again",
        )
