from __future__ import annotations

import contextlib
import threading
from enum import StrEnum, auto
from typing import TYPE_CHECKING

from keyferry.errors import LoginForbiddenError, LoginRefusedError
from keyferry.tools.ledger import REFUSED, UNFINISHED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from keyferry.config import TypeAgain
    from keyferry.secrets import Secret
    from keyferry.terminal.console import Console
    from keyferry.tools.ledger import Account, Ledger, RefusedLogin


class _Outcome(StrEnum):
    TYPED = auto()
    ACCEPTED = auto()
    REFUSED = auto()


class Logins:
    """LOGIN-ONCE: a secret is typed again only if its last login succeeded, by proof.

    A login whose outcome nobody saw counts as refused. One object a run; every driver types through it.
    """

    def __init__(
        self,
        note: Callable[[str, str], None] = lambda _name, _outcome: None,
        ledger: Ledger | None = None,
        again: TypeAgain | None = None,
        cleared: Callable[[str, RefusedLogin, str | None], None] = lambda _name, _entry, _reason: None,
    ) -> None:
        """Make the logins of one run.

        Args:
            note: Told each outcome (the secret's name; `typed`, `accepted` or `refused`) before anything else happens.
            ledger: What earlier processes noted; every account must then be introduced with `know`.
            again: An operator's order to type a secret once more although the ledger forbids it.
            cleared: Told each entry of the ledger that this order clears, and the operator's reason.
        """
        self._outcomes: dict[str, _Outcome] = {}
        self._note = note
        self._ledger, self._again, self._cleared = ledger, again, cleared
        self._accounts: dict[str, Account] = {}
        self._may_clear: dict[str, RefusedLogin | None] = {}
        self._turn = threading.RLock()

    @property
    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Held by a login from its first word to its last: of several sessions one logs in after the other."""
        with self._turn:
            try:
                yield
            finally:
                if self._ledger:
                    self._ledger.unlock()

    def know(self, secret: Secret, account: Account) -> None:
        """Say whose secret this is. LoginRefusedError where the ledger forbids typing it."""
        self._accounts[secret.name] = account
        entry = None
        if self._ledger:
            with self.turn:  # what another process is typing just now has its outcome first
                self._ledger.lock(account.side)
            entry = self._ledger.blocking(account)
        if entry and not self._again:
            raise _forbidden(secret.name, account, entry)
        self._may_clear.setdefault(secret.name, entry)

    def type(self, console: Console, secret: Secret, *, hides: bool) -> None:
        """Type the secret at the prompt that waits; where it may not be typed, LoginRefusedError."""
        self.claim(secret, console.tool)
        console.say_secret(secret, hides=hides)

    def claim(self, secret: Secret, tool: str) -> None:
        """Take the leave to type a secret once, within a turn; the caller reports how it went."""
        before = self._outcomes.get(secret.name)
        if before not in (None, _Outcome.ACCEPTED):
            raise self._error(f"{tool}: the {secret.name} is not typed again: its last login did not succeed", tool)
        if self._ledger:
            self._enter(secret, self._accounts[secret.name], tool, self._ledger)
        self._set(secret, _Outcome.TYPED)

    def withdraw(self, secret: Secret) -> None:
        """The secret that was claimed was not typed after all: the tool did not ask for it."""
        if self._ledger:
            self._ledger.clear(self._accounts[secret.name])
            self._ledger.unlock()

    def accepted(self, secret: Secret) -> None:
        if self._ledger:
            self._ledger.clear(self._accounts[secret.name])
            self._ledger.unlock()
        self._set(secret, _Outcome.ACCEPTED)

    def refused(self, secret: Secret, tool: str, seen: str) -> LoginRefusedError:
        """Note the refusal; gives the error to raise."""
        if self._ledger:
            self._ledger.write(self._accounts[secret.name], REFUSED, tool)
            self._ledger.unlock()
        self._set(secret, _Outcome.REFUSED)
        return self._error(f"{tool} refused the {secret.name}", tool, seen)

    def _enter(self, secret: Secret, account: Account, tool: str, ledger: Ledger) -> None:
        """Lock the ledger for this login and note it as unfinished. Another process may have been refused meanwhile."""
        ledger.lock(account.side)
        if entry := ledger.blocking(account):
            if not self._again or entry != self._may_clear[secret.name]:
                ledger.unlock()
                raise _forbidden(secret.name, account, entry)
            self._cleared(secret.name, entry, self._again.reason)
            ledger.clear(account)
        ledger.write(account, UNFINISHED, tool)

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
            hint=f"find the right secret by other means and check the failure counter; {_AGAIN}",
        )


_AGAIN = (
    "`--type-again --reason TEXT` then types it once more (with --allow-raised-counter too, if the counter is raised)"
)


def _forbidden(name: str, account: Account, entry: RefusedLogin) -> LoginForbiddenError:
    where = {"source": "partition", "destination": "cluster"}[account.side]
    refused = entry.outcome == REFUSED
    return LoginForbiddenError(
        f"the {name} was refused by an earlier login"
        if refused
        else f"an earlier login with the {name} did not finish",
        rule="LOGIN-ONCE",
        tool=entry.tool,
        seen=f"{entry.at}: {entry.tool}, started on {entry.host}, as {account.user}: {entry.outcome}",
        keys=f"no secret of this user of this {where} was typed, nothing was changed; every wrong try counts towards a"
        " lock-out that may be final",
        hint=("find the right secret by other means" if refused else "find out whether that login failed")
        + f" and check the failure counter; {_AGAIN}",
    )
