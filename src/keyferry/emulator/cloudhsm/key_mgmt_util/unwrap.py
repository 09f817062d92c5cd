"""unWrapKey, and wrapKey which is refused."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from keyferry.emulator.cloudhsm.cluster import Code, Refused
from keyferry.emulator.cloudhsm.key_mgmt_util.create import create, new_key, symmetric
from keyferry.emulator.cloudhsm.key_mgmt_util.errors import Misused
from keyferry.emulator.cloudhsm.objects import SIZES, KeyClass, KeyObject, KeyType

if TYPE_CHECKING:
    from keyferry.emulator.cloudhsm.key_mgmt_util.flags import Arguments
    from keyferry.emulator.cloudhsm.key_mgmt_util.session import Session

_OAEP, _OTHER_MECHANISMS = 8, (4, 5, 6, 7, 10, 11, 12)
_HASHES = {2: "sha1", 3: "sha256", 4: "sha384", 5: "sha512", 6: "sha224"}
_MAX_BLOB = 4096


def unwrap(session: Session, args: Arguments) -> None:
    if args.number("-m") not in (_OAEP, *_OTHER_MECHANISMS) or args.number("-t", 2) not in _HASHES:
        raise Misused
    blob = session.read_file(args.text("-f"))
    if "-noheader" not in args:
        session.keys.get(args.number("-w"), session.user.id)
        raise Refused(Code.BAD_PKCS_DATA)  # no file here has the vendor's header: nothing here writes one
    for flag, what in (("-l", "Key label"), ("-kc", "Key class"), ("-kt", "Key type")):
        if flag not in args:
            raise Misused(f"Error: {what} ({flag}) is missing.")
    _unwrap_foreign(session, args, blob)


def _unwrap_foreign(session: Session, args: Arguments, blob: bytes) -> None:
    """Two result lines: the template's, which is the client's own work, and the unwrapping's."""
    if args.number("-kc") != KeyClass.SECRET:  # a private key does not fit into one OAEP block
        raise Misused
    key = new_key(session, args, KeyClass.SECRET, symmetric(args.number("-kt"), "-kt"), local=False)
    function = session.dialect.template_unwrap_function
    session.screen.result(session.dialect.template_function, Code.SUCCESS)
    try:
        value = _opened(session, args, blob)
        if len(value) not in SIZES[key.key_type]:
            raise Refused(Code.INVALID_INPUT)  # noqa: TRY301 - one place tells every refusal
        made = [_tampered(session, key._replace(value=value))]
        text = "" if session.struck("handle-missing") else session.dialect.unwrapped
        create(session, args, made, lambda keys: text.format(keys[0].handle), function)
    except Refused as refused:
        session.refuse(refused, function)


def _opened(session: Session, args: Arguments, blob: bytes) -> bytes:
    """The value inside the blob."""
    wrapping = session.keys.get(args.number("-w"), session.user.id)
    if (wrapping.key_class, wrapping.key_type) != (KeyClass.PRIVATE, KeyType.RSA):
        raise Refused(Code.INVALID_HANDLE)
    if args.number("-m") != _OAEP or "UNWRAP" not in wrapping.flags:
        raise Refused(Code.POLICY_MISMATCH)
    from keyferry.emulator.cloudhsm.crypto import unwrap_oaep  # noqa: PLC0415 - slow to load, needed here only

    try:
        return unwrap_oaep(wrapping.value, blob[:_MAX_BLOB], _HASHES[args.number("-t", 2)])
    except ValueError:
        raise Refused(Code.BAD_PKCS_DATA) from None


def _tampered(session: Session, key: KeyObject) -> KeyObject:
    """The key, or what a fault made of it."""
    if session.struck("other-value"):
        key = key._replace(value=os.urandom(len(key.value)))
    if session.struck("label-changed"):
        key = key._replace(label=f"{key.label}_1")
    if session.struck("extractable-changed"):
        key = key._replace(flags=key.flags ^ {"EXTRACTABLE"})
    return key


def wrap(session: Session, args: Arguments) -> None:
    """Refused by policy: no step of the procedure wraps a key of the cluster."""
    session.keys.owned(args.number("-k"), session.user.id)
    session.keys.get(args.number("-w"), session.user.id)
    raise Refused(Code.POLICY_MISMATCH)
