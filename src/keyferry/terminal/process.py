"""A tool's own process, noted so that a later process of Keyferry can find out whether it still runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

Shell: TypeAlias = "Callable[[str], bytes]"
"""Runs a line of POSIX shell on a host and gives what it printed."""

_STATE, _STARTED = 0, 19  # fields of /proc/PID/stat behind the command's name
_ENDED = frozenset("ZXx")


@dataclass(frozen=True, slots=True)
class Process:
    """host: the host's name and PID namespace; boot: the kernel's boot id; started: clock ticks from boot to its start.

    Each is None where the host has no /proc or a command prefix hides the process.
    """

    host: str | None = None
    boot: str | None = None
    pid: int | None = None
    started: int | None = None

    @property
    def is_known(self) -> bool:
        return None not in (self.host, self.boot, self.pid, self.started)


UNKNOWN: Final = Process()


def ask(pid: str) -> str:
    """A line of shell that describes a process. pid: in decimal, or `$$`."""
    return (
        f"printf 'pid=%s\\n' {pid}; "
        'printf \'host=%s %s\\n\' "$(uname -n)" "$(readlink /proc/self/ns/pid 2>/dev/null)"; '
        "printf 'boot=%s\\n' \"$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)\"; "
        f"printf 'stat=%s\\n' \"$(cat /proc/{pid}/stat 2>/dev/null)\""
    )


def read(output: bytes) -> Process:
    """What `ask` printed; UNKNOWN if any of it is missing or the process has ended."""
    return _read(output)[0]


def _read(output: bytes) -> tuple[Process, bool]:
    """The process, UNKNOWN if it does not run; and whether this host says what runs on it."""
    before, _, stat = output.decode("utf-8", "replace").partition("stat=")
    told = dict(line.partition("=")[::2] for line in before.splitlines())
    host, boot, pid = told.get("host", "").strip(), told.get("boot", "").strip(), told.get("pid", "")
    if not (host and boot and pid.isdecimal()):
        return UNKNOWN, False
    here = Process(host, boot)
    fields = stat.rpartition(")")[2].split()
    if len(fields) <= _STARTED or fields[_STATE] in _ENDED or not fields[_STARTED].isdecimal():
        return here, True
    return Process(host, boot, int(pid), int(fields[_STARTED])), True


def find(shell: Shell, pid: int) -> Process:
    """A process of this host; UNKNOWN if it does not run or cannot be seen."""
    found = read(shell(ask(str(pid))))
    return found if found.is_known else UNKNOWN


def runs(shell: Shell, process: Process) -> bool | None:
    """Whether this very process still runs. None: it cannot be checked here.

    After a reboot it does not; on another host, or in another PID namespace, nobody can tell.
    """
    if not process.is_known:
        return None
    now, told = _read(shell(ask(str(process.pid))))
    if not told or now.host != process.host:
        return None
    return now == process


def end(shell: Shell, process: Process, signal: str) -> None:
    """Send a signal (TERM or KILL) to this very process."""
    if runs(shell, process):
        shell(f"kill -s {signal} {process.pid} 2>/dev/null || :")
