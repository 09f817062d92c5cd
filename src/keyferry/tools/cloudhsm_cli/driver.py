from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Self, TypeVar

from keyferry.errors import KeyferryError, ToolRefusedError, UnknownScreenError, UnreachableError
from keyferry.terminal.prompts import ENDED
from keyferry.text import last_lines, printable, value
from keyferry.tools import abilities
from keyferry.tools.cloudhsm_cli import commands, dialect, errors, screens, users
from keyferry.tools.cloudhsm_cli.commands import KeyFilter, UnwrapRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from keyferry.pkcs11 import DestinationHandle
    from keyferry.secrets import Secret
    from keyferry.terminal.console import Console
    from keyferry.terminal.host import Host
    from keyferry.terminal.process import Process
    from keyferry.terminal.sessions import Sessions
    from keyferry.tools.abilities import Needs, Usage
    from keyferry.tools.cloudhsm_cli.screens import ListedKey, ListedPair, Page
    from keyferry.tools.cloudhsm_cli.users import CloudHsmCliUser
    from keyferry.tools.limits import Limits
    from keyferry.tools.logins import Logins

__all__ = ["NO_KEY", "CloudHsmCli", "KeyFilter", "UnwrapRequest"]

NO_KEY = "none"
"""Our code, for the tool has none, where no key has the reference that was asked for."""

T = TypeVar("T")


class CloudHsmCli:
    """One session of `cloudhsm-cli interactive`.

    Every verb ends at the next prompt with its answer understood whole; ToolRefusedError, with the tool's own
    text, where `error_code` is not 0. A context manager: it leaves by the tool's own `quit`, after an error by force.
    The single-command mode is never used: with a login the password would stand in the environment.
    """

    def __init__(self, console: Console, limits: Limits) -> None:
        self._console = console
        self._limits = limits
        self._closed = False
        self._at_prompt = True

    @classmethod
    def open(cls, sessions: Sessions, host: Host, limits: Limits) -> Self:
        """Start the tool and wait for its first prompt. UnreachableError where it does not get that far."""
        console = sessions.open(host, dialect.TOOL, "interactive", manners=dialect.MANNERS)
        tool = cls(console, limits)
        heard = console.hear(dialect.COMMAND, dialect.END, limit=limits.start)
        if heard.prompt == ENDED:
            console.close()
            state = errors.bare_state(heard.text)
            raise tool._located(
                UnreachableError(
                    f"{dialect.TOOL} ended at its start" + (f": {state}" if state else ""),
                    tool=dialect.TOOL,
                    seen=last_lines(heard.text),
                    keys="nothing was changed",
                    hint=dialect.START_HINT,
                )
            )
        return tool

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            self._console.close()

    def process(self) -> Process:
        """The tool's own process."""
        return self._console.process()

    @property
    def emulator(self) -> str | None:
        """The folder of the emulated HSMs behind this tool; None for a real one."""
        return self._console.program.emulator

    @staticmethod
    def can_type(text: str) -> bool:
        """Whether a label, id or name can be told to this tool as it is."""
        return commands.can_type(text)

    def users(self) -> tuple[CloudHsmCliUser, ...]:
        """All users with their states; needs no login."""
        return self._ask(screens.USERS, users.users)

    def hsms(self) -> tuple[Mapping[str, str], ...]:
        """What each HSM says of itself, by the tool's names; needs no login."""
        return self._ask(screens.HSM_INFO, screens.hsms)

    def usage(self, command: str) -> Usage:
        """What the tool's help shows of a command; nothing is done, and no login is needed."""
        self._console.say(f"{screens.HELP} {command}")
        text = self._console.hear(dialect.COMMAND, dialect.QUESTION, limit=self._limits.answer).text
        return screens.usage(command, text)

    def probe(self, needs: Needs) -> tuple[str, ...]:
        """Check that this client has the commands and flags of a migration (CLIENT-ABILITY); gives warnings."""
        return abilities.check(dialect.TOOL, commands.needed(needs), self.usage)

    def login(self, user: str, password: Secret, logins: Logins) -> None:
        """Log in as a crypto user, once. LoginRefusedError for whatever is not success for this user and role."""
        with logins.turn:
            self._log_in(user, password, logins)

    def _log_in(self, user: str, password: Secret, logins: Logins) -> None:
        line = commands.login(user)
        logins.claim(password, dialect.TOOL)  # before the prompt, which only a password would end
        self._console.say(line)
        self._at_prompt = False
        heard = self._console.hear(dialect.PASSWORD, dialect.COMMAND, dialect.QUESTION, limit=self._limits.login)
        if heard.prompt == dialect.COMMAND.name:
            self._at_prompt = True
            logins.withdraw(password)
            self._understood(heard.text, screens.login)
            raise self._located(
                UnknownScreenError("login: success without a password", tool=dialect.TOOL, seen=last_lines(heard.text))
            )
        self._console.say_secret(password, hides=True)
        text = self._console.hear(dialect.COMMAND, dialect.QUESTION, limit=self._limits.login).text
        self._at_prompt = True
        try:
            found = self._understood(text, screens.login)
        except ToolRefusedError as refusal:
            raise self._located(self._login_failed(refusal, password, logins)) from None
        if (found.username.lower(), found.role) != (user.lower(), dialect.ROLE):
            what = f"login: {found.username!r} is logged in as {found.role!r}, not {user!r} as {dialect.ROLE!r}"
            raise self._located(UnknownScreenError(what, tool=dialect.TOOL, seen=last_lines(text)))
        logins.accepted(password)

    @staticmethod
    def _login_failed(refusal: ToolRefusedError, password: Secret, logins: Logins) -> KeyferryError:
        """A refused secret, unless the text is documented for a state of the connection or of the tool."""
        if cause := errors.state(refusal.text):
            return UnreachableError(
                f"the login failed: {cause}",
                tool=dialect.TOOL,
                seen=refusal.seen,
                keys="the password was typed once; whether this counts as a failed login is not documented",
            )
        error = logins.refused(password, dialect.TOOL, refusal.seen or "")
        error.what, error.hint = f"{error.what}: {printable(refusal.text)}", errors.LOGIN_CAUSES
        return error

    def logout(self) -> None:
        self._ask(screens.LOGOUT, screens.logout)

    def generate_pair(self, label: str, bits: int, *, exponent: int = 65537, extractable: bool = False) -> ListedPair:
        """Make an RSA pair whose private half unwraps; both halves get the label."""
        line = commands.generate_pair(label, bits, exponent, extractable=extractable)
        return self._change(screens.PAIR, line, screens.key_pair, self._limits.generate)

    def generate_file(self, handle: DestinationHandle, file: str) -> None:
        """Have the PEM of a public key written to a file of the host; whoever needs the file looks at it."""
        self._ask(commands.generate_file(handle, file), lambda text: screens.message(screens.FILE, text))

    def unwrap(self, request: UnwrapRequest) -> ListedKey:
        """Unwrap a key. Every call that succeeds makes another key, also of the same file."""
        return self._change(screens.UNWRAP, commands.unwrap(request), screens.unwrapped)

    def list_keys(self, wanted: KeyFilter | None = None, *, verbose: bool = False) -> tuple[ListedKey, ...]:
        """All keys of this user that match, page by page; none is no failure."""
        found: list[ListedKey] = []
        page = self._page(wanted, None, verbose=verbose)
        found += page.keys
        while page.next_token is not None and len(found) < page.total:
            page = self._page(wanted, page.next_token, verbose=verbose)
            found += page.keys
        several = len({key.handle for key in found})  # one that stands on two pages took the place of another
        if page.next_token is not None or not len(found) == several == page.total:
            what = f"key list: {several} keys on all pages, told as {page.total}"
            raise self._located(UnknownScreenError(what, tool=dialect.TOOL))
        return tuple(found)

    def count(self, wanted: KeyFilter | None = None) -> int:
        """How many keys this user sees, or of them those that match."""
        return self._ask(commands.list_keys(wanted or KeyFilter(), None, verbose=False, most=1), screens.keys).total

    def key(self, handle: DestinationHandle) -> ListedKey:
        """One key with all its attributes. ToolRefusedError where there is none with this reference."""
        found = self.list_keys(KeyFilter(handle), verbose=True)
        if not found:
            raise self._located(
                ToolRefusedError(
                    f"key list: no key has the reference {commands.reference(handle)}", code=NO_KEY, tool=dialect.TOOL
                )
            )
        if len(found) != 1 or found[0].handle != handle or found[0].covered is None:
            what = f"key list: {value([key.handle for key in found])}, but {handle} was asked for, with its coverage"
            raise self._located(UnknownScreenError(what, tool=dialect.TOOL))
        return found[0]

    def delete(self, handle: DestinationHandle) -> None:
        """Delete one key; the other half of a pair stays."""
        read = lambda text: screens.message(screens.DELETE, text)  # noqa: E731 - shorter than a function
        self._change(screens.DELETE, commands.delete(handle), read)

    def record_file(self, name: str, data: bytes) -> None:
        """Record a file that this tool wrote, as it was read."""
        self._console.recorder.file(name, len(data), hashlib.sha256(data).hexdigest(), data)

    def close(self) -> None:
        """Leave by the tool's own `quit`. Its exit status is not documented, so only a signal is none."""
        if self._closed:
            return
        self._closed = True
        if not self._at_prompt:  # at the password's prompt `quit` would be a wrong try
            self._console.close()
            return
        try:
            self._console.say(screens.QUIT)
            self._console.hear(dialect.END, limit=self._limits.answer)
        finally:
            status = self._console.close()
        if status is None:
            raise self._located(UnreachableError(f"{dialect.TOOL} was ended by a signal on {screens.QUIT}"))

    def _page(self, wanted: KeyFilter | None, token: str | None, *, verbose: bool) -> Page:
        return self._ask(commands.list_keys(wanted or KeyFilter(), token, verbose=verbose), screens.keys)

    def _change(self, verb: str, line: str, read: Callable[[str], T], limit: float | None = None) -> T:
        """A command that makes or deletes a key: refused only with a documented text, else its outcome is unknown."""
        try:
            return self._ask(line, read, limit)
        except ToolRefusedError as refusal:
            if errors.is_refusal(refusal.text):
                raise
            raise self._located(errors.outcome_unknown(verb, refusal)) from None

    def _ask(self, line: str, read: Callable[[str], T], limit: float | None = None) -> T:
        self._console.say(line)
        text = self._console.hear(dialect.COMMAND, dialect.QUESTION, limit=limit or self._limits.answer).text
        return self._understood(text, read)

    def _understood(self, text: str, read: Callable[[str], T]) -> T:
        try:
            return read(text)
        except UnknownScreenError as error:
            verb = " ".join(word for word in error.what.partition(":")[0].split() if word != dialect.TOOL)
            raise self._located(errors.without_answer(verb, text, error.seen) or error) from None
        except ToolRefusedError as error:
            raise self._located(error) from None

    def _located(self, error: KeyferryError) -> KeyferryError:
        """The error with where it happened, and without a secret that the tool may have shown."""
        recorder = self._console.recorder
        error.fill(tool=dialect.TOOL, host=self._console.host, record=recorder.place)
        error.redact(recorder.redact)
        return error
