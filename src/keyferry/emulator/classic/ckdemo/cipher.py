"""Menus 40 and 41 (reference, section 12)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from keyferry.emulator.classic.ckdemo import select
from keyferry.emulator.classic.ckdemo.files import read_data, read_parameter, write_data
from keyferry.emulator.classic.errors import CkrError

if TYPE_CHECKING:
    from keyferry.emulator.classic.ckdemo.state import Demo


def encrypt_file(demo: Demo) -> None:
    mechanism, name, handle, key = _questions(demo, "encrypt")
    data = read_data(name)
    if demo.strikes("wrong-check-value", "encryptFile"):
        data = os.urandom(len(data))
    session = demo.session(handle, "C_EncryptInit")
    demo.idle(session, "encryptFile", "C_EncryptInit")
    if demo.strikes("encrypt-refused", "encryptFile"):
        raise CkrError("C_EncryptInit", "CKR_FUNCTION_FAILED")
    write_data("ENCRYPT.BIN", session.encrypt(mechanism, key, data))
    demo.terminal.write("\nEncrypted data stored in file ENCRYPT.BIN\0")


def decrypt_file(demo: Demo) -> None:
    """Asks as the real tool does; the emulated HSM decrypts nothing."""
    _, name, handle, _ = _questions(demo, "decrypt")
    read_data(name)
    demo.session(handle, "C_DecryptInit")
    raise CkrError("C_DecryptInit", "CKR_FUNCTION_NOT_SUPPORTED")


def _questions(demo: Demo, direction: str) -> tuple[str, bytes, int, int]:
    """Mechanism, file name, session and key; the file is not opened yet."""
    handle = select.session(demo)
    mechanism = _mechanism(demo)
    name = demo.ask.text(f"Enter name of file to {direction}: ")
    if mechanism == "RSA-OAEP":
        source = demo.ask.text("\nEnter filename of OAEP Source Data [0 for none]: ")
        read_parameter(source, "C_Encrypt")
    return mechanism, name, handle, select.obj(demo, handle, "Enter key to use")


def _mechanism(demo: Demo) -> str:
    table = demo.dialect.ciphers
    demo.terminal.write(table.text())
    chosen = demo.ask.number("Select mechanism for encryption: ", 1, table.last)  # says so in both directions
    if chosen not in table.entries:
        demo.terminal.write("Invalid selection, aborting operation.")
        raise CkrError("C_Encrypt", "CKR_CANCEL")
    return table.entries[chosen]
