from __future__ import annotations

import base64
import getpass
import os
import resource
import select
import shlex
import signal
import stat
import subprocess
import sys
import time
import warnings
from pathlib import Path

from keyferry.errors import InterruptedRunError, UsageError

SHORTEST = 4
LONGEST = 4096
"""Bytes of a secret. A source that gives more is not read to its end."""
_DIGITS = 9  # of a file descriptor
COMMAND_LIMIT = 300.0
"""Seconds that a `cmd:` source may take: somebody may have to touch a token or to type a passphrase."""
_NOTHING = "nothing was started"
_OTHER_SOURCES = "name another source: file:PATH, cmd:ARGV, fd:N or env:NAME"
_KINDS = "use prompt, fd:N, file:PATH, cmd:ARGV or env:NAME"


class Secret:
    """A value that shows its name only. `reveal` is called where it is typed, and nowhere else."""

    __slots__ = ("_value", "name")

    def __init__(self, name: str, value: bytes) -> None:
        if len(value) < SHORTEST:
            raise UsageError(
                f"the {name} has fewer than {SHORTEST} characters",
                hint="so short a secret cannot be kept out of a record reliably; no tool was started",
            )
        if not value.isascii() or any(byte < 0x20 or byte == 0x7F for byte in value):
            raise UsageError(f"the {name} holds characters that cannot be typed at a prompt (control or non-ASCII)")
        self.name = name
        self._value = value
        _KNOWN.append(self)

    def reveal(self) -> bytes:
        return self._value

    def __len__(self) -> int:
        return len(self._value)

    def __repr__(self) -> str:
        return f"<secret {self.name}>"

    def __reduce__(self) -> str:
        raise TypeError(f"{self!r} is not to be copied out of this process")


_KNOWN: list[Secret] = []


def without_secrets(text: str) -> str:
    """Remove from a text every secret that this process has read, as it is, escaped, in hex and in base64."""
    for secret in _KNOWN:
        value = secret.reveal()
        escaped = repr(value.decode("ascii"))[1:-1].encode()
        forms = {value, escaped, value.hex().encode(), value.hex().upper().encode(), base64.b64encode(value)}
        for form in sorted(forms, key=len, reverse=True):
            text = text.replace(form.decode(), f"[{secret.name}]")
    return text


def resolve(name: str, source: str, base: Path | None = None) -> Secret:
    """Fetch a secret from where the user said it is; UsageError if it cannot be had.

    source: `prompt`, `fd:N`, `file:PATH` (relative to `base`; mode 0600 or stricter), `cmd:ARGV` (split
    like a shell's words, run without a shell), `env:NAME`. One final newline is dropped.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # from now on this process has something to lose
    kind, _, rest = source.partition(":")
    try:
        value = _SOURCES[kind](name, rest, base)
    except KeyError:
        raise UsageError(f"{name}: unknown source of a secret", hint=_KINDS) from None
    except OSError as error:
        raise _unreadable(name, kind, str(error.strerror)) from None
    except (ValueError, OverflowError, RuntimeError):
        raise _unreadable(name, kind, _MALFORMED.get(kind, "it contains what is no text")) from None
    if len(value) > LONGEST:
        raise _unreadable(name, kind, f"it gives more than {LONGEST} bytes")
    return Secret(name, value.removesuffix(b"\n").removesuffix(b"\r"))


_MALFORMED = {
    "fd": "`fd:` needs the number of an open file descriptor",
    "file": "the path names a user that does not exist, or contains a NUL character",
    "cmd": "its quotes are not balanced, or it contains a NUL character",
}


def _unreadable(name: str, kind: str, why: str) -> UsageError:
    return UsageError(f"{name}: cannot read it from {kind}: {why}", keys=_NOTHING)


def check_source(name: str, source: str) -> None:
    """UsageError where a source is of no kind that `resolve` knows; nothing is fetched."""
    if source.partition(":")[0] not in _SOURCES:
        raise UsageError(f"{name}: unknown source of a secret", hint=_KINDS)


def named_variable(source: str) -> str | None:
    """The environment variable that a source names, to be kept from children."""
    return source.removeprefix("env:") if source.startswith("env:") else None


def _prompt(name: str, _rest: str, _base: Path | None) -> bytes:
    if not has_terminal():
        raise UsageError(f"there is no terminal to ask for the {name} on", keys=_NOTHING, hint=_OTHER_SOURCES)
    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            return getpass.getpass(f"{name}: ").encode("utf-8", "surrogateescape")
        except (EOFError, KeyboardInterrupt) as ended:
            sys.stderr.write("\n")  # what follows must not stand behind the question
            if isinstance(ended, EOFError):
                raise UsageError(f"the {name} was not typed", keys=_NOTHING) from None
            error = InterruptedRunError(signal.SIGINT)
            error.keys, error.hint = _NOTHING, None
            raise error from None
        except getpass.GetPassWarning:
            what = f"the terminal cannot hide the {name} while it is typed"
            raise UsageError(what, keys=_NOTHING, hint=_OTHER_SOURCES) from None


def has_terminal() -> bool:
    """Whether somebody can be asked: there is a controlling terminal, or standard input is a terminal."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return sys.stdin is not None and sys.stdin.isatty()
    return True


def _descriptor(_name: str, rest: str, _base: Path | None) -> bytes:
    if len(rest) > _DIGITS:
        raise ValueError(rest)
    with os.fdopen(int(rest), "rb", closefd=False) as file:
        return file.readline(LONGEST + 1)


def _file(name: str, rest: str, base: Path | None) -> bytes:
    path = (base or Path()) / Path(rest).expanduser()
    with path.open("rb") as file:
        if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
            raise UsageError(f"{name}: {path} can be read by others", hint=f"chmod 600 {path}")
        return file.read(LONGEST + 1)


def _command(name: str, rest: str, _base: Path | None) -> bytes:
    words = shlex.split(rest)
    if not words:
        raise _unreadable(name, "cmd", "no command is named")
    end = time.monotonic() + COMMAND_LIMIT
    with subprocess.Popen(words, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, bufsize=0) as process:
        try:
            value = _output(process, end)
            status = None if value is None or len(value) > LONGEST else process.wait(max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            value = status = None
        finally:
            process.kill()
    if value is None:
        raise _unreadable(name, "cmd", f"the command did not end within {COMMAND_LIMIT:g} s")
    if status:
        told = f"ended with status {status}" if status > 0 else f"was ended by signal {-status}"
        raise _unreadable(name, "cmd", f"the command {told}")
    return value


def _output(process: subprocess.Popen[bytes], end: float) -> bytes | None:
    """Read what a command prints, up to one byte more than a secret has; None if it takes too long."""
    value = b""
    if process.stdout is None:
        return value
    while len(value) <= LONGEST:
        if not select.select([process.stdout], [], [], max(0.0, end - time.monotonic()))[0]:
            return None
        if not (piece := process.stdout.read(LONGEST + 1 - len(value))):
            break
        value += piece
    return value


def _variable(name: str, rest: str, _base: Path | None) -> bytes:
    if rest not in os.environ:
        raise UsageError(f"{name}: the environment has no variable {rest}")
    return os.environb[rest.encode("utf-8", "surrogateescape")]


_SOURCES = {"prompt": _prompt, "fd": _descriptor, "file": _file, "cmd": _command, "env": _variable}
