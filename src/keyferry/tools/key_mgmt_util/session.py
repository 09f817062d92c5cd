from __future__ import annotations

import hashlib
import itertools
from typing import TYPE_CHECKING, Self, TypeAlias, TypeVar

from keyferry.errors import CheckFailedError, KeyferryError, UnknownScreenError, UnreachableError
from keyferry.terminal.prompts import ENDED
from keyferry.tools.key_mgmt_util import dialect, errors

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from keyferry.terminal.console import Console
    from keyferry.terminal.host import Host
    from keyferry.terminal.process import Process
    from keyferry.terminal.sessions import Sessions
    from keyferry.tools.key_mgmt_util.reply import CommandReply
    from keyferry.tools.limits import Limits

T = TypeVar("T")
Asked: TypeAlias = "tuple[CommandReply[T], str]"
"""An answer, and the text that it was read from."""


class KmuSession:
    """One run of the tool: its start, commands that are typed and answered, its end by its own `exit`."""

    def __init__(self, console: Console, host: Host, limits: Limits) -> None:
        self._console = console
        self._host = host
        self._limits = limits
        self._files = itertools.count(1)
        self._closed = False
        self._at_prompt = True
        self._log_in_again: Callable[[], None] | None = None
        """What was done to log in, once it succeeded: an idle session is logged out by the HSM."""

    @classmethod
    def open(cls, sessions: Sessions, host: Host, limits: Limits) -> Self:
        """Start the tool and wait for its first prompt. UnreachableError where it does not get that far."""
        console = sessions.open(host, dialect.TOOL, manners=dialect.MANNERS)
        tool = cls(console, host, limits)
        heard = console.hear(dialect.COMMAND, dialect.END, limit=limits.start)
        if heard.prompt == ENDED:
            console.close()
            raise tool._located(errors.not_started(heard.text))
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

    def close(self) -> None:
        """Leave by the tool's own `exit`. UnreachableError where it does not end, or not with status 0."""
        if self._closed:
            return
        self._closed = True
        if not self._at_prompt:  # at a question `exit` would be an answer: at the password's, a wrong try
            self._console.close()
            return
        try:
            self._console.say("exit")
            self._console.hear(dialect.END, limit=self._limits.answer)
        finally:
            status = self._console.close()
        if status != 0:
            raise self._located(UnreachableError(f"{dialect.TOOL} ended with status {status} on exit"))

    def record_file(self, name: str, data: bytes) -> None:
        """Record a file that this tool wrote, as it was read."""
        self._console.recorder.file(name, len(data), hashlib.sha256(data).hexdigest(), data)

    def _fields(self, line: str, read: Callable[[str], CommandReply[T]]) -> T:
        """Type a command that is done or refused as a whole; gives the fields of its answer."""
        answer, text = self._ask(line, read, self._limits.answer)
        outcome = answer.outcome
        if outcome.unanswered and not any(node.code for node in outcome.nodes):
            raise self._located(errors.unreachable(verb_of(line), outcome, text))
        if outcome.failure or answer.fields is None:
            raise self._located(errors.refused(verb_of(line), outcome, text))
        return answer.fields

    def _ask(self, line: str, read: Callable[[str], CommandReply[T]], limit: float) -> Asked[T]:
        """Type a command and read its answer, again while the HSM is too busy for it."""
        return self._logged_in(lambda: self._until_free(lambda: self._ask_once(line, read, limit)))

    def _logged_in(self, ask: Callable[[], Asked[T]]) -> Asked[T]:
        """Ask; where the HSM says that nobody is logged in any more, log in once and ask once more."""
        asked = ask()
        if self._log_in_again is None or not _refused_with(dialect.NOT_LOGGED_IN, asked[0]):
            return asked
        log_in, self._log_in_again = self._log_in_again, None
        try:
            log_in()
        except CheckFailedError as error:  # in the middle of a run: this session cannot go on
            raise UnreachableError(error.what, rule=error.rule, tool=error.tool, seen=error.seen) from error
        return ask()

    def _until_free(self, ask: Callable[[], Asked[T]]) -> Asked[T]:
        for _ in range(dialect.MOST_REPEATS):
            asked = ask()
            if not (_refused_with(dialect.BUSY, asked[0]) or _not_listed(asked[0])):
                return asked
            self._console.rest(dialect.BUSY_WAIT)
        return ask()

    def _ask_once(self, line: str, read: Callable[[str], CommandReply[T]], limit: float) -> Asked[T]:
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


def verb_of(line: str) -> str:
    return line.split(maxsplit=1)[0]


def _not_listed(answer: CommandReply[T]) -> bool:
    """Whether findKey could not list what it had counted: the HSM was busy, or a key was deleted meanwhile."""
    outcome = answer.outcome
    return bool(dialect.NOT_LISTED.fullmatch(outcome.refusal or "")) and not outcome.unanswered


def _refused_with(code: int, answer: CommandReply[T]) -> bool:
    """Whether the HSM refused with this code, and nothing came of the command."""
    refused, nodes = answer.outcome.refused, answer.outcome.nodes
    nothing_done = answer.fields is None and all(node.code for node in nodes)
    return nothing_done and refused is not None and refused.code == code
