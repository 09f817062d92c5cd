from __future__ import annotations

from typing import TYPE_CHECKING

from keyferry.emulator import files
from keyferry.emulator.classic.objects import number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from keyferry.emulator.classic.ckdemo.readers import Reader
    from keyferry.emulator.jitter import Jitter
    from keyferry.emulator.terminal import Terminal

_NAMES = (
    *(
        "CLASS",
        "TOKEN",
        "PRIVATE",
        "LABEL",
        "APPLICATION",
        "VALUE",
        "CERTIFICATE_TYPE",
        "ISSUER",
        "SERIAL_NUMBER",
    ),
    *(
        "KEY_TYPE",
        "SUBJECT",
        "ID",
        "SENSITIVE",
        "ENCRYPT",
        "DECRYPT",
        "WRAP",
        "UNWRAP",
        "SIGN",
        "SIGN_RECOVER",
    ),
    *(
        "VERIFY",
        "VERIFY_RECOVER",
        "DERIVE",
        "START_DATE",
        "END_DATE",
        "MODULUS",
        "MODULUS_BITS",
        "PUBLIC_EXPONENT",
    ),
    *(
        "PRIVATE_EXPONENT",
        "PRIME_1",
        "PRIME_2",
        "EXPONENT_1",
        "EXPONENT_2",
        "COEFFICIENT",
        "PRIME",
        "SUBPRIME",
    ),
    *("BASE", "VALUE_BITS", "FINGERPRINT_SHA1", "VALUE_LEN", "LOCAL", "MODIFIABLE", "EXTRACTABLE"),
    *("ALWAYS_SENSITIVE", "NEVER_EXTRACTABLE", "CCM_PRIVATE", "OUID", "X9_31_GENERATED"),
)
# Known of 7.x is only that the list grew; where is made up.
_ADDED = {"5": (), "7": (("WRAP_WITH_TRUSTED", 3), ("TRUSTED", 3))}
_SMALL_NUMBERS = {"CKA_CLASS", "CKA_CERTIFICATE_TYPE", "CKA_KEY_TYPE"}
_STRINGS = {f"CKA_{name}" for name in ("LABEL", "APPLICATION", "ISSUER", "SUBJECT", "FINGERPRINT_SHA1", "ID")}
_BOOLEANS = {
    f"CKA_{name}"
    for name in (
        *(
            "TOKEN",
            "PRIVATE",
            "SENSITIVE",
            "ENCRYPT",
            "DECRYPT",
            "WRAP",
            "UNWRAP",
            "SIGN",
            "SIGN_RECOVER",
            "VERIFY",
        ),
        *(
            "VERIFY_RECOVER",
            "DERIVE",
            "LOCAL",
            "MODIFIABLE",
            "EXTRACTABLE",
            "ALWAYS_SENSITIVE",
            "NEVER_EXTRACTABLE",
        ),
        *("CCM_PRIVATE", "X9_31_GENERATED", "TRUSTED", "WRAP_WITH_TRUSTED", "EXTRA_FLAG"),
    )
}


def attribute_names(luna: str, jitter: Jitter) -> tuple[str, ...]:
    """What the editor offers for an empty template, in order; jitter puts one more in early."""
    names = list(_NAMES)
    for name, at in _ADDED[luna]:
        names.insert(at, name)
    if jitter.pick("attribute list", False, True):
        names.insert(jitter.number("attribute list at", 0, 0, 12), "EXTRA_FLAG")
    return tuple(f"CKA_{name}" for name in names)


def show(attributes: Mapping[str, bytes]) -> bytes:
    """`NAME=value` lines; a value that happens to be printable is text, any other is hex (section 7)."""
    return b"".join(name.encode() + b"=" + _shown(value) + b"\n" for name, value in attributes.items())


def _shown(value: bytes) -> bytes:
    printable = all(0x20 <= byte <= 0x7E for byte in value)
    return value if printable else value.hex().encode()


class TemplateEditor:
    """Puts a template together, one attribute at a time (section 8)."""

    def __init__(self, terminal: Terminal, ask: Reader, names: Sequence[str]) -> None:
        self._terminal = terminal
        self._ask = ask
        self._names = names
        self._template: dict[str, bytes] = {}

    def edit(self, title: str) -> dict[str, bytes]:
        """The accepted template, which may be empty."""
        self._terminal.write(f"\n{title}")
        while action := self._ask.number(self._state(), 0, 2):
            if action == 1:
                self._add()
            elif self._template:
                del self._template[self._choose(list(self._template))]
        return self._template

    def _state(self) -> str:
        self._terminal.write(b"\n" + show(self._template))
        return "\n(1) Add Attribute   (2) Remove Attribute   (0) Accept Template "

    def _add(self) -> None:
        name = self._choose([name for name in self._names if name not in self._template])
        value = self._value(name)
        if value is not None:
            self._template[name] = value

    def _choose(self, names: Sequence[str]) -> str:
        self._terminal.write("\n")
        for index, name in enumerate(names):
            self._terminal.write(f"{index:2d} - {name:<23}   " + "\n" * (index % 2))
        return names[self._ask.number("\nSelect which one: ", 0, len(names) - 1)]

    def _value(self, name: str) -> bytes | None:
        """None where the value's file cannot be read."""
        if name in _SMALL_NUMBERS:
            return number(self._ask.number("Enter value: ", 0, 500))
        if name in _BOOLEANS:
            return bytes([self._ask.number("Enter boolean value: ", 0, 1)])
        if name in _STRINGS:
            return self._ask.text("Enter string value: ")
        if name == "CKA_VALUE":
            return self._file(self._ask.text("Enter name of binary file with value data: "))
        return self._ask.hexadecimal("Enter large number in hexadecimal: ")

    def _file(self, name: bytes) -> bytes | None:
        try:
            return files.read(name.decode("utf-8", "surrogateescape"))
        except (OSError, ValueError):  # ValueError: a NUL in the name
            self._terminal.write("Error with binary file")
            return None
