from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Self, TypeVar

import pexpect

from keyferry.errors import UNKNOWN_SCREEN, KeyferryError, UnknownScreenError, UnreachableError, UsageError
from keyferry.terminal.child import LARGEST_ANSWER, READ_SIZE, SEND_LIMIT, AnswerTooLargeError, Child
from keyferry.terminal.filters import Filters
from keyferry.terminal.overrides import Overrides
from keyferry.terminal.prompts import ENDED, WINDOW, InputLimits, Prompt, Reply
from keyferry.terminal.screen_row import ScreenRow, UnknownSequenceError
from keyferry.terminal.secret_echo import LineEnd
from keyferry.terminal.starting import never_started, why_not_started
from keyferry.text import last_lines, printable

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from keyferry.recording.recorder import Recorder
    from keyferry.secrets import Secret
    from keyferry.terminal.host import Program
    from keyferry.terminal.process import Process

T = TypeVar("T")

ECHO_LIMIT = 30.0
END_LIMIT = 5.0
"""Seconds between a program's last output and its end, after which it is ended by force."""

OVERTIME = 1.0
"""Seconds past a time limit in which what has already come is still read."""

_QUOTED = 200  # bytes of a line that an error shows

GRACE = 0.05
"""Seconds to wait whether a tool that may hide a secret does so, where nobody knows which it is."""

_QUESTION = re.compile(rb"[^\s\0] ?[]:?>] *\Z")


class Console:
    """One live conversation with one program: everything that passes is recorded before it is matched.

    A conversation that went wrong (time out, unknown text, record not writable) is never used again: what
    comes late would be taken for the answer to the next question.
    """

    def __init__(
        self,
        program: Program,
        recorder: Recorder,
        manners: InputLimits,
        read_size: int = READ_SIZE,
        wording: Overrides = Overrides(),  # noqa: B008 - frozen
    ) -> None:
        self.tool, self.host, self.program, self.recorder = program.tool, program.host, program, recorder
        self.asked = 0
        self.greeting: str | None = None
        self._manners, self.wording, self._link = manners, wording, program.link
        self._filters = Filters(recorder, program.marker, edits_lines=manners.edits_lines)
        self._over: str | None = None
        self._ended_itself = False
        self._come = bytearray(b"\n")  # what came and was not given out yet; a program's first line starts a line
        self._row = ScreenRow() if manners.edits_lines else None
        try:
            self._child = Child(program.argv, program.cwd, program.env, self._filters.feed, read_size)
            self.process: Callable[[], Process] = lambda: program.find(self._child.pid or 0)
        except (pexpect.ExceptionPexpect, OSError) as error:
            why = why_not_started(error, program.argv[0])
            raise self._error(UnreachableError, f"{self.tool} could not be started: {why}", b"") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def say(self, line: str, *, among_output: bool = False, secret: Secret | None = None) -> None:
        """Type a line and wait for its echo.

        UsageError, before anything is typed, where the tool could not take the line as it is.
        among_output: the tool may still be printing, so the echo may stand inside its output.
        secret: the one that the line ends with, where a tool takes it in a command.
        """
        line = self.wording.line(line)
        data = line.encode("utf-8", "surrogateescape")
        self.recorder.command(data, secret)
        self._check(line)
        self._ready()
        try:
            before = self._say_in_row(self._row, data) if self._row else self._say_at_once(data)
        except EOFError:
            self._drain()
            raise self._end(self._early()) from None
        if before.strip(b" \t\r\n\0") and not among_output:
            raise self._end(self._unknown("something was printed before it was asked", before))

    def say_secret(self, secret: Secret, *, hides: bool) -> None:
        """Type a secret; neither it nor its length reaches the record or the next answer.

        hides: this tool switches the terminal's echo off, so nothing is typed before it has. Otherwise it
        may or may not, and the echo of the secret is expected and cut.
        """
        if len(secret) > self._manners.longest_secret:
            raise self._refuse(f"the {secret.name}", f"is longer than {self._manners.longest_secret} characters")
        self._ready()
        limit = ECHO_LIMIT if hides else GRACE
        link, terminal = self._link, self._filters.said  # the local terminal tells nothing of one on another host
        if not (link.wait_echo_off(terminal, limit) if link else self._child.wait_echo_off(limit)) and hides:
            raise self._end(self._unknown(f"the echo stayed on at the prompt for the {secret.name}", b""))
        self.recorder.secret(secret.name)
        self._filters.mask(secret)
        if self._row:
            self._row.forget(self._come, row=True)
        self._send(secret.reveal() + self._manners.enter)

    def hear(self, *prompts: Prompt, limit: float) -> Reply:
        """Wait for what comes next, all of it: up to one of the prompts, or (ENDED) to the program's end.

        UnreachableError after `limit` seconds, or if the program ended and no prompt is named ENDED;
        UnknownScreenError for a fatal prompt.
        """
        if self._over:
            raise self._finished()
        awaited = " or ".join(map(self.wording.name, prompts))
        prompts = tuple(map(self.wording.prompt, prompts))
        try:
            prompt, match = self._await(lambda: self._prompted(prompts), limit, awaited)
        except EOFError:
            return self._ended(prompts)
        if prompt.settle is not None:
            self._settle(prompt.settle, time.monotonic() + limit)  # EOFError cannot come: there is more
            return self._heard(prompt, len(self._come), "")
        return self._heard(prompt, match.start(), _decode(match.group()).strip())

    def rest(self, seconds: float) -> None:
        """Wait a while before something is asked again; what comes meanwhile ends it, and is heard later."""
        self._child.has_more(seconds)

    def close(self) -> int | None:
        """End the program, by force if it is still there; gives its exit status (None: a signal ended it)."""
        if self._over != "closed":
            self._over = "closed"
            self._filters.drain()
            if self._ended_itself:
                self._child.wait_end(END_LIMIT)
            self._child.close(force=True)
            self.recorder.exit(self._status())
            self.recorder.close()
        return self._status()

    def _status(self) -> int | None:
        status: int | None = self._child.exitstatus
        # Over there a shell stays the tool's parent: it makes 128 and more of a signal.
        return None if self._link is not None and status is not None and 128 < status < 160 else status

    def _say_at_once(self, data: bytes) -> bytes:
        """The terminal echoes the line; gives what came before the echo."""
        self.recorder.typed(data)
        self._send(data + self._manners.enter)
        ends = LineEnd(data)
        start, end = self._await(lambda: ends.search(self._come), ECHO_LIMIT, self._echo_of(data))
        before = bytes(self._come[:start])
        del self._come[:end]  # the newline stays: what follows is at the start of a line
        return before

    def _say_in_row(self, row: ScreenRow, data: bytes) -> bytes:
        """The tool's editor draws the line as it likes: see it stand behind the prompt, then press return."""
        before = bytes(self._come[: row.start(self._come)])
        row.forget(self._come)
        prompt = bytes(self._come[: self._cursor]).rstrip(b" ")
        self.recorder.keys(data)
        self._send(data)
        stands = re.compile(re.escape(prompt) + b" *" + re.escape(data))
        self._await(lambda: stands.fullmatch(self._come, 0, self._cursor) or None, ECHO_LIMIT, self._echo_of(data))
        self.recorder.typed(b"")
        self._send(self._manners.enter)
        self._await(lambda: b"\n" in self._come or None, ECHO_LIMIT, "the end of the line")
        row.forget_line(self._come)
        return before

    @property
    def _cursor(self) -> int:
        """Where what has come ends: behind it only an editor's hint can stand."""
        return self._row.end(self._come) if self._row else len(self._come)

    def _echo_of(self, data: bytes) -> str:
        return f"the echo of {self.recorder.redact(_decode(data))!r}"

    def _take(self, data: bytes) -> None:
        if self._row is None:
            self._come += data
            return
        self._row.feed(self._come, data)
        while self._row.replies:
            self._send(self._row.replies.pop(0))

    def _await(self, look: Callable[[], T | None], limit: float, awaited: str) -> T:
        """Read until `look` finds something. EOFError at the program's end."""
        end = time.monotonic() + limit
        while (found := look()) is None:
            self._read(end, f"did not give {awaited} within {limit:g} s")
        return found

    def _read(self, end: float, late: str) -> None:
        """Take what comes next. Past the end, only what has come already is read, and not for long."""
        left = end - time.monotonic()
        if left < -OVERTIME:
            raise self._late(late)
        try:
            self._take(self._child.read_within(max(0.0, left)))
        except pexpect.TIMEOUT:
            raise self._late(late) from None
        except pexpect.EOF:
            self._demand_link()
            self._ended_itself = True
            raise EOFError from None
        except AnswerTooLargeError:
            what = f"an answer of more than {LARGEST_ANSWER} bytes"
            raise self._end(self._unknown(what, bytes(self._come[-4000:]))) from None
        except UnknownSequenceError as error:
            raise self._end(self._unknown(f"it sent {error}", self._come)) from None
        except KeyferryError as error:
            raise self._end(error) from None
        except BaseException:
            self._over = "it was interrupted in the middle of an answer"
            raise

    def _late(self, what: str) -> KeyferryError:
        self._demand_link()
        # Something that ends like a question is one that nobody here knows; else the tool just hangs.
        asked = _QUESTION.search(self._come, max(0, len(self._come) - WINDOW), self._cursor)
        kind = UnknownScreenError if asked else UnreachableError
        return self._end(self._error(kind, f"{self.tool} {what}", self._come))

    def _demand_link(self) -> None:
        """A tool that falls silent or ends because the connection is gone has neither hung nor ended by itself."""
        if self._link is not None and not self._link.alive():
            what = f"the connection to the {self.host} host was lost while {self.tool} ran"
            raise self._end(self._error(UnreachableError, what, self._come)) from None

    def _prompted(self, prompts: tuple[Prompt, ...]) -> tuple[Prompt, re.Match[bytes]] | None:
        start = max(0, len(self._come) - WINDOW)
        for prompt in prompts:
            if prompt.name == ENDED or not (match := prompt.compiled().search(self._come, start, self._cursor)):
                continue
            # Words of a prompt that more text follows were no prompt: a label can hold them.
            if prompt.settle is not None or not self._child.has_more():
                return prompt, match
        return None

    def _settle(self, silence: float, end: float) -> None:
        if self._link is not None:  # a connection has pauses of its own
            silence = max(silence, 5 * self._link.delay())
        while self._child.has_more(silence):
            self._read(end, "was still printing when its time was up")

    def _heard(self, prompt: Prompt, length: int, question: str) -> Reply:
        self.recorder.sync()
        heard = Reply(_decode(self._come[:length]).removeprefix("\n"), prompt.name, question)
        if self.greeting is None:
            self.greeting = heard.text
            self.recorder.greeted(heard.text)
        seen = bytes(self._come)
        if self._row:
            self._row.forget(self._come)
        else:
            self._come.clear()
        if prompt.fatal:
            raise self._end(self._unknown(f"{question!r} came: the answer before it was not taken", seen))
        return heard

    def _ended(self, prompts: tuple[Prompt, ...]) -> Reply:
        self._drain()
        if self.greeting is None and never_started(_decode(self._come)):
            raise self._end(self._early("could not be started"))
        for prompt in prompts:
            if prompt.name == ENDED:
                return self._heard(prompt, len(self._come), "")
        raise self._end(self._early())

    def _drain(self) -> None:
        """Take what the filters kept back at the end of the stream."""
        try:
            self._take(self._filters.drain())
        except UnknownSequenceError as error:
            raise self._end(self._unknown(f"it sent {error}", self._come)) from None

    def _send(self, data: bytes) -> None:
        if data.endswith(self._manners.enter):  # else the answer goes on, and its size counts on
            self.asked, self._child.answer_size = self.asked + 1, 0
        try:
            self._child.send(data)
        except pexpect.TIMEOUT:
            raise self._late(f"did not read what was typed within {SEND_LIMIT:g} s") from None
        except OSError as error:
            raise self._end(self._early()) from error

    def _ready(self) -> None:
        if self._over:
            raise self._finished()
        if self._filters.masks:
            self._drain()
            self._filters.unmask()

    def _check(self, line: str) -> None:
        if objection := self._manners.objection(line):
            size = len(line.encode("utf-8", "surrogateescape"))
            quoted = f"'{printable(self.recorder.redact(line))}'" if size <= _QUOTED else f"a line of {size} bytes"
            raise self._refuse(quoted, objection)

    def _refuse(self, what: str, why: str) -> UsageError:
        what = f"{what} cannot be typed to {self.tool}: it {why}"
        return UsageError(what, tool=self.tool, host=self.host, keys="nothing was typed")

    def _end(self, error: KeyferryError) -> KeyferryError:
        self._over = error.what
        return error

    def _finished(self) -> KeyferryError:
        return self._error(UnreachableError, f"the session with {self.tool} is over: {self._over}", b"")

    def _early(self, how: str = "exited unexpectedly") -> KeyferryError:
        return self._error(UnreachableError, f"{self.tool} {how}", self._come)

    def _unknown(self, what: str, seen: bytes | bytearray) -> KeyferryError:
        return self._error(UnknownScreenError, f"{self.tool}: {what}", seen)

    def _error(self, kind: type[KeyferryError], what: str, seen: bytes | bytearray) -> KeyferryError:
        return kind(
            self.recorder.redact(what),
            tool=self.tool,
            host=self.host,
            seen=last_lines(self.recorder.redact(_decode(seen).removeprefix("\n"))),
            hint=UNKNOWN_SCREEN if kind is UnknownScreenError else None,
            record=self.recorder.place,
        )


def _decode(data: bytes | bytearray) -> str:
    return bytes(data).decode("utf-8", "surrogateescape")
