from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, NoReturn

from keyferry.emulator.cloudhsm.cluster import Code
from keyferry.emulator.cloudhsm.key_mgmt_util.dialect import ERRORS, SUCCESS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keyferry.emulator.cloudhsm.cluster import NodeState
    from keyferry.emulator.cloudhsm.key_mgmt_util.dialect import Block, Dialect
    from keyferry.emulator.terminal import Terminal


class Screen:
    """Writes one answer at a time, and reads what is typed; as with stdio nothing appears before a read."""

    def __init__(self, terminal: Terminal, dialect: Dialect) -> None:
        self.terminal = terminal
        self.dialect = dialect
        self._answer = ""
        self._left_in_line: bytes | None = None
        self._dying = False

    def say(self, text: str) -> None:
        """Add to the answer: tabs become the dialect's indent, a leading newline its distance."""
        if self._answer and text.startswith("\n"):
            text = self.dialect.stand_off + text[1:]
        self._answer += text.replace("\t", self.dialect.indent)

    def result(self, function: str, code: Code) -> None:
        """`<function> returned: 0x..`, in one line or, for an error of generation 2, three."""
        tail = f": {SUCCESS}\n" if code is Code.SUCCESS else self.dialect.refusal.format(ERRORS[code])
        self.say(f"\n\t{function} returned: 0x{code:02x} {tail}")

    def block(self, states: Sequence[NodeState], form: Block | None = None) -> None:
        """The cluster block; no states give one without node lines."""
        form = form or self.dialect.block
        self.say(form.head + "".join(form.node.format(state.node, state.code, ERRORS[state.code]) for state in states))

    def finish(self) -> None:
        """The answer is complete, though still in the buffer."""
        if self._dying:
            self._die()
        self.terminal.write(self._answer)
        self._answer = ""

    def flush(self) -> None:
        self.finish()
        self.terminal.flush()

    def read_line(self) -> bytes:
        """The next line: first what `read_number` left of the last one."""
        line, self._left_in_line = self._left_in_line, None
        return self.terminal.read_line() if line is None else line

    def read_number(self) -> int | None:
        """scanf("%d"): empty lines are passed over, the rest stays to be read. None: no number."""
        self.flush()
        while not (line := self.read_line().lstrip()):
            pass
        digits = line[: len(line) - len(line.lstrip(b"+-0123456789"))]
        self._left_in_line = line[len(digits) :]
        return int(digits) if digits.removeprefix(b"-").removeprefix(b"+").isdigit() else None

    def read_password(self, prompt: str) -> bytes:
        """One line with echo off, shown as the dialect has it."""
        self.say(prompt)
        self.flush()
        if self.dialect.newline_after_password:
            return self.terminal.read_masked(self.dialect.password_star).rstrip(b"\r")
        with self.terminal.echo_off():
            return self.terminal.read_line().rstrip(b"\r")

    def doom(self) -> None:
        """The process will end in the middle of this answer."""
        self._dying = True

    def hang(self) -> NoReturn:
        """No answer, until somebody ends the process."""
        self.flush()
        while True:
            signal.pause()

    def _die(self) -> None:
        self.terminal.write(self._answer[: len(self._answer) // 2])
        self.terminal.flush()
        os.kill(os.getpid(), signal.SIGKILL)
