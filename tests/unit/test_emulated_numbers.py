"""Numbers longer than Python makes one of, as an emulated tool gets them by a pipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from keyferry.emulator.classic.ckdemo.readers import Reader
from keyferry.emulator.classic.cmu.options import Options, UsageError
from keyferry.emulator.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

LONG = "9" * 5000


class Typed(Terminal):
    def __init__(self, *lines: str) -> None:
        super().__init__()
        self.said = ""
        self._lines: Iterator[str] = iter(lines)

    def write(self, text: str | bytes) -> None:
        self.said += text if isinstance(text, str) else text.decode()

    def read_line(self) -> bytes:
        return next(self._lines).encode()


@pytest.mark.parametrize("line", [LONG, f"-{LONG}"])
def test_ckdemo_finds_it_out_of_range(line: str) -> None:
    typed = Typed(line, "7")
    assert Reader(typed).number("Which? ", 0, 110) == 7
    assert typed.said == "Which? \nThe acceptable range is from 0 and 110: "


def test_cmu_refuses_it() -> None:
    with pytest.raises(UsageError):
        Options({"handle": LONG}).number("handle")
