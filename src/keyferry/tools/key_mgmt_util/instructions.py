"""key_mgmt_util as a person uses it; the commands are those that the driver types."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyferry.pkcs11 import DestinationHandle
from keyferry.text import printable
from keyferry.tools.endpoints import KeySharing
from keyferry.tools.key_mgmt_util import commands, dialect
from keyferry.tools.manual import PLACEHOLDER, SHELL, Instruction, TypedLine, filled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keyferry.tools.endpoints import UnwrapSpec

_HANDLE = DestinationHandle(PLACEHOLDER)
_ONCE = "refused: stop; after five wrong tries the account locks"
_NODES = "every line `Node id N status` of the cluster says 0x00000000"


def _returned(function: str) -> str:
    return f"`{function} returned: 0x00 : HSM Return: SUCCESS`"


class KeyMgmtUtilWords:
    """visible: a client before 3.2.0, which takes the password in the command only."""

    tool = dialect.TOOL

    def __init__(self, *, visible: bool = False) -> None:
        self._visible = visible

    def start(self) -> Instruction:
        return Instruction(self.tool, (TypedLine(SHELL, dialect.TOOL),), (f"the prompt `{dialect.COMMAND.name}`",))

    def log_in(self, user: str) -> Instruction:
        line = commands.login(user)
        expect = [_returned("Cfm3LoginHSM"), _NODES]
        if self._visible:
            typed = TypedLine(dialect.COMMAND.name, f"{line} -p <the crypto user's password: it is seen on the screen>")
            return Instruction(self.tool, (typed,), tuple(expect))
        asked = TypedLine(dialect.PASSWORD.name, "the crypto user's password; it is not shown", verbatim=False)
        return Instruction(self.tool, (TypedLine(dialect.COMMAND.name, f"{line} -hpswd"), asked), (*expect, _ONCE))

    def make_pair(self, label: str, bits: int, *, extractable: bool) -> Instruction:
        return self._typed(
            commands.generate_rsa_key_pair(label, bits, 65537, extractable=extractable),
            filled(commands.get_attributes(_HANDLE, "private.txt"), "private handle"),
            expect=[_returned("Cfm3GenerateKeyPair"), "`public key handle: N    private key handle: N`", _NODES],
            compare=[
                "in private.txt: OBJ_ATTR_LOCAL 0x01, OBJ_ATTR_UNWRAP 0x01, OBJ_ATTR_EXTRACTABLE "
                + ("as it may be" if extractable else "0x00")
            ],
            note=["public handle", "private handle"],
        )

    def export(self, file: str) -> Instruction:
        return self._typed(
            filled(commands.export_public_key(_HANDLE, file), "public handle"),
            expect=[f"`PEM formatted public key is written to {file}`", _returned("Cfm3ExportPubKey")],
        )

    def unwrap(self, spec: UnwrapSpec) -> Instruction:
        request = commands.UnwrapCommand.of(spec, _HANDLE)
        types = ", ".join(f"{number} {name}" for name, number in dialect.KEY_TYPES.items())
        return self._typed(
            filled(commands.unwrap_key(request), "private handle"),
            expect=["`HSM Return: SUCCESS` on every result line", "`Key Unwrapped. Key Handle: N`", _NODES],
            compare=[f"-kt is the key's type: {types}"],
            note=["new handle"],
        )

    def prove(self, spec: UnwrapSpec, kcv: str | None) -> Instruction:
        """The same questions that the driver asks; sharing is read only where the plan has some."""
        lines = [commands.find_single_key(_HANDLE), commands.get_attributes(_HANDLE, "new.txt")]
        extractable = "0x01" if spec.extractable else "0x00"
        proof = f"OBJ_ATTR_KCV is {kcv}" if kcv else "OBJ_ATTR_VALUE_LEN is the key's bytes (no check value is known)"
        compare = [
            f"in new.txt: OBJ_ATTR_LABEL is {printable(spec.label)}, OBJ_ATTR_CLASS 0x04",
            f"in new.txt: OBJ_ATTR_EXTRACTABLE is {extractable}",
            f"in new.txt: {proof}",
        ]
        if spec.id:
            compare.insert(1, f"in new.txt: OBJ_ATTR_ID is {printable(spec.id)}")
        if spec.sharing != KeySharing():
            lines.append(commands.get_key_info(_HANDLE))
            compare += _held(spec.sharing)
        return self._typed(*(filled(line, "new handle") for line in lines), expect=[_NODES], compare=compare)

    def leave(self) -> Instruction:
        return self._typed("logoutHSM", "exit", expect=[_returned("Cfm3LogoutHSM")])

    @staticmethod
    def _typed(
        *lines: str, expect: Sequence[str], compare: Sequence[str] = (), note: Sequence[str] = ()
    ) -> Instruction:
        turns = tuple(TypedLine(dialect.COMMAND.name, line) for line in lines)
        return Instruction(dialect.TOOL, turns, tuple(expect), tuple(compare), tuple(note))


def _held(sharing: KeySharing) -> list[str]:
    users = ", ".join(sharing.shared_users)
    shared = f"the key is shared with the users {users} and with nobody else" if users else "the key is not shared"
    quorum = sharing.quorum
    approved = f"{quorum} users must approve its use" if quorum else "no user must approve its use"
    return [shared, approved]
