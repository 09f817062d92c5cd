"""Keys as cloudhsm-cli shows them, and as its filters choose them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyferry.emulator.cloudhsm.cloudhsm_cli.session import Failed
from keyferry.emulator.cloudhsm.cloudhsm_cli.words import Misused
from keyferry.emulator.cloudhsm.objects import KeyClass, KeyObject, KeyType

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from keyferry.emulator.cloudhsm.cloudhsm_cli.session import Session
    from keyferry.emulator.cloudhsm.cloudhsm_cli.words import Arguments

CLASSES = {KeyClass.PUBLIC: "public-key", KeyClass.PRIVATE: "private-key", KeyClass.SECRET: "secret-key"}
FLAGS = (
    *("encrypt", "decrypt", "token", "always-sensitive", "derive", "destroyable", "extractable", "local"),
    *("modifiable", "never-extractable", "private", "sensitive", "sign", "trusted", "unwrap", "verify", "wrap"),
    "wrap-with-trusted",
)
_OTHERS = (
    *("key-type", "label", "id", "check-value", "class", "key-length-bytes"),
    *("public-exponent", "modulus", "modulus-size-bits"),
)


def type_name(session: Session, key_type: KeyType) -> str:
    names = {
        KeyType.RSA: "rsa",
        KeyType.DSA: "dsa",
        KeyType.EC: "ec",
        KeyType.GENERIC_SECRET: "generic-secret",
        KeyType.RC4: "rc4",
        KeyType.DES3: session.jitter.pick("des3-name", "des3", "3des"),
        KeyType.AES: "aes",
    }
    return names[key_type]


def shown(session: Session, key: KeyObject, *, verbose: bool = True) -> dict[str, object]:
    """The key object."""
    found: dict[str, object] = {"key-reference": f"0x{key.handle:016x}"}
    if not verbose:
        return found | {"attributes": {"label": _text(key.label)}}
    described = attributes(session, key)
    if "check-value" in described and session.struck("check-value-wrong"):
        described["check-value"] = "0xfade00" if described["check-value"] != "0xfade00" else "0x00fade"
    if session.struck("attribute-differs"):
        described["sign"] = "inconsistent"
    return found | {"key-info": _info(session, key), "attributes": described}


def attributes(session: Session, key: KeyObject) -> dict[str, object]:
    from keyferry.emulator.cloudhsm.crypto import check_value  # noqa: PLC0415 - slow to load, not at every start

    value = check_value(key)
    flags = {name: _flag(key, name) for name in FLAGS}
    return {
        "key-type": type_name(session, key.key_type),
        "label": _text(key.label),
        "id": _id(session, key),
        **({"check-value": f"0x{value.hex()}"} if value else {}),
        "class": CLASSES[key.key_class],
        **flags,
        **_numbers(key),
    }


def chosen(session: Session, filters: Mapping[str, str]) -> list[KeyObject]:
    """The keys of this user that fit every `attr.NAME=VALUE` or `key-reference=0x..`."""
    user = session.user.id
    keys = session.keys.seen_by(user)
    if not session.jitter.pick("public-keys-of-all", False, True):
        keys = [key for key in keys if key.owner == user or user in session.keys.shared_with(key.handle)]
    found = [key for key in keys if all(_fits(session, key, name, value) for name, value in filters.items())]
    return session.jitter.shuffled("key-order", found)


def one(session: Session, arguments: Arguments) -> KeyObject:
    """The one key that a command is about."""
    found = chosen(session, arguments.pairs("filter"))
    if len(found) != 1:
        raise Failed(
            f"Key selection criteria matched {len(found)} keys. Refine selection criteria to select a single key."
        )
    return found[0]


def approved(key: KeyObject) -> KeyObject:
    """The key, where nobody needs to approve what is done with it: nothing here signs a quorum's token."""
    if key.approvers:
        raise Failed("Quorum approval is required for this operation")
    return key


def listing(session: Session, arguments: Arguments) -> None:
    found = chosen(session, arguments.pairs("filter"))
    start, most = arguments.number("starting-token"), arguments.number("max-items", 10)
    page = found[start : start + most]
    matched = [shown(session, key, verbose="verbose" in arguments) for key in page]
    if session.struck("reference-missing") and matched:
        del matched[0]["key-reference"]
    more = {"next_token": str(start + most)} if start + most < len(found) else {}
    counts = {"total_key_count": len(found), "returned_key_count": len(page)}
    session.answer({"matched_keys": matched, **counts, **more})


def _fits(session: Session, key: KeyObject, name: str, value: str) -> bool:
    if name == "key-reference":
        return value.lower().startswith("0x") and _hex(value) == key.handle
    attribute = name.removeprefix("attr.")
    if attribute == name or attribute not in (*FLAGS, *_OTHERS):
        raise Misused(f"error: invalid value '{name}={value}' for '--filter': unknown attribute")
    if attribute == "label":
        return key.label == value
    if attribute == "id":
        return f"0x{_bytes(key.id).hex()}" == (value.lower() or "0x")
    if attribute == "class":
        return CLASSES[key.key_class] == value
    found = attributes(session, key)
    return attribute in found and str(found[attribute]).lower() == value.lower()


def _info(session: Session, key: KeyObject) -> dict[str, object]:
    nodes = session.cluster.nodes()
    whole = bool(key.session) or set(session.keys.nodes_with(key.handle)) == set(nodes)
    if session.struck("coverage-partial"):
        whole = False
    coverage = "full" if whole else session.jitter.pick("coverage-word", "inconsistent", "partial")
    names = {user.id: user.name.lower() for user in session.cluster.users()}
    users = [{"username": names[user], "key-coverage": coverage} for user in session.keys.shared_with(key.handle)]
    found: dict[str, object] = {
        "key-owners": [{"username": names[key.owner], "key-coverage": coverage}],
        "shared-users": users,
    }
    if session.jitter.pick("quorum-values", True, False):
        found["key-quorum-values"] = {"manage-key-quorum-value": key.approvers, "use-key-quorum-value": key.approvers}
    return found | {"cluster-coverage": coverage}


def _flag(key: KeyObject, name: str) -> bool:
    return name.upper().replace("-", "_") in key.flags


def _id(session: Session, key: KeyObject) -> str:
    return f"0x{_bytes(key.id).hex()}" if key.id or session.jitter.pick("empty-id", True, False) else ""


def _numbers(key: KeyObject) -> dict[str, object]:
    if key.key_class is KeyClass.SECRET:
        return {"key-length-bytes": len(key.value)}
    from keyferry.emulator.cloudhsm.crypto import rsa_numbers  # noqa: PLC0415 - slow to load, not at every start

    modulus, exponent = rsa_numbers(key.public)
    length = (modulus.bit_length() + 7) // 8
    return {
        "key-length-bytes": len(key.value) or 2 * length,
        "public-exponent": f"0x{exponent:06x}",
        "modulus": f"0x{modulus:0{2 * length}x}",
        "modulus-size-bits": modulus.bit_length(),
    }


def _hex(text: str) -> int:
    try:
        return int(text, 16)
    except ValueError:
        return -1


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _text(text: str) -> str:
    """JSON holds characters: bytes that are none are replaced."""
    return _bytes(text).decode("utf-8", "replace")


def flags_given(pairs: Mapping[str, str], settable: Sequence[str]) -> dict[str, bool]:
    """`encrypt=true ...` without id."""
    found = {}
    for name, value in pairs.items():
        if name not in settable or value not in ("true", "false"):
            raise Misused(f"error: invalid value '{name}={value}' for an attribute of a new key")
        found[name.upper().replace("-", "_")] = value == "true"
    return found
