"""The commands of cloudhsm-cli that make keys, write files of them, or delete them."""

from __future__ import annotations

import os
from binascii import a2b_base64
from typing import TYPE_CHECKING

from keyferry.emulator import files
from keyferry.emulator.cloudhsm.cloudhsm_cli import keys as cli_keys
from keyferry.emulator.cloudhsm.cloudhsm_cli.session import Failed
from keyferry.emulator.cloudhsm.cloudhsm_cli.words import Misused
from keyferry.emulator.cloudhsm.cluster import Refused
from keyferry.emulator.cloudhsm.objects import SIZES, KeyClass, KeyObject, KeyType
from keyferry.emulator.faults import deaf

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from keyferry.emulator.cloudhsm.cloudhsm_cli.session import Session
    from keyferry.emulator.cloudhsm.cloudhsm_cli.words import Arguments

HASHES = ("sha1", "sha224", "sha256", "sha384", "sha512")
CLASSES = {"aes": KeyType.AES, "des3": KeyType.DES3, "generic-secret": KeyType.GENERIC_SECRET}
NOT_HERE = ("ec-private", "rsa-private")
_SETTABLE = (
    *("encrypt", "decrypt", "sign", "verify", "wrap", "unwrap", "derive", "extractable", "destroyable", "modifiable"),
    *("private", "sensitive", "token", "wrap-with-trusted"),
)


def generate_pair(session: Session, arguments: Arguments) -> None:
    bits, exponent = arguments.number("modulus-size-bits"), arguments.number("public-exponent")
    public_flags, public_id = _wanted(arguments, "public-attributes")
    private_flags, private_id = _wanted(arguments, "private-attributes")
    user = session.user
    if bits not in range(2048, 4097, 256) or exponent not in range(65537, 2**31, 2):
        raise Failed("The key could not be generated with these sizes")
    from keyferry.emulator.cloudhsm.crypto import generate_rsa  # noqa: PLC0415 - slow to load, needed here only

    spki, pkcs8 = generate_rsa(bits, exponent)
    public = _new(session, arguments, KeyClass.PUBLIC, KeyType.RSA, arguments.text("public-label"), public_flags)
    private = _new(session, arguments, KeyClass.PRIVATE, KeyType.RSA, arguments.text("private-label"), private_flags)
    pair = [
        public._replace(owner=user.id, public=spki, id=public_id),
        private._replace(owner=user.id, public=spki, value=pkcs8, id=private_id),
    ]
    names = ("public_key", "private_key")
    made = [cli_keys.shown(session, key) for key in _kept(session, arguments, pair)]
    session.answer(dict(zip(names, made, strict=True)))


def generate_symmetric(session: Session, arguments: Arguments) -> None:
    """AES or a generic secret, by the verb."""
    key_type = KeyType.AES if session.verb.endswith("aes") else KeyType.GENERIC_SECRET
    flags, key_id = _wanted(arguments, "attributes")
    owner = session.user.id
    if arguments.number("key-length-bytes") not in SIZES[key_type]:
        raise Failed("A key of this length cannot be generated")
    key = _new(session, arguments, KeyClass.SECRET, key_type, arguments.text("label"), flags)
    value = os.urandom(arguments.number("key-length-bytes"))
    [made] = _kept(session, arguments, [key._replace(owner=owner, value=value, id=key_id)])
    session.answer({"key": cli_keys.shown(session, made)})


def unwrap(session: Session, arguments: Arguments) -> None:
    flags, key_id = _wanted(arguments, "attributes")
    if arguments.text("key-type-class") in NOT_HERE:
        raise Failed("Unwrapping failed")  # no private key fits into one block of OAEP
    key_type = CLASSES[arguments.text("key-type-class")]
    if ("data-path" in arguments) == ("data" in arguments):
        raise Misused("error: one of '--data-path' and '--data' is required")
    owner = session.user.id
    value = _opened(session, arguments)
    if len(value) not in SIZES[key_type]:
        raise Failed("Unwrapping failed")
    key = _new(session, arguments, KeyClass.SECRET, key_type, arguments.text("label"), flags, local=False)
    made = [_tampered(session, key._replace(owner=owner, value=value, id=key_id))]
    [stored] = _kept(session, arguments, made)
    answer = cli_keys.shown(session, stored)
    if session.struck("reference-missing"):
        del answer["key-reference"]
    session.answer({"key": answer})


def generate_file(session: Session, arguments: Arguments) -> None:
    from keyferry.emulator.cloudhsm.crypto import generate_rsa, rsa_numbers, to_pem  # noqa: PLC0415 - slow to load

    key = cli_keys.one(session, arguments)
    if arguments.text("encoding") != "pem" or key.key_class is not KeyClass.PUBLIC:
        raise Failed("This encoding does not support the selected key")
    public = key.public
    if session.struck("pem-swapped"):
        public = generate_rsa(rsa_numbers(public)[0].bit_length(), 65537)[0]
    try:
        files.write(arguments.text("path"), to_pem(public))
    except OSError as error:
        raise Failed(f"The key file could not be written: {error.strerror}") from None
    session.answer({"message": "Successfully generated key file"})


def delete(session: Session, arguments: Arguments) -> None:
    key = cli_keys.one(session, arguments)
    try:
        session.keys.owned(key.handle, session.user.id)
    except Refused:
        raise Failed("The key could not be deleted by this user") from None
    session.keys.delete(cli_keys.approved(key).handle)
    session.answer({"message": "Key deleted successfully"})


def _wanted(arguments: Arguments, option: str) -> tuple[Mapping[str, bool], str]:
    """Flags and id of a new key."""
    pairs = arguments.pairs(option)
    typed = pairs.pop("id", "0x")
    try:
        key_id = bytes.fromhex(typed.removeprefix("0x")).decode("utf-8", "surrogateescape")
    except ValueError:
        key_id = ""
    if not typed.startswith("0x") or (len(typed) > 2 and not key_id):
        raise Misused(f"error: invalid value 'id={typed}' for '--{option}': not in hex")
    return cli_keys.flags_given(pairs, _SETTABLE), key_id


def _new(  # noqa: PLR0917 - what a key is made of
    session: Session,
    arguments: Arguments,
    key_class: KeyClass,
    key_type: KeyType,
    label: str,
    given: Mapping[str, bool],
    *,
    local: bool = True,
) -> KeyObject:
    """A key without value: usages false unless said, but a secret key signs and verifies."""
    if not label or len(label) > session.jitter.pick("longest-label", 127, 126):
        raise Failed("The label is too long")
    secret, sensitive = key_class is KeyClass.SECRET, key_class is not KeyClass.PUBLIC
    token = "session" not in arguments and given.get("TOKEN", True)
    always = dict.fromkeys(("EXTRACTABLE", "DESTROYABLE", "PRIVATE", "MODIFIABLE"), True)
    usual = always | {"SIGN": secret, "VERIFY": secret, "SENSITIVE": sensitive}
    flags = usual | dict(given) | {"TOKEN": token, "LOCAL": local}
    flags |= {
        "ALWAYS_SENSITIVE": local and sensitive,
        "NEVER_EXTRACTABLE": local and sensitive and not flags["EXTRACTABLE"],
    }
    names = frozenset(name for name, value in flags.items() if value)
    return KeyObject(0, key_class, key_type, label, names, session="" if token else session.keys.session)


def _kept(session: Session, arguments: Arguments, keys: Sequence[KeyObject]) -> list[KeyObject]:
    """Store keys on all nodes, or on all but one where a fault says so; shared as was asked."""
    crypto_users = {user.name.lower(): user.id for user in session.cluster.users() if user.type == "CU"}
    names = [name.lower() for name in arguments.given.get("share-crypto-users", ())]
    if not set(names) <= set(crypto_users):
        raise Failed("The key cannot be shared with these users")
    deaf(session.struck)
    nodes = session.cluster.nodes()
    reached = nodes[:-1] if session.struck("node-failed") else nodes
    return session.keys.add(keys, reached, {crypto_users[name] for name in names})


def _opened(session: Session, arguments: Arguments) -> bytes:
    """The value inside the wrapped data. No text tells what was wrong with it."""
    wrapping = cli_keys.approved(cli_keys.one(session, arguments))
    try:
        data = a2b_base64(arguments.text("data"), strict_mode=True) or files.read(arguments.text("data-path"))
    except (OSError, ValueError) as error:
        raise Failed(f"The wrapped key data could not be read: {error}") from None
    digest = arguments.text("hash-function")
    if "UNWRAP" not in wrapping.flags or arguments.text("mgf") != f"mgf1-{digest}":
        raise Failed("Unwrapping failed")
    from keyferry.emulator.cloudhsm.crypto import unwrap_oaep  # noqa: PLC0415 - slow to load, needed here only

    try:
        return unwrap_oaep(wrapping.value, data, digest)
    except (ValueError, TypeError):
        raise Failed("Unwrapping failed") from None


def _tampered(session: Session, key: KeyObject) -> KeyObject:
    """The key, or what a fault made of it."""
    if session.struck("other-value"):
        key = key._replace(value=os.urandom(len(key.value)))
    if session.struck("label-changed"):
        key = key._replace(label=f"{key.label}_1")
    if session.struck("extractable-changed"):
        key = key._replace(flags=key.flags ^ {"EXTRACTABLE"})
    if session.struck("usage-changed"):
        key = key._replace(flags=key.flags ^ {"ENCRYPT"})
    return key
