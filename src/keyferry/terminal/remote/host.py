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
from typing import TYPE_CHECKING, Final, Self, TypeVar

from keyferry.errors import UnknownScreenError, UnreachableError, UsageError
from keyferry.pkcs11 import Sha256
from keyferry.terminal import host_facts, process
from keyferry.terminal.host import (
    EMULATED,
    EMULATED_WITHIN,
    INSTALLED,
    PREFIX,
    Note,
    Program,
    clean_environment,
    keep,
    no_tool,
    require_ours,
)
from keyferry.terminal.process import UNKNOWN
from keyferry.terminal.remote import answers, lines, ssh
from keyferry.terminal.remote.shell import BrokenShellError, RemoteShell
from keyferry.terminal.starting import require_native, why_not_started

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType

    from keyferry.terminal.process import Process
    from keyferry.terminal.remote.shell import ShellAnswer
    from keyferry.terminal.remote.ssh import Route

_ECHO_OFF: Final = re.compile(rb"(?<![\w-])-echo(?![\w-])")
_PROCESS: Final = "process-"
ALIVE_LIMIT: Final = 10.0
_NOT_RUN: Final = (126, 127)
"""What a shell's status is where a program cannot be run or is missing."""

T = TypeVar("T")


class RemoteHost:
    """Another host over the operator's own ssh, or this one behind a command prefix: one connection for all.

    A context manager: it reaches the host (UnreachableError with ssh's own words where it cannot) and makes the
    private folder there; at the end the folder is gone. `note` hears of each folder before it is made.
    """

    facts: Mapping[str, str]

    def __init__(
        self,
        name: str,
        way: Route,
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
        try:
            self._shell = self._started()
            self._arrive()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def _started(self) -> RemoteShell:
        words = self._connection.shell()
        try:
            return RemoteShell(words, self._env)
        except OSError as error:
            raise UnreachableError(
                f"the {self.name} host cannot be reached: {why_not_started(error, words[0])}",
                host=self.name,
                keys="nothing was changed",
                hint="the program that leads to the host must be on this machine: ssh, or the first word of `prefix`",
            ) from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if hasattr(self, "_shell"):  # the program that leads to the host was there
            self._shell.close()
        if self._connection.folder is not None:
            shutil.rmtree(self._connection.folder, ignore_errors=True)

    def program(self, tool: str, *arguments: str) -> Program:
        path = self._find(tool)
        command = f"wc -c <{shlex.quote(path)} && {self._hash(path)} && {lines.show(path, EMULATED_WITHIN)}"
        told = self._do(command, f"cannot read {tool}")
        size, digest, start = [*told.split("\n", 2), "", ""][:3]
        length, begins = self._read(lambda: answers.read_prefix_and_erase(size, start, EMULATED_WITHIN))
        require_native(begins, self.facts.get("kernel", ""), tool, self.name, path)
        marker = secrets.token_hex(8)
        noted = f"{_PROCESS}{marker}"
        words = lines.tool(marker, self._directory, noted, path, *arguments)
        return Program(
            tool,
            self.name,
            path,
            tuple(self._connection.tool(words)),
            Path("/"),
            self._env,
            self._read(lambda: self._digest(digest)),
            size=length,
            link=self,
            marker=marker.encode(),
            emulated=EMULATED in begins,
            find=lambda _child: self._process(noted),
        )

    def shell(self, command: str) -> bytes:
        return self.ask(command).output

    def _process(self, noted: str) -> Process:
        """A tool by what it wrote down; UNKNOWN if what is seen from here is another process, or none."""
        told = process.read(self.take(noted) or b"")
        return told if told.pid is not None and process.find(self.shell, told.pid) == told else UNKNOWN

    def room(self, name: str) -> RemoteHost:
        room = copy.copy(self)
        self._do(f"mkdir -m 700 {lines.at(name)}", "cannot make a private folder")
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
        while not _ECHO_OFF.search(self._terminal_settings(terminal)):
            if time.monotonic() >= end:
                return False
        return True

    def _terminal_settings(self, terminal: str) -> bytes:
        answer = self.ask(f"stty -a <{shlex.quote(terminal)}")
        if answer.status in _NOT_RUN:
            raise self._failed(answer, "cannot run stty, which shows whether a terminal hides what is typed")
        return answer.output

    def put(self, source: Path, name: str) -> Sha256:
        return self.put_all({name: source})[name]

    def put_all(self, files: Mapping[str, Path], instead_of: Iterable[str] = ()) -> dict[str, Sha256]:
        old = [f"rm -f {' '.join(map(lines.at, instead_of))}"] if instead_of else []
        steps = [f"{lines.write(name, path.read_bytes())} && {self._hash(name)}" for name, path in files.items()]
        told = self._do(" && ".join([":", *old, *steps]), f"cannot take {', '.join(files)}")
        rows = self._read(lambda: answers.lines(told, len(files)))
        return self._read(lambda: dict(zip(files, map(self._digest, rows), strict=True)))

    def fetch(self, name: str, target: Path) -> Sha256:
        return self.fetch_all({name: target})[name]

    def fetch_all(self, files: Mapping[str, Path]) -> dict[str, Sha256]:
        return self._given(files, "")

    def _given(self, files: Mapping[str, Path], after: str) -> dict[str, Sha256]:
        steps = [f"{self._hash(name)} && echo . && {lines.show(name)} && echo ." for name in files]
        if after:
            steps.append(after)
        told = self._do(" && ".join([":", *steps]), f"cannot give {', '.join(files)}")
        return self._read(lambda: self._kept(files, answers.parts(told, 2 * len(files))))

    def _kept(self, files: Mapping[str, Path], parts: list[str]) -> dict[str, Sha256]:
        contents, hashes = list(map(answers.content, parts[1::2])), list(map(self._digest, parts[0::2]))
        for target, content in zip(files.values(), contents, strict=True):
            keep(target, content)
        return dict(zip(files, hashes, strict=True))

    def collect(self, name: str, target: Path) -> Sha256:
        return self._given({name: target}, f"rm -f {lines.at(name)}")[name]

    def take(self, name: str) -> bytes | None:
        at = lines.at(name)
        told = self._do(
            f"if [ -e {at} ]; then {lines.show(name)} && rm -f {at}; else echo none; fi", f"cannot give {name}"
        )
        return None if told == "none\n" else self._read(lambda: answers.content(told))

    def read_prefix_and_erase(self, name: str, count: int) -> tuple[int, bytes] | None:
        at = lines.at(name)
        steps = f"echo $1 && {lines.show(name, count)} && {lines.overwrite(name)} && rm -f {at}"
        told = self._do(f"if [ -e {at} ]; then {lines.sized(name)} && {steps}; fi", f"cannot give {name}")
        if not told:
            return None
        size, _, shown = told.partition("\n")
        return self._read(lambda: answers.read_prefix_and_erase(size, shown, count))

    def size(self, name: str) -> int | None:
        at = lines.at(name)
        told = self._do(f"if [ -e {at} ]; then wc -c <{at}; else echo none; fi", f"cannot look at {name}")
        return None if told == "none\n" else self._read(lambda: answers.number("wc", told))

    def read(self, name: str, count: int = -1) -> bytes:
        told = self._do(lines.show(name, count), f"cannot read {name}")
        return self._read(lambda: answers.content(told, count if count >= 0 else None))

    def write(self, name: str, data: bytes) -> None:
        self._do(lines.write(name, data), f"cannot write {name}")

    def remove(self, name: str) -> None:
        at = lines.at(name)  # most are not there, and a process less is a millisecond less
        self._do(f"if [ -e {at} ] || [ -h {at} ]; then rm -f {at}; fi", f"cannot remove {name}")

    def erase(self, name: str) -> None:
        at = lines.at(name)
        steps = f"{lines.sized(name)} && {lines.overwrite(name)} && rm -f {at}"
        self._do(f"if [ -e {at} ]; then {steps}; fi", f"cannot erase {name}")

    def remove_folder(self, path: str) -> None:
        """Remove what a killed run left: a private folder by the name that it put on record."""
        require_ours(path)
        self._do(f"rm -rf {shlex.quote(path)}", f"cannot remove {path}")

    def free_space(self) -> int:
        """Return the KiB that are free in the private folder's file system."""
        told = self._do("df -P -k .", "cannot show its free space")
        return self._read(lambda: answers.free_space(told))

    def ask(self, command: str, then: str = ":") -> ShellAnswer:
        """Run one line of POSIX shell there, in the private folder."""
        try:
            return self._shell.ask(f"cd {shlex.quote(self._directory)} && {{ {command}; }}", self._limit, then)
        except BrokenShellError as error:
            raise UnreachableError(
                f"the connection to the {self.name} host was lost",
                host=self.name,
                seen=ssh.own_words(str(error)),
                hint="what it left in the host's temporary folder is named in the journal",
            ) from error

    def _do(self, command: str, otherwise: str, then: str = ":") -> str:
        """Return what a command printed.

        Raises:
            UnreachableError: the command failed, or a program that it needs is missing.
            UnknownScreenError: a program that it needs printed something unexpected.
        """
        answer = self.ask(command, then)
        if answer.status == answers.NOT_UNDERSTOOD:
            self._read(lambda: answers.number("wc", _decoded(answer)))
        if answer.status:
            raise self._failed(answer, otherwise)
        return _decoded(answer)

    def _failed(self, answer: ShellAnswer, otherwise: str) -> UnreachableError:
        missing = "a program that Keyferry needs there is missing, may not be run, or is for another architecture"
        return UnreachableError(
            f"the {self.name} host {otherwise}",
            host=self.name,
            seen=answers.readable(answer.errors) or answers.readable(_decoded(answer)) or None,
            hint=missing if answer.status in _NOT_RUN else None,
        )

    def _read(self, read: Callable[[], T]) -> T:
        """Read an answer; an error names this host."""
        try:
            return read()
        except UnknownScreenError as error:
            error.fill(host=self.name)
            raise

    def _arrive(self) -> None:
        before = datetime.now(UTC)
        try:
            answer = self._shell.ask(host_facts.ASK, self._start_limit)
        except BrokenShellError as error:
            raise ssh.not_reached(self.name, str(error)) from error
        self.facts = self._read(lambda: host_facts.of_host(answer.output, before, datetime.now(UTC)))
        if key := ssh.fingerprint(self._shell.errors):
            self.facts = {**self.facts, "host_key": key}
        # As `mktemp -d` would; but that is not POSIX, and this name is on record before the folder is there.
        directory = f"{self.facts['temporary'].rstrip('/')}/{PREFIX}{secrets.token_hex(8)}"
        self._note(self.name, directory)
        folder = shlex.quote(directory)
        self._do(f"mkdir -m 700 {folder}", "cannot make a private folder", then=f"private={folder}")
        self._directory = directory

    def _find(self, tool: str) -> str:
        folders = [self._tools] if self._tools else list(INSTALLED[tool])
        candidates = [str(PurePosixPath(folder) / tool) for folder in folders]
        paths = map(shlex.quote, candidates)
        looks = [f"if [ -f {path} ] && [ -x {path} ]; then printf '%s\\n' {path}; fi" for path in paths]
        on_path = [] if self._tools else [f"command -v {tool} || :"]
        told = self._do("; ".join(looks + on_path), f"cannot be searched for {tool}")
        found = self._read(lambda: answers.program_path(told, tool, candidates, elsewhere=bool(on_path)))
        if found is None:
            raise no_tool(tool, self.name, folders)
        return found

    def _hash(self, name: str) -> str:
        """A command that tells a file's hash, or where there is none for that, its content."""
        command = host_facts.HASHES.get(self.facts.get("hash", ""))
        return f"{command} <{lines.at(name)}" if command else f"kf_h=$({lines.show(name)}) && echo $kf_h"

    def _digest(self, told: str) -> Sha256:
        if "hash" not in self.facts:
            return Sha256(hashlib.sha256(answers.content(told)).hexdigest())
        return answers.digest(self.facts["hash"], told)


def _decoded(answer: ShellAnswer) -> str:
    return answer.output.decode("utf-8", "surrogateescape")
