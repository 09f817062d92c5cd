"""The commands that make, bring in or take out keys."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from keyferry.emulator import files
from keyferry.emulator.cloudhsm.cluster import Code, Refused
from keyferry.emulator.cloudhsm.key_mgmt_util.create import create, new_key, symmetric
from keyferry.emulator.cloudhsm.key_mgmt_util.errors import Misused
from keyferry.emulator.cloudhsm.objects import SIZES, KeyClass, KeyObject, KeyType

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keyferry.emulator.cloudhsm.key_mgmt_util.flags import Arguments
    from keyferry.emulator.cloudhsm.key_mgmt_util.session import Session


def generate_pair(session: Session, args: Arguments) -> None:
    bits, exponent = args.number("-m"), args.number("-e")
    if bits not in range(2048, 4097, 256):
        raise Misused("Incorrect Modulus Length for FIPS mode")
    if exponent not in range(65537, 2**31, 2):
        raise Misused("Error: Public exponant (-e) is missing or invalid input passed")
    halves = _halves(session, args, bits, exponent)

    def line(made: Sequence[KeyObject]) -> str:
        public, private = (key.handle for key in made)
        function = session.dialect.functions["genRSAKeyPair"]
        return f"\n\t{function}:    public key handle: {public}    private key handle: {private}\n"

    create(session, args, halves, line)


def _halves(session: Session, args: Arguments, bits: int, exponent: int) -> list[KeyObject]:
    public = new_key(session, args, KeyClass.PUBLIC, KeyType.RSA, local=True)
    private = new_key(session, args, KeyClass.PRIVATE, KeyType.RSA, local=True)
    session.require_login()
    from keyferry.emulator.cloudhsm.crypto import generate_rsa  # noqa: PLC0415 - slow to load, needed here only

    spki, pkcs8 = generate_rsa(bits, exponent)
    return [public._replace(public=spki, approvers=0), private._replace(public=spki, value=pkcs8)]


def generate_secret(session: Session, args: Arguments) -> None:
    key_type = symmetric(args.number("-t"), "-t")
    key = new_key(session, args, KeyClass.SECRET, key_type, local=True)
    session.require_login()
    if key_type is KeyType.DES3:  # not in FIPS clusters since 2024
        raise Refused(Code.POLICY_MISMATCH)
    if args.number("-s") not in SIZES[key_type]:
        raise Refused(Code.INVALID_INPUT)
    made = [key._replace(value=os.urandom(args.number("-s")))]
    create(session, args, made, lambda keys: f"\n\tSymmetric Key Created.  Key Handle: {keys[0].handle}\n")


def import_public(session: Session, args: Arguments) -> None:
    pem = session.read_file(args.text("-f"))
    key = new_key(session, args, KeyClass.PUBLIC, KeyType.RSA, local=False)
    session.require_login()
    from keyferry.emulator.cloudhsm.crypto import from_pem  # noqa: PLC0415 - slow to load, needed here only

    try:
        made = [key._replace(public=from_pem(pem))]
    except ValueError:
        raise Refused(Code.INVALID_INPUT) from None
    create(session, args, made, lambda keys: f"\nPublic Key Handle: {keys[0].handle} \n")


def export_public(session: Session, args: Arguments) -> None:
    """The file is there, and empty, when SUCCESS appears; its text comes after."""
    key = session.keys.get(args.number("-k"), session.user.id)
    if key.key_class is not KeyClass.PUBLIC:
        raise Refused(Code.INVALID_HANDLE)
    from keyferry.emulator.cloudhsm.crypto import generate_rsa, rsa_numbers, to_pem  # noqa: PLC0415 - slow to load

    public = key.public
    if session.struck("pem-swapped"):
        public = generate_rsa(rsa_numbers(public)[0].bit_length(), 65537)[0]
    name = args.text("-out")
    try:
        files.write(name, b"")
    except (OSError, ValueError):
        raise Refused(Code.INVALID_INPUT) from None
    session.screen.say(f"\nPEM formatted public key is written to {name}\n")
    session.succeed()
    session.screen.flush()
    files.write(name, to_pem(public))


def delete(session: Session, args: Arguments) -> None:
    try:
        key = session.keys.owned(args.number("-k"), session.user.id)
    except Refused as refused:
        missing = refused.code is Code.INVALID_HANDLE
        session.refuse(refused, session.dialect.missing_key_function if missing else "")
        return
    session.keys.delete(key.handle)
    session.succeed()
