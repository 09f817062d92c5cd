"""What a recording of CloudHSM CLI proves about keys."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from keyferry.errors import UnknownScreenError
from keyferry.terminal.screen_row import UnknownSequenceError, drawn
from keyferry.tools.cloudhsm_cli import screens
from keyferry.tools.cloudhsm_cli.destination import coverage_of, described
from keyferry.tools.endpoints import KeySharing
from keyferry.tools.evidence import Exchange, Exchanges, number_of, value_of

if TYPE_CHECKING:
    from keyferry.tools.cloudhsm_cli.screens import ListedKey
    from keyferry.tools.evidence import Facts

_REFERENCE = re.compile(r"key-reference=(0x[0-9a-f]+)")


class CloudHsmCliEvidence(Exchanges):
    """Reads the answers of one session."""

    def __init__(self, facts: Facts) -> None:
        super().__init__(self._answer)
        self._facts = facts

    def _answer(self, turn: Exchange) -> None:
        line = turn.line
        if line == screens.HSM_INFO:
            self._facts.listed([hsm[screens.SERIAL] for hsm in screens.hsms(_shown(turn.text))])
        elif line.startswith(f"{screens.LOGIN} "):
            self._facts.logged_in_as(value_of(line.split(), "--username"))
        elif line.startswith(f"{screens.PAIR} "):
            pair = screens.key_pair(_shown(turn.text))
            words = line.split()
            label, bits = value_of(words, "--private-label"), number_of(value_of(words, "--modulus-size-bits"))
            self._facts.pair_made(pair.public.handle, pair.private.handle, label, bits)
        elif line.startswith(f"{screens.UNWRAP} "):
            key, words = screens.unwrapped(_shown(turn.text)), line.split()
            self._facts.unwrapped(
                value_of(words, "--data-path"), _filtered(line), key.handle, whole=key.covered is True
            )
        elif line.startswith(f"{screens.LIST} "):
            for key in screens.keys(_shown(turn.text)).keys:
                self._listed(key, asked=_filtered(line))

    def _listed(self, key: ListedKey, asked: int) -> None:
        if key.covered is None or key.handle != asked:
            return
        self._facts.covered(key.handle, coverage_of(key), whole=key.covered)
        self._facts.described(described(key))
        self._facts.held(key.handle, KeySharing(key.shared))


def _filtered(line: str) -> int:
    found = _REFERENCE.search(line)
    return number_of(found[1]) if found else -1


def _shown(text: str) -> str:
    """The answer as a terminal shows it in the end, without the prompt behind it."""
    try:
        shown = drawn(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")
    except UnknownSequenceError as error:
        raise UnknownScreenError(f"an escape sequence that is not known: {error}") from None
    last = max((match.end() for match in re.finditer(r"(?m)^\}[ \t\r]*$", shown)), default=len(shown))
    return shown[:last]
