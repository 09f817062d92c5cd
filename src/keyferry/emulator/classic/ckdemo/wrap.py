from __future__ import annotations

import os
from typing import TYPE_CHECKING

from keyferry.emulator.classic.ckdemo import select
from keyferry.emulator.classic.ckdemo.files import read_parameter, write_data
from keyferry.emulator.classic.ckdemo.tables import HASH_NAMES, HASHES
from keyferry.emulator.classic.errors import CkrError
from keyferry.emulator.classic.objects import GENERIC_SECRET, flag, secret_key

if TYPE_CHECKING:
    from keyferry.emulator.classic.ckdemo.state import Demo
    from keyferry.emulator.classic.hsm import Session

_VERB = "wrapKey"
_FILE = "wrapped.key"
_DEFAULT_HASH = "SHA-1"


def wrap_key(demo: Demo) -> None:
    """No prompt follows the mechanism table; the wrapping key comes before the key (reference, section 9)."""
    handle = select.session(demo)
    demo.terminal.write(demo.dialect.wrap.text())
    mechanism = demo.dialect.wrap.entries[demo.ask.number("", 1, demo.dialect.wrap.last)]
    hash_name, source = _parameters(demo, mechanism)
    wrapping = select.obj(demo, handle, "Enter handle of wrapping key")
    key = select.obj(demo, handle, "Enter handle of key to wrap")
    session = demo.session(handle, "C_WrapKey")
    demo.idle(session, _VERB, "C_WrapKey")
    blob = session.wrap(mechanism, wrapping, key, hash_name, source)
    if demo.strikes("other-key-wrapped", _VERB):
        blob = session.wrap(mechanism, wrapping, _other_key(session, key), hash_name, source)
    _save(demo, blob)
    demo.terminal.write(f"Wrapped key was saved in file {_FILE}\0\n")


def _parameters(demo: Demo, mechanism: str) -> tuple[str, bytes]:
    """Hash and source data; only RSA_OAEP has both, and asks the hash only when an option says so."""
    hash_name, source = _DEFAULT_HASH, b""
    if mechanism == "RSA_OAEP":
        if "OAEP Hash Params" in demo.toggled:
            demo.terminal.write(HASHES.text())
            hash_name = HASH_NAMES[demo.ask.number("", 1, HASHES.last)]
        answer = demo.ask.text("\nEnter filename of OAEP Source Data [0 for none]: ")
        source = read_parameter(answer, "C_WrapKey")
    elif mechanism == "SET_OAEP":
        answer = demo.ask.text("\nEnter filename of SET extra data [0 for none]: ")
        source = read_parameter(answer, "C_WrapKey")
    elif mechanism == "DES3-ECB":
        demo.ask.number("Wrap RSA components? [0 = no, 1 = yes]: ", 0, 1)
    elif mechanism == "AES-KWP" and demo.ask.number("external IV? [0 = no, 1 = yes]: ", 0, 1):
        source = demo.ask.hexadecimal("Enter IV in hexadecimal: ")
    return hash_name, source


def _other_key(session: Session, key: int) -> int:
    """A new session key whose value is random, and as long as this key's."""
    length = int.from_bytes(session.get(key).attributes["CKA_VALUE_LEN"], "little")
    return session.create(secret_key(GENERIC_SECRET, os.urandom(length)) | {"CKA_TOKEN": flag(False)})


def _save(demo: Demo, blob: bytes) -> None:
    if demo.strikes("blob-stale", _VERB):
        return
    if demo.strikes("blob-truncated", _VERB):
        blob = blob[:-16]
    if demo.strikes("blob-flipped", _VERB):
        blob = bytes([blob[0], blob[1] ^ 1, *blob[2:]])
    if demo.strikes("blob-empty", _VERB):
        blob = b""
    write_data(_FILE, blob)


def unwrap_key(demo: Demo) -> None:
    """Asks nothing beyond the session: no key comes back into a partition that is being left."""
    demo.session(select.session(demo), "C_UnwrapKey")
    raise CkrError("C_UnwrapKey", "CKR_FUNCTION_NOT_SUPPORTED")
