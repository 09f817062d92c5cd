from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

from keyferry.errors import UnreachableError
from keyferry.names import Sha256
from keyferry.transcript.recorder import sync_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

INSTALLED = {
    "vtl": ("/usr/safenet/lunaclient/bin", "/usr/lunasa/bin"),
    "cmu": ("/usr/safenet/lunaclient/bin", "/usr/lunasa/bin"),
    "ckdemo": ("/usr/safenet/lunaclient/bin", "/usr/lunasa/bin"),
    "key_mgmt_util": ("/opt/cloudhsm/bin",),
}
"""Where the vendors' packages put the tools."""


@dataclass(frozen=True, slots=True)
class Program:
    """How one tool is started on its host: what `Console` needs to open it."""

    tool: str
    host: str
    path: str
    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str]
    sha256: Sha256


class Host(Protocol):
    """Where tools run and files lie. Names of files are relative to a private folder (0700) of this run."""

    name: str

    def program(self, tool: str, *arguments: str) -> Program:
        """UnreachableError where the tool is not there or may not be run."""

    def put(self, source: Path, name: str) -> Sha256:
        """Bring a file here; gives its hash as this host reads it."""

    def fetch(self, name: str, target: Path) -> Sha256:
        """Take a file away from here (0600); gives its hash as this host reads it."""

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

    def __init__(self, name: str, tools: Path | None, without: frozenset[str] = frozenset()) -> None:
        self.name = name
        self._tools = tools
        self._without = without
        self.directory = Path(tempfile.mkdtemp(prefix="keyferry-"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)

    def program(self, tool: str, *arguments: str) -> Program:
        path = self._find(tool)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        argv = (str(path), *arguments)
        return Program(tool, self.name, str(path), argv, self.directory, self._environment(), Sha256(digest))

    def put(self, source: Path, name: str) -> Sha256:
        self.write(name, source.read_bytes())
        return self._hash(name)

    def fetch(self, name: str, target: Path) -> Sha256:
        write_private(target, self.read(name))
        return self._hash(name)

    def size(self, name: str) -> int | None:
        try:
            return self._at(name).stat().st_size
        except FileNotFoundError:
            return None

    def read(self, name: str, count: int = -1) -> bytes:
        with self._at(name).open("rb", buffering=0) as file:
            return file.read(count)

    def write(self, name: str, data: bytes) -> None:
        write_private(self._at(name), data)

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
            if path.is_file() and os.access(path, os.X_OK):
                return path.absolute()
        on_path = None if self._tools else shutil.which(tool)
        if on_path is None:
            raise UnreachableError(
                f"{tool} is not there or may not be run: looked in {', '.join(map(str, folders))}",
                tool=tool,
                host=self.name,
                keys="nothing was changed",
                hint="name its folder with --classic-bin or --cloudhsm-bin, or `bin` in the configuration",
            )
        return Path(on_path)

    def _environment(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if name not in self._without and not name.startswith("KEYFERRY_")
        }
        return kept | {"LC_ALL": "C", "TERM": "dumb"}


def write_private(path: Path, data: bytes) -> None:
    """Write a file (0600) whole or not at all: under another name, to the disk, then renamed."""
    temporary = path.with_name(path.name + ".part")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
    sync_folder(path.parent)
