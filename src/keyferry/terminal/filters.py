from __future__ import annotations

from typing import TYPE_CHECKING

from keyferry.terminal.login_noise import LoginNoise
from keyferry.terminal.screen_row import CursorQueryFilter
from keyferry.terminal.secret_echo import EchoMask
from keyferry.terminal.value_filter import RULE, ValueFilter

if TYPE_CHECKING:
    from keyferry.recording.recorder import Recorder
    from keyferry.secrets import Secret


class Filters:
    """Everything that a program prints, on its way to the record and then to the parsers.

    Login noise, the echo of a secret and key values are cut out of both. The questions of a line editor to its
    terminal are cut out of the record only.
    """

    def __init__(self, recorder: Recorder, marker: bytes, *, edits_lines: bool) -> None:
        """marker: what the login shell prints before the program starts; empty for a local program."""
        self._cut = recorder.cut
        self._noise = LoginNoise(marker, lambda length: recorder.cut("LOGIN-NOISE", length))
        self._mask: EchoMask | None = None
        self._values = ValueFilter(lambda length: recorder.cut(RULE, length))
        self._questions = CursorQueryFilter(recorder.output, recorder.cut)
        self._record = self._questions.feed if edits_lines else recorder.output

    @property
    def said(self) -> str:
        """The rest of the line that the marker began."""
        return self._noise.said

    @property
    def masks(self) -> bool:
        """Whether the echo of a secret was expected since `unmask`."""
        return self._mask is not None

    def mask(self, secret: Secret) -> None:
        """Expect the echo of a secret that is about to be typed."""
        self._mask = EchoMask(secret.reveal(), self._echoed)

    def unmask(self) -> None:
        self._mask = None

    def feed(self, data: bytes) -> bytes:
        """Record what came, and return what the parsers may see of it."""
        data = self._noise.feed(data)
        if self._mask:
            data = self._mask.feed(data)
        data = self._values.feed(data)
        self._record(data)
        return data

    def drain(self) -> bytes:
        """Give out what was kept back: nothing more comes."""
        rest = self._values.feed(self._noise.flush() + (self._mask.flush() if self._mask else b""))
        rest += self._values.flush()
        self._record(rest)
        self._questions.flush()
        return rest

    def _echoed(self, shown: bool) -> None:
        self._cut("SECRET-SHOWN" if shown else "SECRET-STARS", None)
