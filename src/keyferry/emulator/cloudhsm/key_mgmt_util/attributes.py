"""The attributes of a key as getAttribute writes them to its file: a name line, a value line."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from keyferry.emulator.cloudhsm.objects import KeyClass, KeyObject

if TYPE_CHECKING:
    from collections.abc import Mapping

    from keyferry.emulator.cloudhsm.key_mgmt_util.dialect import Dialect

ALL = 512
UNKNOWN = "INVALID_ATTRIBUTE"
"""The name that the client writes for each type that it does not know."""
NUMBERS: Mapping[int, str] = MappingProxyType(
    {
        number: f"OBJ_ATTR_{name}"
        for number, name in {
            0: "CLASS",
            1: "TOKEN",
            2: "PRIVATE",
            3: "LABEL",
            134: "TRUSTED",
            256: "KEY_TYPE",
            258: "ID",
            259: "SENSITIVE",
            260: "ENCRYPT",
            261: "DECRYPT",
            262: "WRAP",
            263: "UNWRAP",
            264: "SIGN",
            266: "VERIFY",
            268: "DERIVE",
            288: "MODULUS",
            289: "MODULUS_BITS",
            290: "PUBLIC_EXPONENT",
            353: "VALUE_LEN",
            354: "EXTRACTABLE",
            355: "LOCAL",
            356: "NEVER_EXTRACTABLE",
            357: "ALWAYS_SENSITIVE",
            370: "DESTROYABLE",
            371: "KCV",
            512: "ALL",
            528: "WRAP_WITH_TRUSTED",
            1073742353: "WRAP_TEMPLATE",
            1073742354: "UNWRAP_TEMPLATE",
        }.items()
    }
)
_DUMP = (0, 256, 1, 2, 260, 261, 262, 263, 264, 266, 355, 259, 354, 3, 258, 353, 371, 288, 289, 290)
_NEW_IN_DUMP = (134, 528, 370, 268, 357, 356)
_FLAGS = (1, 2, 134, 259, 260, 261, 262, 263, 264, 266, 268, 354, 355, 356, 357, 370, 528)
_TEXTS = (3, 258)
_SHORT_IN_DUMP = (0, 256)  # with the booleans, one byte in a dump and four alone
_COLUMNS = 80

Value = str | bool | int | bytes  # text as it is; one byte, four, or all of them in hex


def dump_order(dialect: Dialect) -> tuple[int, ...]:
    """The attributes of a 512 dump in their order; a key has not all of them."""
    return _DUMP + (_NEW_IN_DUMP if dialect.new_attributes else ())


def values(key: KeyObject, dialect: Dialect) -> dict[int, Value]:
    """All attributes that this key has, by number."""
    found: dict[int, Value] = {0: int(key.key_class), 256: int(key.key_type), 3: key.label, 258: key.id}
    found |= {number: NUMBERS[number].removeprefix("OBJ_ATTR_") in key.flags for number in _FLAGS}
    return found | _check_value(key, dialect) | _numbers(key)


def render(number: int, value: Value, dialect: Dialect, *, alone: bool) -> str:
    """The two lines of one attribute (more for a modulus, which is broken at 80 columns)."""
    return f"{NUMBERS[number]}\n{_shown(number, value, dialect, alone=alone)}\n"


def size(shown: Mapping[int, Value], dialect: Dialect) -> int:
    """What a 512 dump calls its size: 8 bytes and the value for each attribute, texts at their full room."""
    lengths = {number: _length(number, value) for number, value in shown.items() if number not in _TEXTS}
    return 8 * len(shown) + sum(lengths.values()) + dialect.text_room


def _shown(number: int, value: Value, dialect: Dialect, *, alone: bool) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return f"0x{value:0{8 if alone else 2 * _length(number, value)}x}"
    if number == 288:
        digits = dialect.modulus_prefix + value.hex()
        return "\n".join(digits[at : at + _COLUMNS] for at in range(0, len(digits), _COLUMNS))
    return f"0x{value.hex()}" if value else ""


def _length(number: int, value: Value) -> int:
    if isinstance(value, bytes):
        return len(value)
    return 1 if isinstance(value, bool) or number in _SHORT_IN_DUMP else 4


def _check_value(key: KeyObject, dialect: Dialect) -> dict[int, Value]:
    from keyferry.emulator.cloudhsm.crypto import check_value  # noqa: PLC0415 - slow to load, not at every start

    found = check_value(key)
    return {371: found or b""} if found or dialect.empty_check_value else {}


def _numbers(key: KeyObject) -> dict[int, Value]:
    """Length of the value; for both halves of a pair the modulus and the exponent too."""
    if key.key_class is KeyClass.SECRET:
        return {353: len(key.value)}
    from keyferry.emulator.cloudhsm.crypto import rsa_numbers  # noqa: PLC0415 - slow to load, not at every start

    modulus, exponent = rsa_numbers(key.public)
    length = (modulus.bit_length() + 7) // 8
    # The guide's dumps show twice the modulus' bytes as VALUE_LEN.
    return {
        353: 2 * length,
        288: modulus.to_bytes(length),
        289: modulus.bit_length(),
        290: exponent.to_bytes((exponent.bit_length() + 7) // 8),
    }
