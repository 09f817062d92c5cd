from __future__ import annotations

import errno
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Exit(IntEnum):
    """What the process ends with; part of the interface, so numbers never change their meaning."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    PARTIAL = 3
    LOGIN_REFUSED = 4
    LOCKOUT_NEAR = 5
    MISMATCH = 6
    NEEDS_OPERATOR = 7
    CHECK_FAILED = 8
    UNREACHABLE = 9
    UNKNOWN_SCREEN = 10
    JOURNAL_HELD = 11
    RECORD_FAILED = 12
    INTERNAL = 70
    HANGUP = 129
    INTERRUPTED = 130
    TERMINATED = 143


PRECEDENCE = (
    Exit.RECORD_FAILED,
    Exit.JOURNAL_HELD,
    Exit.INTERNAL,
    Exit.UNKNOWN_SCREEN,
    Exit.UNREACHABLE,
    Exit.LOGIN_REFUSED,
    Exit.MISMATCH,
    Exit.NEEDS_OPERATOR,
    Exit.PARTIAL,
    Exit.FAILED,
)
"""With mixed outcomes the first of these that applies is the exit code."""


WORDED_OTHERWISE = "does this client word a prompt or a flag otherwise? set its words in `[dialect]` of keyferry.toml"
"""What to do where a tool does not know what the vendor documents, or asks what nobody knows."""

UNKNOWN_SCREEN = (
    f"{WORDED_OTHERWISE}; a tool version that is not known yet? `keyferry transcript sanitize RECORD -o FILE` takes "
    "out what names your site; look FILE through and send it to us"
)
"""What to do about a screen that is not understood."""

ADVICE = {
    Exit.USAGE: "`keyferry COMMAND --help` lists the options; `keyferry config check` looks at the configuration",
    Exit.FAILED: "`keyferry status RUN` shows what became of each key",
    Exit.PARTIAL: "`keyferry status RUN` shows what became of each key",
    Exit.LOGIN_REFUSED: "find the right secret by other means before you type another",
    Exit.LOCKOUT_NEAR: "find out who failed to log in before you type a secret",
    Exit.MISMATCH: "find out what changed the values before you continue",
    Exit.NEEDS_OPERATOR: "`keyferry status RUN` shows the question that each key has",
    Exit.CHECK_FAILED: "mend what is named, and run the command again",
    Exit.UNREACHABLE: "`keyferry doctor` checks the host and its tools; `[limits]` allows them more time",
    Exit.UNKNOWN_SCREEN: UNKNOWN_SCREEN,
    Exit.JOURNAL_HELD: "wait until the other process has ended",
    Exit.RECORD_FAILED: "free space, or allow writing there, and run the command again",
}
"""What to do about an error that says nothing more exact."""


class KeyferryError(Exception):
    """Something that ends a command or fails a key, with all that helps the person who must act.

    what: what failed. rule: the rule's name, where one was broken. tool, host, step: where.
    seen: what the tool showed, secrets taken out. keys: what it means for the keys. hint: what to do.
    record: where the conversation lies.
    """

    exit_code = Exit.FAILED

    def __init__(
        self,
        what: str,
        *,
        rule: str | None = None,
        tool: str | None = None,
        host: str | None = None,
        step: str | None = None,
        seen: str | None = None,
        keys: str | None = None,
        hint: str | None = None,
        record: str | None = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.rule = rule
        self.tool = tool
        self.host = host
        self.step = step
        self.seen = seen
        self.keys = keys
        self.hint = hint
        self.record = record

    @property
    def advice(self) -> str | None:
        """What to do: the error's own hint, or what helps with all of its kind."""
        return self.hint or ADVICE.get(self.exit_code)

    def redact(self, clean: Callable[[str], str]) -> None:
        """Take secrets out of everything that was seen or said."""
        self.what, self.seen = clean(self.what), self.seen and clean(self.seen)
        self.args = (self.what,)

    def fill(self, **context: str | None) -> None:
        """Add context known further up; what is known already stays."""
        for name, value in context.items():
            if getattr(self, name) is None:
                setattr(self, name, value)


class UsageError(KeyferryError):
    """The command's words or the configuration are off; nothing was started."""

    exit_code = Exit.USAGE


class ToolRefusedError(KeyferryError):
    """A tool understood and refused: the state is known, nothing came of this command.

    code: the tool's own (0x1b, CKR_KEY_UNEXTRACTABLE). text: its own words, unescaped, where they decide something.
    function: the call that failed, where the tool names it.
    """

    def __init__(
        self,
        what: str,
        *,
        code: str,
        tool: str,
        seen: str | None = None,
        hint: str | None = None,
        text: str = "",
        function: str | None = None,
    ) -> None:
        super().__init__(what, tool=tool, seen=seen, hint=hint)
        self.code = code
        self.text = text
        self.function = function


class LoginRefusedError(KeyferryError):
    """LOGIN-ONCE: a secret was refused; no code path types it again."""

    exit_code = Exit.LOGIN_REFUSED


class LoginForbiddenError(LoginRefusedError):
    """LOGIN-ONCE: an earlier process was refused, or its login did not finish; nothing is typed."""


class LockoutNearError(KeyferryError):
    """LOCKOUT-NEAR: a failure counter or flag is raised, so no secret is typed."""

    exit_code = Exit.LOCKOUT_NEAR


class MismatchError(KeyferryError):
    """Two things that must be equal are not."""

    exit_code = Exit.MISMATCH


class NeedsOperatorError(KeyferryError):
    """Something happened that only a person may judge, as a key that exists on some nodes."""

    exit_code = Exit.NEEDS_OPERATOR


class CheckFailedError(KeyferryError):
    """A check failed before anything was changed."""

    exit_code = Exit.CHECK_FAILED


class UnreachableError(KeyferryError):
    """A tool or host is missing, ended too early, or did not answer in time."""

    exit_code = Exit.UNREACHABLE


class UnknownScreenError(KeyferryError):
    """A tool said something that is not understood; it is shown, never guessed at."""

    exit_code = Exit.UNKNOWN_SCREEN


class JournalHeldError(KeyferryError):
    """Another run holds the journal."""

    exit_code = Exit.JOURNAL_HELD


class RecordFailedError(KeyferryError):
    """The record could not be written, so nothing more is typed."""

    exit_code = Exit.RECORD_FAILED


_NOT_MAPPED = "failed to map segment"  # of a library that there is no memory for
_EXHAUSTED = {
    errno.EMFILE: "Keyferry may not open more files: raise the limit (`ulimit -n`)",
    errno.ENFILE: "the system cannot open more files: close other programs",
    errno.ENOMEM: "the system has no memory left: close other programs",
    errno.EAGAIN: "the system cannot start more processes: close other programs, or raise the limit (`ulimit -u`)",
}


def exhausted(error: BaseException) -> str | None:
    """Return which limit of the system an exception comes from, and what to do; None if from none."""
    if isinstance(error, MemoryError) or (isinstance(error, ImportError) and _NOT_MAPPED in str(error)):
        return "Keyferry was refused more memory: raise the limit (`ulimit -v`) or close other programs"
    return _EXHAUSTED.get(error.errno or 0) if isinstance(error, OSError) else None


class InternalError(KeyferryError):
    """An exception that Keyferry did not expect. Its text is never shown: it could contain anything."""

    exit_code = Exit.INTERNAL

    def __init__(self, cause: BaseException, record: str | None = None) -> None:
        super().__init__(
            exhausted(cause) or "an error in Keyferry itself",
            keys="the state of keys in flight is unknown; `keyferry resume` finds out",
            hint="report it with the output of the same command under KEYFERRY_TRACEBACK=1",
            record=record,
        )


class InterruptedRunError(KeyferryError):
    """A signal ended the run between two commands."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(
            "interrupted",
            hint="the record and the journal are complete up to here; `keyferry status RUN` names the next command",
        )
        self.exit_code = {1: Exit.HANGUP, 15: Exit.TERMINATED}.get(signal_number, Exit.INTERRUPTED)


def first_of(codes: set[Exit]) -> Exit:
    """The exit code that stands for several outcomes at once."""
    return next((code for code in PRECEDENCE if code in codes), Exit.DONE)
