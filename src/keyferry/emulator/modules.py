"""The emulator's modules beside the store: out of a single file, what is unpacked may be gone when a tool starts."""

from __future__ import annotations

import re
import shutil
import sys
import zipimport
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SITE = Path(__file__).resolve().parents[2]
"""The folder that holds the package `keyferry`; with a single file no interpreter knows it by itself."""
_NEEDS = "cryptography"
_NAME = re.compile(r"[A-Za-z0-9._-]+")


def is_single_file() -> bool:
    """Return whether this program runs from one archive, which unpacks itself into a folder that may be removed."""
    return isinstance(getattr(sys.modules["__main__"], "__loader__", None), zipimport.zipimporter)


def copy(target: Path) -> None:
    """Copy the emulator and the packages that it needs into a new folder."""
    emulator = Path(__file__).resolve().parent
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(emulator, target / "keyferry" / "emulator", ignore=ignored)
    shutil.copyfile(emulator.parent / "__init__.py", target / "keyferry" / "__init__.py")
    for file in _files(_NEEDS, set()):
        name = target / file
        name.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file.locate(), name)


def _files(distribution: str, seen: set[str]) -> Iterator[metadata.PackagePath]:
    """The files of a distribution and of all that it requires, but for scripts and what was compiled on the way."""
    if distribution.lower() in seen:
        return
    seen.add(distribution.lower())
    try:
        found = metadata.distribution(distribution)
    except metadata.PackageNotFoundError:  # required on other systems only
        return
    for file in found.files or ():
        if ".." not in file.parts and "__pycache__" not in file.parts and Path(file.locate()).is_file():
            yield file
    for requirement in found.requires or ():
        name = _NAME.match(requirement)
        if name and "extra ==" not in requirement:
            yield from _files(name[0], seen)
