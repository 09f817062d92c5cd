"""Why a program did not start: missing, not executable, of another architecture, or without a library."""

from __future__ import annotations

import errno
import re
from typing import Final, Literal

from keyferry.errors import UnreachableError

_WORDS: Final = {
    errno.ENOENT: "{} is missing, or the interpreter that its first line names is",
    errno.EACCES: "{} may not be run",
    errno.ENOEXEC: "{} is no program for this machine: it is damaged, or for another architecture",
}
_SAID: Final = re.compile(
    r"(?:.*: )?(?:Exec format error|cannot execute binary file|cannot execute: required file not found)"
    r"|.*: bad interpreter: .*"
    r"|\S*: (?:line )?\d+: (?:Syntax error: .*|.*: (?:not found|Permission denied|No such file or directory))"
    r"|.*: error while loading shared libraries: .*"
    r"|(?:/\S*/)?env: .*: (?:Permission denied|No such file or directory)"
)
"""What a shell, `env` or the loader says of a program that they could not start."""

_ELF_HEADER: Final = 20
_BIG_ENDIAN: Final = 2
_RUNS: Final = {
    "x86_64": {3, 62},
    "i686": {3},
    "aarch64": {40, 183},
    "ppc64le": {21},
    "s390x": {22},
}
"""The machines in ELF headers whose programs a kernel may run, by the name that `uname -m` prints."""


def why_not_started(error: Exception, program: str) -> str:
    """Return why a program was not started, in words."""
    if not isinstance(error, OSError):
        return f"{program} is missing or may not be run"
    if error.errno == errno.ENOENT and "/" not in program:
        return f"{program} is in no folder of the PATH"
    words = _WORDS.get(error.errno or 0)
    return words.format(program) if words else f"{program}: {error.strerror or 'it cannot be started'}"


def require_native(start: bytes, kernel: str, tool: str, host: str, path: str) -> None:
    """Refuse a program whose first bytes say that it is for another architecture than `uname -srm` says.

    Raises:
        UnreachableError: the program cannot run there.
    """
    machines = _RUNS.get(kernel.rpartition(" ")[2])
    if machines is None or not start.startswith(b"\x7fELF") or len(start) < _ELF_HEADER:
        return
    order: Literal["big", "little"] = "big" if start[5] == _BIG_ENDIAN else "little"
    if int.from_bytes(start[18:20], order) not in machines:
        raise UnreachableError(
            f"{tool} could not be started: {path} is for another architecture than this host",
            tool=tool,
            host=host,
            keys="nothing was changed",
            hint=f"the host says that it is {kernel}",
        )


def never_started(text: str) -> bool:
    """Return whether the last line of what came says that the program itself was never started."""
    lines = text.strip().splitlines()
    return bool(lines) and _SAID.fullmatch(lines[-1].strip()) is not None
