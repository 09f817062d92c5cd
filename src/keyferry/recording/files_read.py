"""Files of a tool that were read during its session: the recording's `f` events (FORMAT.md)."""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass, field

from keyferry.text import from_json


@dataclass(frozen=True, slots=True)
class FileRead:
    """A file as it was read. sha256: None if it was not measured. data: None if it was not kept."""

    name: str
    size: int
    sha256: str | None
    data: bytes | None = field(repr=False)


def file_read(text: str) -> FileRead:
    """Return the file that an `f` event describes.

    Raises:
        ValueError: the text is not what a recorder writes, or the data contradicts the size or the hash.
    """
    match from_json(text):
        case {"name": str() as name, "size": int() as size, "sha256": str() | None as digest, "data": kept, **more} if (
            not more and not isinstance(size, bool)
        ):
            found = FileRead(name, size, digest, None if kept is None else _decoded(kept))
        case _:
            raise ValueError("not a file that was read")
    if found.data is not None and digest is not None and not _is_whole(found):
        raise ValueError("the data is not the file's")
    return found


def _decoded(kept: object) -> bytes:
    try:
        return base64.b64decode(kept if isinstance(kept, str) else "?", validate=True)
    except binascii.Error:
        raise ValueError("the data is not base64") from None


def _is_whole(found: FileRead) -> bool:
    data = found.data or b""
    return (len(data), hashlib.sha256(data).hexdigest()) == (found.size, found.sha256)
