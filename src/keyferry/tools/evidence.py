"""What a recording proves about keys: facts read from a tool's own answers, without any tool or HSM."""

from __future__ import annotations

import base64
import binascii
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from keyferry.errors import ToolRefusedError, UnknownScreenError
from keyferry.recording.files_read import FileRead, file_read

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from keyferry.recording.reader import Event
    from keyferry.tools.endpoints import Coverage, DestinationKey, KeySharing


class Facts(Protocol):
    """Receives what the destination's tool proves, in the order of the recordings."""

    def logged_in_as(self, user: str) -> None: ...

    def pair_made(self, public: int, private: int, label: str, bits: int) -> None:
        """label, bits: as they were typed."""

    def unwrapped(self, file: str, wrapping_key: int, handle: int, *, whole: bool) -> None:
        """whole: every HSM has the key."""

    def covered(self, handle: int, coverage: Coverage, *, whole: bool) -> None:
        """coverage: what the tool printed. whole: every HSM of the cluster has the key."""

    def listed(self, serials: Sequence[str]) -> None:
        """The serial numbers of the cluster's HSMs."""

    def described(self, key: DestinationKey) -> None: ...

    def held(self, handle: int, sharing: KeySharing) -> None: ...


@dataclass(slots=True)
class Exchange:
    """One line that was typed, all that was printed until the next one, and the files that were read after it."""

    line: str
    printed: list[str] = field(default_factory=list)
    files: list[FileRead] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.printed)


class Exchanges:
    """Splits a session into turns. `read` gets each one when it is complete; a screen that it does not understand
    proves nothing.
    """

    def __init__(self, read: Callable[[Exchange], None]) -> None:
        self._read = read
        self._turn = Exchange("")
        self._line = ""

    def hear(self, event: Event) -> None:
        """Raises: ValueError if an `f` event does not describe a file."""
        match event.code:
            case "i":
                self._typed(event.data)
            case "o":
                self._turn.printed.append(event.data)
            case "b":
                with contextlib.suppress(binascii.Error, IndexError):
                    self._turn.printed[-1] = base64.b64decode(event.data).decode("utf-8", "surrogateescape")
            case "f":
                self._turn.files.append(file_read(event.data))

    def end(self) -> None:
        self._complete()

    def _typed(self, data: str) -> None:
        """A line editor's line is recorded first, and its return key alone."""
        if not self._line:
            self._complete()
        self._line += data
        if data.endswith("\r"):
            self._turn, self._line = Exchange(self._line.strip()), ""

    def _complete(self) -> None:
        turn, self._turn = self._turn, Exchange("")
        if turn.line:
            with contextlib.suppress(UnknownScreenError, ToolRefusedError):
                self._read(turn)


def value_of(words: list[str], flag: str) -> str:
    """The word behind a flag; "" if the flag is not there."""
    place = words.index(flag) + 1 if flag in words else len(words)
    return words[place] if place < len(words) else ""


def number_of(text: str) -> int:
    """A handle in decimal or, with 0x, in hexadecimal digits; -1 if it is neither."""
    try:
        return int(text, 16 if text.startswith("0x") else 10)
    except ValueError:
        return -1
