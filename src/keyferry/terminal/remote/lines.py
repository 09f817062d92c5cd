"""Lines of POSIX shell that read and write files on another host."""

from __future__ import annotations

import shlex
from typing import Final

from keyferry.terminal import process
from keyferry.terminal.remote.answers import EMPTY, NOT_UNDERSTOOD

_TOOL: Final = (
    'umask 077; ulimit -c 0; PATH=$PATH:/usr/bin:/bin:/usr/sbin:/sbin; cd "$1" || exit 126; shift; '
    'printf "%s %s\\n" "$0" "$(tty)"; env LC_ALL=C TERM=dumb "$@"; exit $?'
)
"""Starts a tool. The marker that it prints first, with the terminal's name, divides what a login shell printed from
what the tool says; it stays the tool's parent, so that a signal shows as 128 and more, and 255 is not ssh's alone."""

_NOTED: Final = f'{{ {process.ask("$$")}; }} >"$0" 2>/dev/null; exec "$@"'
"""Becomes the tool, after it has written down its own process."""


def tool(marker: str, folder: str, noted: str, *words: str) -> tuple[str, ...]:
    """Return the command that starts a tool in a folder, where it writes its own process to the file `noted`."""
    return ("/bin/sh", "-c", _TOOL, marker, folder, "/bin/sh", "-c", _NOTED, noted, *words)


def at(name: str) -> str:
    """Quote a path, or a name in the private folder."""
    return shlex.quote(name if name.startswith("/") else f"./{name}")


def write(name: str, data: bytes) -> str:
    """Bytes as octal numbers of printf, which every shell has. Nobody reads the file before this has succeeded."""
    octal = "".join(f"\\{byte:03o}" for byte in data)
    return f"printf '{octal}' >{at(name)}"


def show(name: str, count: int = -1) -> str:
    """Print bytes in hexadecimal. An empty file has a word of its own: od that prints nothing has failed."""
    printed = f"od -An -v -tx1{f' -N{count}' if count >= 0 else ''} <{at(name)}"
    return f"if [ -e {at(name)} ] && [ ! -s {at(name)} ]; then echo {EMPTY}; else {printed}; fi"


def sized(name: str) -> str:
    """Put the size of a file into `$1`. If it is not understood, remove the file and end with NOT_UNDERSTOOD."""
    refuse = f"{{ rm -f {at(name)}; printf '%s\\n' \"$*\"; exit {NOT_UNDERSTOOD}; }}"
    checked = f"case $1 in (''|*[!0-9]*) {refuse};; esac && {{ [ $# -eq 1 ] || {refuse}; }}"
    return f"kf_n=$(wc -c <{at(name)}) && set -- $kf_n && {checked}"


def overwrite(name: str) -> str:
    """As many zeros as the shell's `$1` says, in place, without another process; an empty file has nothing to lose."""
    return f"{{ [ $1 -eq 0 ] || printf %0${{1}}d 0 1<>{at(name)}; }}"
