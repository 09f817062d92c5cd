"""CloudHSM CLI as a person uses it; the commands are those that the driver types."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyferry.pkcs11 import DestinationHandle
from keyferry.text import printable
from keyferry.tools.cloudhsm_cli import commands, dialect, screens
from keyferry.tools.manual import PLACEHOLDER, SHELL, Instruction, TypedLine, filled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keyferry.tools.endpoints import UnwrapSpec

_HANDLE = DestinationHandle(PLACEHOLDER)
_DONE = '`"error_code": 0`'
_COVERED = '`"cluster-coverage": "full"`'


class CloudHsmCliWords:
    tool = dialect.TOOL

    def start(self) -> Instruction:
        started = TypedLine(SHELL, f"{dialect.TOOL} interactive")
        return Instruction(self.tool, (started,), (f"the prompt `{dialect.COMMAND.name}`",))

    def log_in(self, user: str) -> Instruction:
        asked = TypedLine(dialect.PASSWORD.name, "the crypto user's password; it is not shown", verbatim=False)
        turns = (TypedLine(dialect.COMMAND.name, commands.login(user)), asked)
        return Instruction(self.tool, turns, (_DONE, "refused: stop; after five wrong tries the account locks"))

    def make_pair(self, label: str, bits: int, *, extractable: bool) -> Instruction:
        shown = str(extractable).lower()
        return self._typed(
            commands.generate_pair(label, bits, 65537, extractable=extractable),
            expect=[_DONE, _COVERED],
            compare=[f'of the private key: `"local": true`, `"unwrap": true`, `"extractable": {shown}`'],
            note=["public reference", "private reference"],
        )

    def export(self, file: str) -> Instruction:
        return self._typed(_filled(commands.generate_file(_HANDLE, file), "public reference"), expect=[_DONE])

    def unwrap(self, spec: UnwrapSpec) -> Instruction:
        return self._typed(
            _filled(commands.unwrap(commands.UnwrapRequest.of(spec, _HANDLE)), "private reference"),
            expect=[_DONE, _COVERED],
            compare=[f"--key-type-class is the key's type: {', '.join(dialect.KEY_TYPE_CLASSES.values())}"],
            note=["new reference"],
        )

    def prove(self, spec: UnwrapSpec, kcv: str | None) -> Instruction:
        proof = f'`"check-value": "0x{kcv}"`' if kcv else "`key-length-bytes` is the key's (no check value is known)"
        flags = {"extractable": spec.extractable} | {name.lower(): value for name, value in spec.usages.items()}
        shown = ", ".join(f'`"{name}": {str(value).lower()}`' for name, value in flags.items())
        ids = [f'`"id": "{commands.hex_id(spec.id)}"`'] if spec.id else []
        asked = commands.list_keys(commands.KeyFilter(_HANDLE), None, verbose=True)
        return self._typed(
            _filled(asked, "new reference"),
            expect=[_DONE, _COVERED],
            compare=[f"the label is {printable(spec.label)}", *ids, shown, proof],
        )

    def leave(self) -> Instruction:
        return self._typed(screens.LOGOUT, "quit", expect=[_DONE])

    def _typed(
        self, *lines: str, expect: Sequence[str], compare: Sequence[str] = (), note: Sequence[str] = ()
    ) -> Instruction:
        turns = tuple(TypedLine(dialect.COMMAND.name, line) for line in lines)
        return Instruction(self.tool, turns, tuple(expect), tuple(compare), tuple(note))


def _filled(line: str, name: str) -> str:
    return filled(line, name, commands.reference(_HANDLE))
