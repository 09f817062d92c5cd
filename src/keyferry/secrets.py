from __future__ import annotations

import getpass
import os
import resource
import shlex
import stat
import subprocess
import sys
import warnings
from pathlib import Path

from keyferry.errors import UsageError

SHORTEST = 4
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

    def reveal(self) -> bytes:
        return self._value

    def __len__(self) -> int:
        return len(self._value)

    def __repr__(self) -> str:
        return f"<secret {self.name}>"

    def __reduce__(self) -> str:
        raise TypeError(f"{self!r} is not to be copied out of this process")


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
    except (OSError, ValueError, EOFError, subprocess.SubprocessError) as error:
        # The error of a failed command may hold its output: name its kind only.
        told = error.strerror if isinstance(error, OSError) else type(error).__name__
        raise UsageError(f"{name}: cannot read it from {kind}: {told}") from None
    return Secret(name, value.removesuffix(b"\n").removesuffix(b"\r"))


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
            return getpass.getpass(f"{name}: ").encode()
        except EOFError:
            raise UsageError(f"the {name} was not typed", keys=_NOTHING) from None
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
    with os.fdopen(int(rest), "rb", closefd=False) as file:
        return file.readline()


def _file(name: str, rest: str, base: Path | None) -> bytes:
    path = (base or Path()) / Path(rest).expanduser()
    with path.open("rb") as file:
        if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
            raise UsageError(f"{name}: {path} can be read by others", hint=f"chmod 600 {path}")
        return file.read()


def _command(_name: str, rest: str, _base: Path | None) -> bytes:
    done = subprocess.run(shlex.split(rest), check=True, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    return done.stdout


def _variable(name: str, rest: str, _base: Path | None) -> bytes:
    if rest not in os.environ:
        raise UsageError(f"{name}: the environment has no variable {rest}")
    return os.environ[rest].encode()


_SOURCES = {"prompt": _prompt, "fd": _descriptor, "file": _file, "cmd": _command, "env": _variable}
