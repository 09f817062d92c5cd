from __future__ import annotations

import copy
import hashlib
import re
import secrets
import shlex
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final, Self

from keyferry.errors import UnreachableError, UsageError
from keyferry.names import Sha256
from keyferry.terminal import about, process, ssh
from keyferry.terminal.far_shell import BrokenShellError, FarShell
from keyferry.terminal.host import (
    EMULATED,
    EMULATED_WITHIN,
    INSTALLED,
    PREFIX,
    Note,
    Program,
    clean_environment,
    demand_ours,
    keep,
    no_tool,
)
from keyferry.terminal.process import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType

    from keyferry.terminal.far_shell import Answer
    from keyferry.terminal.process import Process
    from keyferry.terminal.ssh import Way

_TOOL: Final = (
    'umask 077; ulimit -c 0; PATH=$PATH:/usr/bin:/bin:/usr/sbin:/sbin; cd "$1" || exit 126; shift; '
    'printf "%s %s\\n" "$0" "$(tty)"; env LC_ALL=C TERM=dumb "$@"; exit $?'
)
"""Starts a tool. The marker that it prints first, with the terminal's name, divides what a login shell printed from
what the tool says; it stays the tool's parent, so that a signal shows as 128 and more, and 255 is not ssh's alone."""

_NOTED: Final = f'{{ {process.ask("$$")}; }} >"$0" 2>/dev/null; exec "$@"'
"""Becomes the tool, after it has written down its own process."""

_ECHO_OFF: Final = re.compile(rb"(?<![\w-])-echo(?![\w-])")
_PROCESS: Final = "process-"
ALIVE_LIMIT: Final = 10.0


class FarHost:
    """Another host over the operator's own ssh, or this one behind a command prefix: one connection for all.

    A context manager: it reaches the host (UnreachableError with ssh's own words where it cannot) and makes the
    private folder there; at the end the folder is gone. `note` hears of each folder before it is made.
    """

    facts: Mapping[str, str]

    def __init__(
        self,
        name: str,
        way: Way,
        tools: str,
        without: frozenset[str] = frozenset(),
        *,
        note: Note = lambda _where, _folder: None,
        start_limit: float = 60.0,
        limit: float = 60.0,
    ) -> None:
        if tools and not tools.startswith("/"):
            raise UsageError(
                f"[{name}] bin: {tools!r} is no absolute path, which it must be on another host",
                keys="nothing was started",
                hint="write the folder as that host has it",
            )
        self.name = name
        self._tools = tools
        self._env = clean_environment(without)
        self._connection = ssh.Connection(way)
        self._note = note
        self._start_limit, self._limit = start_limit, limit
        self._directory = "/"

    def __enter__(self) -> Self:
        if (sockets := self._connection.folder) is not None:
            self._note("", str(sockets))
            sockets.mkdir(mode=0o700)
        self._shell = FarShell(self._connection.shell(), self._env)
        try:
            self._arrive()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._shell.close()
        if self._connection.folder is not None:
            shutil.rmtree(self._connection.folder, ignore_errors=True)

    def program(self, tool: str, *arguments: str) -> Program:
        path = self._find(tool)
        size, digest = self._do(f"wc -c <{shlex.quote(path)} && {self._hash(path)}", f"cannot read {tool}").split(
            None, 1
        )
        start = bytes.fromhex(self._do(_show(path, EMULATED_WITHIN), f"cannot read {tool}"))
        marker = secrets.token_hex(8)
        noted = f"{_PROCESS}{marker}"
        words = ("/bin/sh", "-c", _TOOL, marker, self._directory, "/bin/sh", "-c", _NOTED, noted, path, *arguments)
        return Program(
            tool,
            self.name,
            path,
            tuple(self._connection.tool(words)),
            Path("/"),
            self._env,
            self._digest(digest),
            size=int(size),
            link=self,
            marker=marker.encode(),
            emulated=EMULATED in start,
            find=lambda _child: self._process(noted),
        )

    def shell(self, command: str) -> bytes:
        return self.ask(command).output

    def _process(self, noted: str) -> Process:
        """A tool by what it wrote down; UNKNOWN if what is seen from here is another process, or none."""
        told = process.read(self.take(noted) or b"")
        return told if told.pid is not None and process.find(self.shell, told.pid) == told else UNKNOWN

    def room(self, name: str) -> FarHost:
        room = copy.copy(self)
        self._do(f"mkdir -m 700 {_at(name)}", "cannot make a private folder")
        room._directory = f"{self._directory}/{name}"
        return room

    @property
    def noise(self) -> bytes:
        """What the account's shell prints although nobody asked."""
        return self._shell.noise

    def alive(self) -> bool:
        """Whether the connection still carries a question and its answer."""
        try:
            return self._shell.ask(":", ALIVE_LIMIT).status == 0
        except BrokenShellError:
            return False

    def delay(self) -> float:
        start = time.monotonic()
        self.alive()
        return time.monotonic() - start

    def wait_echo_off(self, terminal: str, within: float) -> bool:
        end = time.monotonic() + within
        while not _ECHO_OFF.search(self.ask(f"stty -a <{shlex.quote(terminal)}").output):
            if time.monotonic() >= end:
                return False
        return True

    def put(self, source: Path, name: str) -> Sha256:
        return self.put_all({name: source})[name]

    def put_all(self, files: Mapping[str, Path], instead_of: Iterable[str] = ()) -> dict[str, Sha256]:
        old = [f"rm -f {' '.join(map(_at, instead_of))}"] if instead_of else []
        steps = [f"{_write(name, path.read_bytes())} && {self._hash(name)}" for name, path in files.items()]
        told = self._do(" && ".join([":", *old, *steps]), f"cannot take {', '.join(files)}")
        return {name: self._digest(line) for name, line in zip(files, told.splitlines(), strict=True)}

    def fetch(self, name: str, target: Path) -> Sha256:
        return self.fetch_all({name: target})[name]

    def fetch_all(self, files: Mapping[str, Path]) -> dict[str, Sha256]:
        return self._given(files, "")

    def _given(self, files: Mapping[str, Path], after: str) -> dict[str, Sha256]:
        steps = [f"{self._hash(name)} && echo . && {_show(name)} && echo ." for name in files]
        if after:
            steps.append(after)
        parts = self._do(" && ".join([":", *steps]), f"cannot give {', '.join(files)}").split(".")
        for target, content in zip(files.values(), parts[1::2], strict=True):
            keep(target, bytes.fromhex(content))
        return {name: self._digest(line) for name, line in zip(files, parts[0:-1:2], strict=True)}

    def collect(self, name: str, target: Path) -> Sha256:
        return self._given({name: target}, f"rm -f {_at(name)}")[name]

    def take(self, name: str) -> bytes | None:
        at = _at(name)
        told = self._do(f"if [ -e {at} ]; then {_show(name)} && rm -f {at}; else echo none; fi", f"cannot give {name}")
        return None if told.strip() == "none" else bytes.fromhex(told)

    def glimpse(self, name: str, count: int) -> tuple[int, bytes] | None:
        at = _at(name)
        steps = f"echo $n && {_show(name, count)} && {_overwrite(name)} && rm -f {at}"
        told = self._do(f"if [ -e {at} ]; then n=$(($(wc -c <{at}))) && {steps}; fi", f"cannot give {name}")
        size, _, data = told.partition("\n")
        return (int(size), bytes.fromhex(data)) if size.strip() else None

    def size(self, name: str) -> int | None:
        at = _at(name)
        told = self._do(f"if [ -e {at} ]; then wc -c <{at}; fi", f"cannot look at {name}").strip()
        return int(told) if told else None

    def read(self, name: str, count: int = -1) -> bytes:
        return bytes.fromhex(self._do(_show(name, count), f"cannot read {name}"))

    def write(self, name: str, data: bytes) -> None:
        self._do(_write(name, data), f"cannot write {name}")

    def remove(self, name: str) -> None:
        at = _at(name)  # most are not there, and a process less is a millisecond less
        self._do(f"if [ -e {at} ] || [ -h {at} ]; then rm -f {at}; fi", f"cannot remove {name}")

    def erase(self, name: str) -> None:
        at = _at(name)
        steps = f"n=$(($(wc -c <{at}))) && {_overwrite(name)} && rm -f {at}"
        self._do(f"if [ -e {at} ]; then {steps}; fi", f"cannot erase {name}")

    def remove_folder(self, path: str) -> None:
        """Remove what a killed run left: a private folder by the name that it put on record."""
        demand_ours(path)
        self._do(f"rm -rf {shlex.quote(path)}", f"cannot remove {path}")

    def ask(self, command: str) -> Answer:
        """Run one line of POSIX shell there, in the private folder."""
        try:
            return self._shell.ask(f"cd {shlex.quote(self._directory)} && {{ {command}; }}", self._limit)
        except BrokenShellError as error:
            raise UnreachableError(
                f"the connection to the {self.name} host was lost",
                host=self.name,
                seen=ssh.own_words(str(error)),
                hint="what it left in the host's temporary folder is named in the journal",
            ) from error

    def _do(self, command: str, otherwise: str) -> str:
        answer = self.ask(command)
        told = answer.output.decode("utf-8", "surrogateescape")
        if answer.status:
            raise UnreachableError(f"the {self.name} host {otherwise}", host=self.name, seen=told.strip() or None)
        return told

    def _arrive(self) -> None:
        before = datetime.now(UTC)
        try:
            answer = self._shell.ask(about.ASK, self._start_limit)
        except BrokenShellError as error:
            raise UnreachableError(
                f"the {self.name} host cannot be reached",
                host=self.name,
                seen=ssh.own_words(str(error)),
                keys="nothing was changed",
                hint=ssh.hint(str(error)),
            ) from error
        self.facts = about.understood(answer.output, before, datetime.now(UTC))
        if key := ssh.fingerprint(self._shell.errors):
            self.facts = {**self.facts, "host_key": key}
        # As `mktemp -d` would; but that is not POSIX, and this name is on record before the folder is there.
        directory = f"{self.facts['temporary'].rstrip('/')}/{PREFIX}{secrets.token_hex(8)}"
        self._note(self.name, directory)
        folder = shlex.quote(directory)
        self._do(f"mkdir -m 700 {folder} && private={folder}", "cannot make a private folder")
        self._directory = directory

    def _find(self, tool: str) -> str:
        folders = [self._tools] if self._tools else list(INSTALLED[tool])
        paths = [shlex.quote(str(PurePosixPath(folder) / tool)) for folder in folders]
        looks = [f"if [ -f {path} ] && [ -x {path} ]; then printf '%s\\n' {path}; fi" for path in paths]
        on_path = [] if self._tools else [f"command -v {tool} || :"]
        told = self._do("; ".join(looks + on_path), f"cannot be searched for {tool}")
        found = [line for line in told.splitlines() if line.startswith("/")]
        if not found:
            raise no_tool(tool, self.name, folders)
        return found[0]

    def _hash(self, name: str) -> str:
        """A command that tells a file's hash, or where there is none for that, its content."""
        command = about.HASHES.get(self.facts.get("hash", ""))
        return f"{command} <{_at(name)}" if command else f"echo $({_show(name)})"

    def _digest(self, told: str) -> Sha256:
        if "hash" not in self.facts:
            return Sha256(hashlib.sha256(bytes.fromhex(told)).hexdigest())
        found = re.findall(r"\b[0-9a-f]{64}\b", told)
        if len(found) != 1:
            raise UnreachableError(f"the {self.name} host tells no hash", host=self.name, seen=told.strip() or None)
        return Sha256(found[0])


def _at(name: str) -> str:
    return shlex.quote(name if name.startswith("/") else f"./{name}")


def _write(name: str, data: bytes) -> str:
    """Bytes as octal numbers of printf, which every shell has. Nobody reads the file before this has succeeded."""
    octal = "".join(f"\\{byte:03o}" for byte in data)
    return f"printf '{octal}' >{_at(name)}"


def _overwrite(name: str) -> str:
    """As many zeros as the shell's `n` says, in place, without another process; an empty file has nothing to lose."""
    return f"{{ [ $n -eq 0 ] || printf %0${{n}}d 0 1<>{_at(name)}; }}"


def _show(name: str, count: int = -1) -> str:
    return f"od -An -v -tx1{f' -N{count}' if count >= 0 else ''} <{_at(name)}"
