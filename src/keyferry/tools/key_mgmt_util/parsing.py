"""Captured screens as `keyferry.parse/1` (contracts.md)."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import TYPE_CHECKING, TypeVar

from keyferry.errors import UnknownScreenError
from keyferry.tools.key_mgmt_util.attributes import Attributes, attributes
from keyferry.tools.key_mgmt_util.dialect import TOOL
from keyferry.tools.key_mgmt_util.screens import common, info, keys
from keyferry.tools.lines import unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from keyferry.pkcs11 import DestinationHandle
    from keyferry.tools.key_mgmt_util.reply import CommandReply
    from keyferry.tools.key_mgmt_util.result import Outcome
    from keyferry.tools.key_mgmt_util.screens.common import Dump, KeyInfo, KmuUser, Startup
    from keyferry.tools.key_mgmt_util.screens.info import Meaning
    from keyferry.tools.key_mgmt_util.screens.keys import KeyPairHandles, WrapReply

SCHEMA = "keyferry.parse/1"

_PASSWORD = re.compile(r"(?i)((?<!\S)-p[ \t]+|enter password[ \t]*:[ \t]*)\S.*")

T = TypeVar("T")
Json = dict[str, object]


def parse(verb: str, text: str) -> Json:
    """One screen of one verb. KeyError for a verb that is not known, UnknownScreenError for the text."""
    try:
        return {"schema": SCHEMA, "tool": TOOL, "verb": verb, **VERBS[verb](text)}
    except UnknownScreenError as error:
        error.redact(_without_passwords)
        raise


def _without_passwords(seen: str) -> str:
    """Less what a terminal showed of them: typed with loginHSM, or at a prompt that should have hidden it."""
    return _PASSWORD.sub(r"\1*", seen)


def _whole(answer: CommandReply[T], fields: Callable[[T], Json]) -> Json:
    found = _judged(answer.outcome)
    return found if answer.fields is None else found | fields(answer.fields)


def _judged(outcome: Outcome) -> Json:
    failure = outcome.failure
    error = {"code": failure.code, "text": failure.text} if failure else None
    found: Json = {"ok": failure is None, "error": error}
    return found | ({"nodes": [asdict(node) for node in outcome.nodes]} if outcome.nodes else {})


def _attribute_file(text: str) -> Json:
    return {"ok": True, "error": None, **_values(attributes(text))}


def _get_attribute(text: str) -> Json:
    """With the attributes, where the capture goes on with the `cat` of the file."""
    screen, file = common.before_shell(text)
    answer = common.dump(screen)
    values = attributes(file) if file else None
    there = len(values.values) + values.unknown if values else 0
    if values and answer.fields and there != (told := answer.fields.count or 1):
        raise unknown(TOOL, "getAttribute", f"{there} attributes in the file, told were {told}")
    return _whole(answer, _dump) | (_values(values) if values else {})


def _values(found: Attributes) -> Json:
    values: Json = {"attributes": {f"OBJ_ATTR_{name}": value for name, value in found.values.items()}}
    return values | ({"unknown_attributes": found.unknown} if found.unknown else {})


def _startup(fields: Startup) -> Json:
    return {"info": asdict(fields)}


def _pair(fields: KeyPairHandles) -> Json:
    return {"public_handle": fields.public, "private_handle": fields.private}


def _handle(handle: DestinationHandle) -> Json:
    return {"handle": handle}


def _handles(handles: tuple[DestinationHandle, ...]) -> Json:
    return {"total": len(handles), "handles": list(handles)}


def _file(file: str) -> Json:
    return {"file": file}


def _wrapped(fields: WrapReply) -> Json:
    return {"file": fields.file, "length": fields.length}


def _dump(fields: Dump) -> Json:
    found: Json = {"file": fields.file, "length": fields.size, "total": fields.count}
    found["unknown_attributes"] = fields.unknown or None
    return {name: value for name, value in found.items() if value is not None}


def _key_info(fields: KeyInfo) -> Json:
    found: Json = {"owner": fields.owner, "shared": list(fields.shared)}
    return found if fields.approvers is None else found | {"approvers": fields.approvers}


def _users(users: tuple[KmuUser, ...]) -> Json:
    return {"users": [user.json() for user in users]}


def _attribute_numbers(found: Mapping[str, int]) -> Json:
    return {"attributes": {f"OBJ_ATTR_{name}": str(number) for name, number in found.items()}}


def _information(found: Mapping[str, str]) -> Json:
    return {"info": dict(found)}


def _meaning(found: Meaning) -> Json:
    return {"info": asdict(found)}


def _nothing(_fields: object) -> Json:
    return {}


VERBS: dict[str, Callable[[str], Json]] = {
    "startup": lambda text: _whole(common.startup(text), _startup),
    "loginHSM": lambda text: _whole(common.login(text), _nothing),
    "logoutHSM": lambda text: _whole(common.logout(text), _nothing),
    "genRSAKeyPair": lambda text: _whole(keys.key_pair(text), _pair),
    "genSymKey": lambda text: _whole(keys.secret_key(text), _handle),
    "exportPubKey": lambda text: _whole(keys.exported(text), _file),
    "importPubKey": lambda text: _whole(keys.public_key(text), _handle),
    "exportPrivateKey": lambda text: _whole(keys.private_export(text), _file),
    "imSymKey": lambda text: _whole(keys.symmetric_import(text), _handle),
    "exSymKey": lambda text: _whole(keys.symmetric_export(text), _file),
    "wrapKey": lambda text: _whole(keys.wrapped(text), _wrapped),
    "unWrapKey": lambda text: _whole(keys.unwrapped(text), _handle),
    "findKey": lambda text: _whole(common.found_keys(text), _handles),
    "findSingleKey": lambda text: _whole(common.find_single_key(text), _nothing),
    "getAttribute": _get_attribute,
    "attributeFile": _attribute_file,
    "getKeyInfo": lambda text: _whole(common.key_info(text), _key_info),
    "setAttribute": lambda text: _whole(common.set_attribute(text), _nothing),
    "deleteKey": lambda text: _whole(common.delete_key(text), _nothing),
    "listUsers": lambda text: _whole(common.users(text), _users),
    "listAttributes": lambda text: _whole(info.attribute_numbers(text), _attribute_numbers),
    "getHSMInfo": lambda text: _whole(info.hsm_info(text), _information),
    "Error2String": lambda text: _whole(info.meaning(text), _meaning),
    "help": lambda text: _whole(info.help_listing(text), _nothing),
}
