"""Looks for secrets where none may be: in files, outputs, argument vectors and environments."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from runs import World

SHORTEST = 8  # bytes; a shorter value stands somewhere by chance


def known_secrets(world: World) -> dict[str, bytes]:
    """The PIN, the password and every key value of both HSMs, by a name to report them with."""
    pin, password = world.secrets()
    found = {"PIN": pin.encode(), "password": password.encode()}
    for row in world.store.rows("SELECT handle, attributes FROM luna_object"):
        attributes = {name: bytes.fromhex(value) for name, value in json.loads(row["attributes"]).items()}
        for name in ("CKA_VALUE", "CKA_PRIVATE_EXPONENT", "CKA_PRIME_1"):
            if name in attributes and attributes.get("CKA_CLASS", b"")[:1] in (b"\x03", b"\x04"):
                found[f"{name} of Classic key {row['handle']}"] = attributes[name]
    for row in world.store.rows("SELECT handle, class, value FROM cloud_key WHERE class IN (3, 4)"):
        found[f"value of CloudHSM key {row['handle']}"] = bytes(row["value"])
    return {name: value for name, value in found.items() if len(value) >= SHORTEST}


def zero_blocks(world: World) -> dict[str, bytes]:
    """The encryption of a zero block under each AES and DES3 key, beyond the three bytes that may be shown."""
    from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES  # noqa: PLC0415 - only here
    from cryptography.hazmat.primitives.ciphers import Cipher  # noqa: PLC0415 - only here
    from cryptography.hazmat.primitives.ciphers.algorithms import AES  # noqa: PLC0415 - only here
    from cryptography.hazmat.primitives.ciphers.modes import ECB  # noqa: PLC0415 - only here

    blocks = {}
    for row in world.store.rows("SELECT handle, type, value FROM cloud_key WHERE type IN (21, 31)"):
        kind = AES if row["type"] == 31 else TripleDES
        encryptor = Cipher(kind(bytes(row["value"])), ECB()).encryptor()  # noqa: S305 - a check value is defined so
        blocks[f"zero block of CloudHSM key {row['handle']}"] = encryptor.update(bytes(16 if kind is AES else 8))
    return blocks


def forms(value: bytes) -> set[bytes]:
    return {value, value.hex().encode(), value.hex().upper().encode(), base64.b64encode(value)}


def find(data: bytes, secrets: Mapping[str, bytes]) -> list[str]:
    """The names of the secrets that stand in the data, raw, in hex or in base64."""
    return [name for name, value in secrets.items() if any(form in data for form in forms(value))]


def find_in_files(directory: Path, secrets: Mapping[str, bytes]) -> list[str]:
    """The same for every file below a folder; recordings are looked at as stored and as played."""
    return [
        f"{path.name}: {name}"
        for path in sorted(directory.rglob("*"))
        if path.is_file()
        for data in (path.read_bytes(), b"".join(_played(path)))
        for name in find(data, secrets)
    ]


def _played(path: Path) -> Iterator[bytes]:
    if path.suffix != ".cast":
        return
    for line in path.read_text().splitlines()[1:]:
        _at, code, data = json.loads(line)
        yield base64.b64decode(data) if code == "b" else data.encode() if code in "oi" else b""
