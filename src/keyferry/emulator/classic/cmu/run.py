from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from keyferry.emulator.classic.cmu.options import Options
    from keyferry.emulator.classic.hsm import Hsm, Session
    from keyferry.emulator.store import Store
    from keyferry.emulator.terminal import Terminal


class Run(NamedTuple):
    """One function of cmu at work, logged in."""

    store: Store
    terminal: Terminal
    hsm: Hsm
    session: Session
    options: Options
    pubkey_option: str

    def answer(self, prompt: str) -> bytes:
        """One line typed at a prompt; EndOfInputError where there is none."""
        self.terminal.write(prompt)
        return self.terminal.read_line()
