"""What was done with CloudHSM CLI, in its interactive mode or by single commands, from its screens."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from keyferry.tools.cloudhsm_cli import dialect, screens
from keyferry.tools.cloudhsm_cli.parsing import VERBS, parse
from keyferry.tools.endpoints import USAGES
from keyferry.tools.manual import ActionKind, RecordedAction, answered, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from keyferry.tools.manual import Answered, Line, ToolSession

_COMMAND = re.compile(rf"\s*{dialect.PROMPT}\s*(?P<typed>.*)")
_LOGIN, _PAIR, _FILE, _UNWRAP, _DELETE, _LIST = (
    verb.replace(" ", "-")
    for verb in (screens.LOGIN, screens.PAIR, screens.FILE, screens.UNWRAP, screens.DELETE, screens.LIST)
)
_LOOKS = (screens.LOGOUT, screens.LIST, screens.HSM_INFO, screens.USERS)
_WHAT = {
    _LOGIN: ActionKind.LOG_IN,
    _PAIR: ActionKind.MAKE_PAIR,
    _FILE: ActionKind.EXPORT,
    _UNWRAP: ActionKind.UNWRAP,
    _DELETE: ActionKind.REMOVE,
    **{verb.replace(" ", "-"): ActionKind.LOOK for verb in _LOOKS},
}
"""By the parsers' names of the verbs."""
_UNWRAP_OPTIONS = frozenset(
    {"filter", "hash-function", "mgf", "key-type-class", "label", "data-path", "data", "attributes"}
    | {"share-crypto-users", "approval", "cluster-id"}
)
"""The options of key unwrap that are read one by one, or that change nothing about the key."""
_AS_IT_IS = frozenset({"token=true", "destroyable=true", "modifiable=true", "wrap-with-trusted=false"})
"""Attributes that a new key has also where they are not typed."""
_REFERENCE = "key-reference"


def acts(sitting: ToolSession) -> Iterator[RecordedAction]:
    """Every command in its order. A single command has logged in by what its environment held."""
    if sitting.words[:1] != ("interactive",):
        yield _act(" ".join(sitting.words), sitting.lines, sitting.place)
        return
    places = [place for place, line in enumerate(sitting.lines) if _COMMAND.fullmatch(line.text)]
    yield RecordedAction(ActionKind.START, dialect.TOOL, "interactive", sitting.place)
    for place, end in pairwise([*places, len(sitting.lines)]):
        lines = sitting.lines[place:end]
        found = _COMMAND.fullmatch(lines[0].text)
        if found and found["typed"].strip():
            yield _act(found["typed"].strip(), lines, lines[0].place)


def _act(typed: str, lines: Sequence[Line], place: str) -> RecordedAction:
    if typed in ("quit", "exit"):
        return RecordedAction(ActionKind.LEAVE, dialect.TOOL, typed, place)
    if typed.split(maxsplit=1)[0] == screens.HELP:
        return RecordedAction(ActionKind.LOOK, dialect.TOOL, typed, place)
    hyphened = "-".join(typed.split()) + "-"
    verb = max((name for name in VERBS if hyphened.startswith(f"{name}-")), key=len, default=None)
    if verb is None:
        why = "a command that is not known here"
        return RecordedAction(ActionKind.OTHER, dialect.TOOL, typed.split(maxsplit=1)[0], place, unknown=why)
    answer = answered(parse, verb, text_of(lines))
    return answer.act(
        _WHAT.get(verb, ActionKind.OTHER), dialect.TOOL, verb, place, _told(verb, _options(typed), answer)
    )


def _told(verb: str, options: Mapping[str, str], answer: Answered) -> dict[str, object]:
    fields = answer.fields
    attributes = dict(one.partition("=")[::2] for one in options.get("attributes", "").split())
    private = dict(one.partition("=")[::2] for one in options.get("private-attributes", "").split())
    named = dict(one.partition("=")[::2] for one in options.get("filter", "").split())
    if verb == _LOGIN:
        return {"user": options.get("username"), "role": options.get("role")}
    if verb == _PAIR:
        return {
            "label": options.get("private-label"),
            "bits": options.get("modulus-size-bits"),
            "extractable": private.get("extractable") != "false",
            "unwraps": private.get("unwrap") == "true",
            "public": fields.get("public_handle"),
            "private": fields.get("private_handle"),
        }
    if verb == _LIST:
        return _looked(fields, _handle(named.get(_REFERENCE)))
    if verb in (_FILE, _DELETE):
        return {"handle": _handle(named.get(_REFERENCE))}
    if verb == _UNWRAP:
        return {
            "oaep": options.get("mgf") == f"mgf1-{options.get('hash-function')}",
            "digest": options.get("hash-function"),
            "type": dialect.KEY_TYPES.get(options.get("key-type-class", "")),
            "extractable": attributes.get("extractable") != "false",
            "wrapping": _handle(named.get(_REFERENCE)),
            "label": options.get("label"),
            "id": _text(attributes.get("id")),
            "file": options.get("data-path"),
            "shared_users": ",".join(sorted(options.get("share-crypto-users", "").split())),
            "other_options": _others(options, attributes),
            "handle": fields.get("handle"),
            **_usages(options.get("key-type-class"), attributes),
        }
    return {}


def _looked(fields: Mapping[str, object], handle: int | None) -> dict[str, object]:
    """A list is a look at a key only where it shows this key with its attributes."""
    keys = fields.get("keys")
    shown = [one.get("handle") for one in keys if isinstance(one, dict)] if isinstance(keys, list) else []
    return {"handle": handle} if handle in shown else {}


def _usages(kind: str | None, attributes: Mapping[str, str]) -> dict[str, object]:
    """Every usage flag as it was typed, else as the tool sets it; None where that is not known."""
    unsaid = dict.fromkeys(USAGES, False) | dict.fromkeys(("SIGN", "VERIFY"), True if kind == "aes" else None)
    typed = {name: attributes.get(name.lower()) for name in USAGES}
    return {name: unsaid[name] if value is None else value.lower() == "true" for name, value in typed.items()}


def _others(options: Mapping[str, str], attributes: Mapping[str, str]) -> str:
    """The options and attributes that make something else of the key than the runbook says."""
    known = {"id", "extractable", *(name.lower() for name in USAGES)}
    found = [f"--{name} {value}".rstrip() for name, value in options.items() if name not in _UNWRAP_OPTIONS]
    set_too = [f"{name}={value}" for name, value in attributes.items() if name not in known]
    return ", ".join(found + [one for one in set_too if one not in _AS_IT_IS])


def _options(typed: str) -> dict[str, str]:
    """By option, without its hyphens, all that stands behind it up to the next."""
    parts = (re.match(r"([\w-]*)[ =]?(.*)", part) for part in re.split(r"(?:^|\s)--", typed)[1:])
    return {part[1]: part[2].strip() for part in parts if part}


def _handle(reference: str | None) -> int | None:
    return int(reference, 16) if reference and re.fullmatch(r"0x[0-9a-fA-F]{1,16}", reference) else None


def _text(hexadecimal: str | None) -> str | None:
    if hexadecimal is None or not re.fullmatch(r"0x(?:[0-9a-fA-F]{2})*", hexadecimal):
        return hexadecimal
    return bytes.fromhex(hexadecimal[2:]).decode("utf-8", "replace")
