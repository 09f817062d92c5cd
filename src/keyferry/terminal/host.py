from __future__ import annotations

import contextlib
import copy
import functools
import hashlib
import os
import re
import secrets
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, Self, TypeAlias

from keyferry.errors import RecordFailedError, UnreachableError, UsageError
from keyferry.pkcs11 import Sha256
from keyferry.recording.recorder import sync_folder
from keyferry.terminal import host_facts, process
from keyferry.terminal.process import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import TracebackType

    from keyferry.terminal.process import Process

INSTALLED = {
    "vtl": ("/usr/safenet/lunaclient/bin", "/usr/lunasa/bin"),
    "cmu": ("/usr/safenet/lunaclient/bin", "/usr/lunasa/bin"),
    "ckdemo": ("/usr/safenet/lunaclient/bin", "/usr/lunasa/bin"),
    "key_mgmt_util": ("/opt/cloudhsm/bin",),
    "cloudhsm-cli": ("/opt/cloudhsm/bin",),
}
"""Where the vendors' packages put the tools."""

PART: Final = ".part"
"""Ends the temporary name of a file that is being written."""

PREFIX: Final = "keyferry-"
"""Private folders are called so, and 16 hex digits."""

EMULATED: Final = b"# keyferry-emulated-tool"
"""Stands in the first bytes of every emulated tool. It prevents mix-ups; it proves nothing."""
EMULATED_WITHIN: Final = 512

Note: TypeAlias = "Callable[[str, str], None]"
"""Hears of each folder before it is made: the host's name ("" for where keyferry itself runs), and its path."""


class Link(Protocol):
    """What connects us with a program that runs somewhere else."""

    def alive(self) -> bool: ...

    def delay(self) -> float:
        """Seconds that a question and its answer take now."""

    def wait_echo_off(self, terminal: str, within: float) -> bool:
        """Wait until a terminal over there shows no more what is typed; False if it does still, or nobody can tell."""


@dataclass(frozen=True, slots=True)
class Program:
    """How one tool is started on its host: what `Console` needs to open it.

    size: of its file, in bytes. emulated: whether the file says that it is an emulated tool.
    link: None where the terminal that the program has is our own. marker: a line
    that is printed just before the program starts; what comes before it is a login shell's. find: once the program
    has started, gives its own process; called with the number of our child.
    """

    tool: str
    host: str
    path: str
    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str]
    sha256: Sha256
    size: int = 0
    link: Link | None = None
    marker: bytes = b""
    emulated: bool = False
    find: Callable[[int], Process] = lambda _child: UNKNOWN

    @property
    def emulator(self) -> str | None:
        """The folder of the emulated HSMs that an emulated tool belongs to."""
        return str(Path(self.path).parent.parent) if self.emulated else None


class Host(Protocol):
    """Where tools run and files lie. Names of files are relative to a private folder (0700) of this run."""

    name: str

    @property
    def facts(self) -> Mapping[str, str]:
        """What the host says of itself (about.py)."""

    def program(self, tool: str, *arguments: str) -> Program:
        """UnreachableError where the tool is not there or may not be run."""

    def shell(self, command: str) -> bytes:
        """Run a line of POSIX shell on this host; gives what it printed."""

    def room(self, name: str) -> Host:
        """A folder of its own inside the private one, for tools that would write the same files."""

    def put(self, source: Path, name: str) -> Sha256:
        """Bring a file here; gives its hash as this host reads it."""

    def put_all(self, files: Mapping[str, Path], instead_of: Iterable[str] = ()) -> dict[str, Sha256]:
        """Bring many files here in one transfer, by the names that they get. instead_of: files that go."""

    def fetch(self, name: str, target: Path) -> Sha256:
        """Take a file away from here (0600); gives its hash as this host reads it."""

    def fetch_all(self, files: Mapping[str, Path]) -> dict[str, Sha256]:
        """Take many files away from here in one transfer."""

    def collect(self, name: str, target: Path) -> Sha256:
        """Fetch a file and remove it here."""

    def take(self, name: str) -> bytes | None:
        """A small file, which is removed; None if there is none."""

    def read_prefix_and_erase(self, name: str, count: int) -> tuple[int, bytes] | None:
        """The size of a file and its first `count` bytes; it is erased. None if there is none."""

    def size(self, name: str) -> int | None:
        """Bytes of a file; None if there is none."""

    def read(self, name: str, count: int = -1) -> bytes:
        """A small file, or its first `count` bytes."""

    def write(self, name: str, data: bytes) -> None: ...

    def remove(self, name: str) -> None:
        """Remove a file that may be there."""

    def erase(self, name: str) -> None:
        """Overwrite a file that may be there, then remove it."""


class LocalHost:
    """This machine. A context manager: the private folder is removed at the end, whatever happened."""

    def __init__(
        self,
        name: str,
        tools: Path | None,
        without: frozenset[str] = frozenset(),
        note: Note = lambda _where, _folder: None,
    ) -> None:
        self.name = name
        self._tools = tools
        self._without = without
        self.directory = Path(tempfile.gettempdir()) / f"{PREFIX}{secrets.token_hex(8)}"
        note("", str(self.directory))
        self.directory.mkdir(mode=0o700)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)

    def program(self, tool: str, *arguments: str) -> Program:
        path = self._find(tool)
        size, digest, emulated = self._measured(tool, path)
        argv = (str(path), *arguments)
        env = clean_environment(self._without)
        find = functools.partial(process.find, self.shell)  # our child is the tool itself
        whole = Program(tool, self.name, str(path), argv, self.directory, env, digest, size, find=find)
        return replace(whole, emulated=emulated)

    def _measured(self, tool: str, path: Path) -> tuple[int, Sha256, bool]:
        """Size and hash of a program, and whether it says that it is an emulated tool."""
        try:
            with path.open("rb") as file:
                emulated = EMULATED in file.read(EMULATED_WITHIN)
                file.seek(0)
                digest = Sha256(hashlib.file_digest(file, "sha256").hexdigest())
                return file.tell(), digest, emulated
        except OSError as error:
            raise UnreachableError(
                f"{path} cannot be read, so its hash is not known: {error.strerror}",
                tool=tool,
                host=self.name,
                keys="nothing was changed",
                hint="let this account read the program: the record names its hash",
            ) from error

    def shell(self, command: str) -> bytes:
        words = ["/bin/sh", "-c", command]
        return subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=False).stdout

    @functools.cached_property
    def facts(self) -> Mapping[str, str]:
        return host_facts.here()

    def room(self, name: str) -> LocalHost:
        room = copy.copy(self)
        room.directory = self.directory / name
        room.directory.mkdir(mode=0o700)
        return room

    def put(self, source: Path, name: str) -> Sha256:
        self.write(name, source.read_bytes())
        return self._hash(name)

    def fetch(self, name: str, target: Path) -> Sha256:
        keep(target, self.read(name))
        return self._hash(name)

    def put_all(self, files: Mapping[str, Path], instead_of: Iterable[str] = ()) -> dict[str, Sha256]:
        for name in instead_of:
            self.remove(name)
        return {name: self.put(source, name) for name, source in files.items()}

    def fetch_all(self, files: Mapping[str, Path]) -> dict[str, Sha256]:
        return {name: self.fetch(name, target) for name, target in files.items()}

    def collect(self, name: str, target: Path) -> Sha256:
        digest = self.fetch(name, target)
        self.remove(name)
        return digest

    def take(self, name: str) -> bytes | None:
        if self.size(name) is None:
            return None
        data = self.read(name)
        self.remove(name)
        return data

    def read_prefix_and_erase(self, name: str, count: int) -> tuple[int, bytes] | None:
        if (size := self.size(name)) is None:
            return None
        data = self.read(name, count)
        self.erase(name)
        return size, data

    def size(self, name: str) -> int | None:
        try:
            return self._at(name).stat().st_size
        except FileNotFoundError:
            return None

    def read(self, name: str, count: int = -1) -> bytes:
        with self._at(name).open("rb", buffering=0) as file:
            return file.read(count)

    def write(self, name: str, data: bytes) -> None:
        keep(self._at(name), data, durable=False)  # the folder does not outlive the run

    def remove(self, name: str) -> None:
        self._at(name).unlink(missing_ok=True)

    def erase(self, name: str) -> None:
        if size := self.size(name):
            with self._at(name).open("r+b") as file:
                file.write(os.urandom(size))
                file.flush()
                os.fsync(file.fileno())
        self.remove(name)

    def _hash(self, name: str) -> Sha256:
        return Sha256(hashlib.sha256(self.read(name)).hexdigest())

    def _at(self, name: str) -> Path:
        return self.directory / name

    def _find(self, tool: str) -> Path:
        folders = [self._tools] if self._tools else [Path(folder) for folder in INSTALLED[tool]]
        for folder in folders:
            path = folder / tool
            with contextlib.suppress(OSError):  # as for a name that is too long
                if path.is_file() and os.access(path, os.X_OK):
                    return path.absolute()
        on_path = None if self._tools else shutil.which(tool)
        if on_path is None:
            raise no_tool(tool, self.name, folders)
        return Path(on_path)


def require_ours(path: str) -> None:
    """UsageError for a path that no run could have noted: what is removed by a record must be a private folder."""
    if not re.fullmatch(rf"/(?:[^\n]*/)?{PREFIX}[0-9a-f]{{16}}", path) or "/../" in path:
        raise UsageError(f"{path!r} is no private folder of a run", keys="it was not touched")


def remove_folder(path: str) -> None:
    """Remove a private folder that a killed run left on this machine, if it is there."""
    require_ours(path)
    shutil.rmtree(path, ignore_errors=True)


def no_tool(tool: str, host: str, folders: Sequence[object]) -> UnreachableError:
    return UnreachableError(
        f"{tool} is not there or may not be run: looked in {', '.join(map(str, folders))}",
        tool=tool,
        host=host,
        keys="nothing was changed",
        hint="name its folder with --source-bin or --destination-bin, or `bin` in the configuration",
    )


def clean_environment(without: frozenset[str]) -> dict[str, str]:
    """The environment of our children: no variable that holds a secret, nothing of ours."""
    kept = {
        name: value for name, value in os.environ.items() if name not in without and not name.startswith("KEYFERRY_")
    }
    return kept | {"LC_ALL": "C", "TERM": "dumb"}


def keep(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Write a file that a run goes on with; RecordFailedError where it cannot be."""
    try:
        write_private(path, data, durable=durable)
    except OSError as error:
        raise RecordFailedError(
            f"{path} cannot be written: {error.strerror}",
            keys="nothing more was typed to any tool",
            hint="free space or mend the folder, then `keyferry resume` this run",
        ) from error


def write_private(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Write a file (0600) whole or not at all: under another name, to the disk (if durable), then renamed."""
    temporary = path.with_name(path.name + PART)
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        temporary.rename(path)
    except BaseException:  # on a full disk as well as at a signal: nothing may be left under the temporary name
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        sync_folder(path.parent)
