"""Values of a key as `key list --verbose` prints them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyferry.errors import MismatchError, UnknownScreenError
from keyferry.pkcs11 import Kcv, PublicKey
from keyferry.tools.cloudhsm_cli import dialect

if TYPE_CHECKING:
    from keyferry.tools.cloudhsm_cli.screens import ListedKey


def flag(key: ListedKey, name: str) -> bool | None:
    value = key.attributes.get(name)
    return value if isinstance(value, bool) else None


def require_unwraps(private: ListedKey, *, extractable: bool | None = None) -> None:
    """Demand of what is shown of a wrapping pair's private half that it was made in the HSM and can unwrap.

    extractable: what was asked for; None where any value will do, but there must be one.

    Raises:
        MismatchError: an attribute is missing or is another (WRAPPING-KEY-MATCH).
    """
    wanted = {"class": "private-key", "local": True, "unwrap": True, "extractable": extractable}
    found = private.attributes
    for name, value in wanted.items():
        shown = found.get(name)
        if shown == value if value is not None else isinstance(shown, bool):
            continue
        told = "is not shown" if shown is None else f"is {str(shown).lower()}"
        demand = "true or false" if value is None else str(value).lower()
        raise MismatchError(
            f"the private half {private.handle} of the wrapping pair: {name} {told}, and must be {demand}",
            rule="WRAPPING-KEY-MATCH",
            tool=dialect.TOOL,
            keys="nothing was wrapped under the pair",
            hint=f"look at it by hand: `key list --filter key-reference=0x{private.handle:016x} --verbose`",
        )


def plain(value: str | bool | int) -> str:
    """Truth as the other tools tell it, 0 or 1."""
    return str(int(value)) if isinstance(value, bool) else str(value)


def bits(key: ListedKey) -> int | None:
    found = key.attributes
    bits, length = found.get("modulus-size-bits"), found.get("key-length-bytes")
    if type(bits) is int:
        return bits
    return length * 8 if type(length) is int else None


def text_of_id(shown: str) -> str:
    """The id's text; older versions print an empty one as nothing at all. What is no text stays in hex."""
    try:
        text = bytes.fromhex(shown.removeprefix("0x")).decode("ascii")
    except ValueError:
        return shown
    return text if shown.startswith("0x") and (text.isprintable() or not text) else shown


def check_value(key: ListedKey) -> Kcv | None:
    """None where there is none, as for generic secrets, and where the HSMs disagree about it."""
    shown = str(key.attributes.get("check-value", "")).lower().removeprefix("0x")
    if not shown or shown == dialect.INCONSISTENT:
        return None
    if len(shown) != 6 or not _is_hex(shown):
        raise UnknownScreenError(f"key {key.handle}: no check value of three bytes: {shown!r}", tool=dialect.TOOL)
    return Kcv(shown)


def public_key(key: ListedKey) -> PublicKey | None:
    numbers = [str(key.attributes.get(name, "")).removeprefix("0x") for name in ("modulus", "public-exponent")]
    if not all(_is_hex(number) for number in numbers):
        return None
    return PublicKey(*(int(number, 16) for number in numbers))


def _is_hex(text: str) -> bool:
    return bool(text) and not text.strip("0123456789abcdefABCDEF")
