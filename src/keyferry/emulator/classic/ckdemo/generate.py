"""Menu 45 (reference, section 11)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyferry.emulator.classic.ckdemo import select
from keyferry.emulator.classic.errors import CkrError
from keyferry.emulator.classic.objects import AES, DES2, DES3, GENERIC_SECRET, flag

if TYPE_CHECKING:
    from collections.abc import Mapping

    from keyferry.emulator.classic.ckdemo.state import Demo

_SECRETS = {"AES": AES, "DES2": DES2, "DES3": DES3, "Generic": GENERIC_SECRET}
_FIXED_LENGTHS = {"DES2": 16, "DES3": 24}  # bytes; their length is not asked
_LONGEST = 10000
# What `Enter X Attribute [0-1]: ` asks, in order, and what an answer sets (of a pair: public, private half).
_SECRET_QUESTIONS = {
    "Is Token": "CKA_TOKEN",
    "Is Sensitive": "CKA_SENSITIVE",
    "Is Private": "CKA_PRIVATE",
    "Encrypt": "CKA_ENCRYPT",
    "Decrypt": "CKA_DECRYPT",
    "Sign": "CKA_SIGN",
    "Verify": "CKA_VERIFY",
    "Wrap": "CKA_WRAP",
    "Unwrap": "CKA_UNWRAP",
    "Derive": "CKA_DERIVE",
}
_RSA_QUESTIONS = {
    "Is Token": ("CKA_TOKEN", "CKA_TOKEN"),
    "Is Sensitive": (None, "CKA_SENSITIVE"),
    "Is Private": (None, "CKA_PRIVATE"),
    "Is Modifiable": ("CKA_MODIFIABLE", "CKA_MODIFIABLE"),
    "Extractable": (None, "CKA_EXTRACTABLE"),
    "Encrypt/Decrypt": ("CKA_ENCRYPT", "CKA_DECRYPT"),
    "Sign/Verify": ("CKA_VERIFY", "CKA_SIGN"),
    "Wrap/Unwrap": ("CKA_WRAP", "CKA_UNWRAP"),
    "Derive": ("CKA_DERIVE", "CKA_DERIVE"),
}


def generate_key(demo: Demo) -> None:
    """Of the listed types the emulated HSM makes AES, DES2, DES3, generic secrets and RSA pairs."""
    handle = select.session(demo)
    table = demo.dialect.key_types
    demo.terminal.write("Select type of key to generate\n" + table.text())
    name = table.entries[demo.ask.number("> ", 1, table.last)]
    if name == "RSA":
        _rsa_pair(demo, handle)
    elif name in _SECRETS:
        _secret(demo, handle, name)
    else:
        raise CkrError("C_GenerateKey", "CKR_MECHANISM_INVALID")


def _secret(demo: Demo, handle: int, name: str) -> None:
    length = _FIXED_LENGTHS.get(name) or demo.ask.number("\nEnter Key Length in bytes: ", 1, _LONGEST)
    asked = _SECRET_QUESTIONS | ({"Extractable": "CKA_EXTRACTABLE"} if demo.dialect.asks_extractable else {})
    answers = {asked[title]: value for title, value in _answers(demo, asked).items()}
    label = f"Generated {name} Key"
    session = demo.session(handle, "C_GenerateKey")
    made = session.generate_secret(_SECRETS[name], length, answers | {"CKA_LABEL": label.encode()})
    demo.terminal.write(f"{label}: {made}\n")


def _rsa_pair(demo: Demo, handle: int) -> None:
    bits = demo.ask.number("\nEnter Key Length in bits: ", 1, _LONGEST)
    answers = _answers(demo, _RSA_QUESTIONS)
    labels = ("Generated RSA Public Key", "Generated RSA Private Key")
    public, private = (
        {name: value for title, value in answers.items() if (name := _RSA_QUESTIONS[title][half])}
        | {"CKA_LABEL": label.encode()}
        for half, label in enumerate(labels)
    )
    made = demo.session(handle, "C_GenerateKeyPair").generate_rsa(bits, public, private)
    for label, each in zip(labels, made, strict=True):
        demo.terminal.write(f"{label}: {each}\n")


def _answers(demo: Demo, titles: Mapping[str, object]) -> dict[str, bytes]:
    return {title: flag(bool(demo.ask.number(f"Enter {title} Attribute [0-1]: ", 0, 1))) for title in titles}
