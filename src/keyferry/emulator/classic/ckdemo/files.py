from __future__ import annotations

import os

from keyferry.emulator import files
from keyferry.emulator.classic.errors import CkrError


def read_data(name: bytes) -> bytes:
    """The file's bytes; what cannot be read is a CKR_DEVICE_ERROR of the pseudo function ReadBinaryFile."""
    return _read(name, "ReadBinaryFile")


def read_parameter(answer: bytes, function: str) -> bytes:
    """What a `[0 for none]` question names; unreadable, it is a CKR_DEVICE_ERROR in `function`'s name."""
    return b"" if answer.startswith(b"0") else _read(answer, function)


def write_data(name: str, data: bytes) -> None:
    """Over an older file of this name, in the current directory, 0777 less the umask."""
    try:
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o777)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
    except OSError:
        raise CkrError("WriteBinaryFile", "CKR_DEVICE_ERROR") from None


def _read(name: bytes, function: str) -> bytes:
    try:
        return files.read(os.fsdecode(name))
    except (OSError, ValueError):  # ValueError: a NUL in the name
        raise CkrError(function, "CKR_DEVICE_ERROR") from None
