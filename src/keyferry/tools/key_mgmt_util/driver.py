from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, TypeVar

from keyferry.errors import KeyferryError, UnknownScreenError, UnreachableError, UsageError
from keyferry.terminal.prompts import ENDED
from keyferry.text import last_lines
from keyferry.tools.key_mgmt_util import commands, dialect, failures, screens
from keyferry.tools.key_mgmt_util.attributes import Attributes, attributes
from keyferry.tools.key_mgmt_util.commands import UnwrapRequest, can_type

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from keyferry.names import CloudHandle
    from keyferry.secrets import Secret
    from keyferry.terminal.console import Console
    from keyferry.terminal.host import Host
    from keyferry.terminal.sessions import Sessions
    from keyferry.tools.key_mgmt_util.outcome import Node, Outcome
    from keyferry.tools.key_mgmt_util.screens import Answer, KeyInfo, User
    from keyferry.tools.limits import Limits
    from keyferry.tools.logins import Logins

__all__ = ["Created", "KeyMgmtUtil", "KeyPair", "UnwrapRequest"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class KeyPair:
    """An RSA pair that was made; nodes: what each HSM answered, all of them success."""

    public: CloudHandle
    private: CloudHandle
    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Created:
    """A key that was unwrapped; nodes: what each HSM answered, all of them success."""

    handle: CloudHandle
    nodes: tuple[Node, ...]


class KeyMgmtUtil:
    """One session of key_mgmt_util.

    Every verb ends at the next prompt with its answer understood whole. ToolRefusedError where the tool or
    one node of the cluster refused; its code is `0x..` or `usage`. NeedsOperatorError where a key came to be
    all the same. A context manager: it leaves by the tool's own `exit`, after an error by force.
    """

    def __init__(self, console: Console, host: Host, limits: Limits) -> None:
        self._console = console
        self._host = host
        self._limits = limits
        self._files = itertools.count(1)
        self._closed = False
        self._at_prompt = True

    @classmethod
    def open(cls, sessions: Sessions, host: Host, limits: Limits) -> Self:
        """Start the tool and wait for its first prompt. UnreachableError where it does not get that far."""
        console = sessions.open(host, dialect.TOOL, manners=dialect.MANNERS)
        tool = cls(console, host, limits)
        heard = console.hear(dialect.COMMAND, dialect.END, limit=limits.start)
        if heard.prompt == ENDED:
            console.close()
            raise tool._located(failures.not_started(heard.text))
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

    @staticmethod
    def can_type(text: str) -> bool:
        """Whether a label, id or name can be told to this tool as it is."""
        return can_type(text)

    def list_users(self) -> tuple[User, ...]:
        """All users with their counts of failed logins; needs no login."""
        return self._fields("listUsers", screens.users)

    def login(self, user: str, password: Secret, logins: Logins, *, visible: bool = False) -> None:
        """Log in as a crypto user, once. LoginRefusedError for whatever is not success on every node.

        visible: type the password in the command, for clients before 3.2.0 which cannot ask for it.
        """
        type_it = self._login_visibly if visible else self._login_hidden
        self._at_prompt = False
        text = type_it(user, password, logins)
        self._at_prompt = True
        if self._understood(text, screens.login).outcome.failure:
            raise self._located(logins.refused(password, dialect.TOOL, last_lines(text)))
        logins.accepted(password)

    def generate_rsa_key_pair(
        self, label: str, bits: int, *, exponent: int = 65537, extractable: bool = False
    ) -> KeyPair:
        """Make an RSA pair; both halves get the label."""
        line = commands.generate_rsa_key_pair(label, bits, exponent, extractable=extractable)
        answer, text = self._ask(line, screens.key_pair, self._limits.generate)
        pair = self._made(line, answer, text)
        return KeyPair(pair.public, pair.private, answer.outcome.nodes)

    def export_public_key(self, handle: CloudHandle, file: str) -> None:
        """Have the PEM of a public key written to a file of the host; whoever needs the file looks at it."""
        self._fields(commands.export_public_key(handle, file), screens.exported)

    def unwrap_key(self, request: UnwrapRequest) -> Created:
        """Unwrap a key. Every call that succeeds makes another key, also of the same file."""
        line = commands.unwrap_key(request)
        limit = self._limits.answer + (request.timeout or 0)
        answer, text = self._ask(line, screens.unwrapped, limit)
        return Created(self._made(line, answer, text), answer.outcome.nodes)

    def find_keys(
        self,
        *,
        key_class: int | None = None,
        label: str | None = None,
        id: str | None = None,
    ) -> tuple[CloudHandle, ...]:
        """The handles of all keys that match: own and shared ones, and every public key of the cluster."""
        return self._fields(commands.find_keys(key_class, label, id), screens.found_keys)

    def find_single_key(self, handle: CloudHandle) -> Outcome:
        """CLUSTER-COVERAGE: look for a key on every node. ToolRefusedError where one does not have it."""
        return self._fields(f"findSingleKey -k {handle}", screens.find_single_key)

    def get_attributes(self, handle: CloudHandle) -> Attributes:
        """All attributes of an object: the tool writes them to a file, which is read and removed."""
        file = f"attributes-{next(self._files)}"
        self._host.remove(file)
        try:
            dump = self._fields(commands.get_attributes(handle, file), screens.dump)
            if self._host.size(file) is None:
                raise self._located(UnknownScreenError(f"getAttribute reported success, but wrote no {file}"))
            text = self._host.read(file).decode("utf-8", "surrogateescape")
        finally:
            self._host.remove(file)
        found = self._understood(text, attributes)
        if dump.count != len(found.values):
            what = f"getAttribute told of {dump.count} attributes, the file has {len(found.values)}"
            raise self._located(UnknownScreenError(what, seen=last_lines(text)))
        return found

    def get_key_info(self, handle: CloudHandle) -> KeyInfo:
        """Whose key this is."""
        return self._fields(f"getKeyInfo -k {handle}", screens.key_info)

    def delete_key(self, handle: CloudHandle) -> None:
        """Delete one key; the other half of a pair stays. NeedsOperatorError where some nodes keep it."""
        line = f"deleteKey -k {handle}"
        answer, text = self._ask(line, screens.delete_key, self._limits.answer)
        outcome = answer.outcome
        if outcome.failure and any(node.code == 0 for node in outcome.nodes):
            done = f"key {handle} was deleted"
            raise self._located(failures.on_some_nodes(_verb(line), outcome, done, text))
        if outcome.failure:
            raise self._located(failures.refused(_verb(line), outcome, text))

    def logout(self) -> None:
        self._fields("logoutHSM", screens.logout)

    def close(self) -> None:
        """Leave by the tool's own `exit`. UnreachableError where it does not end, or not with status 0."""
        if self._closed:
            return
        self._closed = True
        if not self._at_prompt:  # at the password's prompt `exit` would be a wrong try
            self._console.close()
            return
        try:
            self._console.say("exit")
            self._console.hear(dialect.END, limit=self._limits.answer)
        finally:
            status = self._console.close()
        if status != 0:
            raise self._located(UnreachableError(f"{dialect.TOOL} ended with status {status} on exit"))

    def _login_hidden(self, user: str, password: Secret, logins: Logins) -> str:
        line = commands.login(user)
        logins.claim(password, dialect.TOOL)  # before the prompt, which only a password would end
        self._console.say(f"{line} -hpswd")
        heard = self._console.hear(dialect.PASSWORD, dialect.COMMAND, limit=self._limits.login)
        if heard.prompt == dialect.COMMAND.name:
            self._at_prompt = True
            outcome = self._understood(heard.text, screens.login).outcome
            raise self._located(failures.not_asked(outcome, heard.text))
        self._console.say_secret(password, hides=True)
        return self._console.hear(dialect.COMMAND, dialect.PASSWORD_AGAIN, limit=self._limits.login).text

    def _login_visibly(self, user: str, password: Secret, logins: Logins) -> str:
        line = commands.login(user)
        value = password.reveal().decode("ascii")
        if not can_type(value):
            raise UsageError(f"the {password.name} holds a blank, so it cannot be typed in a command")
        logins.claim(password, dialect.TOOL)
        self._console.say(f"{line} -p {value}")
        return self._console.hear(dialect.COMMAND, limit=self._limits.login).text

    def _fields(self, line: str, read: Callable[[str], Answer[T]]) -> T:
        """Type a command that is done or refused as a whole; gives the fields of its answer."""
        answer, text = self._ask(line, read, self._limits.answer)
        if answer.outcome.failure or answer.fields is None:
            raise self._located(failures.refused(_verb(line), answer.outcome, text))
        return answer.fields

    def _made(self, line: str, answer: Answer[T], text: str) -> T:
        """The handles of a key that is on all nodes; handles beside any failure mean that it is on some."""
        outcome, handles = answer.outcome, answer.fields
        if handles is None:
            raise self._located(failures.refused(_verb(line), outcome, text))
        if outcome.failure or outcome.not_on_all:
            done = f"a key was made: handle {handles}"
            raise self._located(failures.on_some_nodes(_verb(line), outcome, done, text))
        return handles

    def _ask(self, line: str, read: Callable[[str], Answer[T]], limit: float) -> tuple[Answer[T], str]:
        """Type a command, again while the HSM is too busy for it; gives the answer, read and as it was."""
        for _ in range(dialect.MOST_REPEATS):
            answer, text = self._ask_once(line, read, limit)
            if not _busy(answer):
                return answer, text
            self._console.rest(dialect.BUSY_WAIT)
        return self._ask_once(line, read, limit)

    def _ask_once(self, line: str, read: Callable[[str], Answer[T]], limit: float) -> tuple[Answer[T], str]:
        self._console.say(line)
        text = self._console.hear(dialect.COMMAND, limit=limit).text
        return self._understood(text, read), text

    def _understood(self, text: str, read: Callable[[str], T]) -> T:
        try:
            return read(text)
        except UnknownScreenError as error:
            raise self._located(error) from None

    def _located(self, error: KeyferryError) -> KeyferryError:
        """The error with where it happened, and without a secret that the tool may have shown."""
        recorder = self._console.recorder
        error.fill(host=self._console.host, record=recorder.place)
        error.what, error.seen = recorder.redact(error.what), error.seen and recorder.redact(error.seen)
        error.args = (error.what,)
        return error


def _busy(answer: Answer[T]) -> bool:
    """Whether the HSM says that it was too busy, and nothing came of the command."""
    refused = answer.outcome.refused
    return answer.fields is None and refused is not None and refused.code == dialect.BUSY


def _verb(line: str) -> str:
    return line.split(maxsplit=1)[0]
