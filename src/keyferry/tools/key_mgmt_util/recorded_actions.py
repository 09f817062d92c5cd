"""What was done in a session of key_mgmt_util, from its screens."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from keyferry.tools.key_mgmt_util import dialect
from keyferry.tools.key_mgmt_util.parsing import VERBS, parse
from keyferry.tools.manual import ActionKind, Answered, RecordedAction, answered, text_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from keyferry.tools.manual import Line, ToolSession

_COMMAND = re.compile(r"\s*Command:\s*(?P<typed>.*)")
_WHAT = {
    "loginHSM": ActionKind.LOG_IN,
    "genRSAKeyPair": ActionKind.MAKE_PAIR,
    "exportPubKey": ActionKind.EXPORT,
    "unWrapKey": ActionKind.UNWRAP,
    "deleteKey": ActionKind.REMOVE,
}
_LOOKS = {
    "logoutHSM",
    "findKey",
    "findSingleKey",
    "getAttribute",
    "getKeyInfo",
    "listUsers",
    "listAttributes",
    "getHSMInfo",
    "Error2String",
    "help",
}
_UNWRAP_FLAGS = frozenset(
    "-f -w -m -t -noheader -l -kc -kt -id -nex -u -m_value -min_srv -timeout -attest".split()  # noqa: SIM905 - as typed
)
"""The flags of unWrapKey that are read one by one, or that change nothing about the key."""
_TYPES = {str(number): name for name, number in dialect.KEY_TYPES.items()}
_DIGESTS = {str(number): name for name, number in dialect.HASHES.items()}


def acts(sitting: ToolSession) -> Iterator[RecordedAction]:
    """Every command in its order; a command that the tool does not know is a look, if it only showed its help."""
    places = [place for place, line in enumerate(sitting.lines) if _COMMAND.fullmatch(line.text)]
    start = sitting.lines[: places[0]] if places else sitting.lines
    begun = answered(parse, "startup", text_of(start))
    yield begun.act(ActionKind.START, dialect.TOOL, "startup", sitting.place, {})
    for place, end in pairwise([*places, len(sitting.lines)]):
        lines = sitting.lines[place:end]
        if words := _typed(lines[0]).split():
            yield _act(words, lines)


def _typed(line: Line) -> str:
    found = _COMMAND.fullmatch(line.text)
    return found["typed"] if found else ""


def _act(words: Sequence[str], lines: Sequence[Line]) -> RecordedAction:
    verb, place = words[0], lines[0].place
    if verb in ("exit", "quit"):
        return RecordedAction(ActionKind.LEAVE, dialect.TOOL, verb, place)
    if list(words[1:]) == ["-h"]:
        return RecordedAction(ActionKind.LOOK, dialect.TOOL, f"{verb} -h", place)
    if verb not in VERBS:
        answer = answered(parse, "help", text_of(lines[1:]))
        return answer.act(ActionKind.LOOK, dialect.TOOL, "a command that it does not know", place, {})
    answer = answered(parse, verb, text_of(lines))
    what = _WHAT.get(verb, ActionKind.LOOK if verb in _LOOKS else ActionKind.OTHER)
    return answer.act(what, dialect.TOOL, verb, place, _told(verb, _flags(words), answer))


def _told(verb: str, flags: Mapping[str, str], answer: Answered) -> dict[str, object]:
    fields = answer.fields
    told: dict[str, object] = {}
    match verb:
        case "loginHSM":
            told = {"user": flags.get("-s"), "role": flags.get("-u")}
        case "genRSAKeyPair":
            told = {
                "label": flags.get("-l"),
                "bits": flags.get("-m"),
                "extractable": "-nex" not in flags,
                "public": fields.get("public_handle"),
                "private": fields.get("private_handle"),
            }
        case "exportPubKey" | "deleteKey":
            told = {"handle": flags.get("-k")}
        case "getAttribute" if flags.get("-a") == str(dialect.ALL_ATTRIBUTES):
            told = {"handle": flags.get("-o")}
        case "getKeyInfo":
            told = _held(fields) | {"held": flags.get("-k")}
        case "unWrapKey":
            told = _unwrapped(flags) | {"handle": fields.get("handle")}
    return told


def _unwrapped(flags: Mapping[str, str]) -> dict[str, object]:
    return {
        "oaep": flags.get("-m") == str(dialect.RSA_OAEP) and "-noheader" in flags,
        "digest": _DIGESTS.get(flags.get("-t", str(dialect.HASHES["sha1"]))),
        "type": _TYPES.get(flags.get("-kt", "")),
        "extractable": "-nex" not in flags,
        "wrapping": flags.get("-w"),
        "label": flags.get("-l"),
        "id": flags.get("-id"),
        "file": flags.get("-f"),
        "shared_users": _users(filter(None, flags.get("-u", "").split(","))),
        "quorum": flags.get("-m_value", "").lstrip("0"),
        "other_options": _others(flags),
    }


def _held(fields: Mapping[str, object]) -> dict[str, object]:
    shared = fields.get("shared")
    users = shared if isinstance(shared, list) else []
    return {"shared_users": _users(map(str, users)), "quorum": fields.get("approvers") or ""}


def _users(ids: Iterable[str]) -> str:
    return ",".join(sorted(ids))


def _others(flags: Mapping[str, str]) -> str:
    """The options that make something else of the key than the runbook says."""
    words = (f"{name} {value}".rstrip() for name, value in flags.items() if name not in _UNWRAP_FLAGS)
    wrong_class = [] if flags.get("-kc") == str(dialect.SECRET_KEY) else [f"-kc {flags.get('-kc', '')}".rstrip()]
    return ", ".join([*words, *wrong_class])


def _flags(words: Sequence[str]) -> dict[str, str]:
    """By flag what stands behind it, also if that looks like a flag; "" for one that takes nothing."""
    found: dict[str, str] = {}
    rest = iter(words[1:])
    for word in rest:
        found.setdefault(word, "" if word in dialect.WITHOUT_VALUE else next(rest, ""))
    return found
