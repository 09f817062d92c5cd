"""What was done with vtl, cmu and ckdemo, from their screens."""

from __future__ import annotations

import contextlib
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

from keyferry.errors import UnknownScreenError
from keyferry.pkcs11 import KeyClass
from keyferry.tools.ckdemo import dialect, screens
from keyferry.tools.ckdemo import parsing as ckdemo
from keyferry.tools.classic.source import describe
from keyferry.tools.cmu import parsing as cmu
from keyferry.tools.manual import ActionKind, Answered, RecordedAction, answered, text_of
from keyferry.tools.parse_output import hidden
from keyferry.tools.vtl import parsing as vtl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from keyferry.tools.manual import Line, ToolSession

_CHOICE = re.compile(rf"\s*{dialect.CHOICE}(?P<typed>.*)")
_VERBS = {
    "open_session": "openSession",
    "login": "login",
    "token_info": "tokenInfo",
    "set_attribute": "setAttribute",
    "find_object": "findObject",
    "display_object": "displayObject",
    "encrypt_file": "encryptFile",
    "wrap_key": "wrapKey",
    "options": "options",
    "quit": "quit",
}
_WHAT = {
    "openSession": ActionKind.OPEN,
    "login": ActionKind.LOG_IN,
    "setAttribute": ActionKind.ALLOW,
    "findObject": ActionKind.LIST,
    "displayObject": ActionKind.DESCRIBE,
    "wrapKey": ActionKind.WRAP,
}
_CMU = {
    "list": ActionKind.LIST,
    "import": ActionKind.IMPORT,
    "getAttribute": ActionKind.DESCRIBE,
    "setAttribute": ActionKind.ALLOW,
    "delete": ActionKind.REMOVE,
}

_CLASSES = {"publickey": KeyClass.PUBLIC, "privatekey": KeyClass.PRIVATE, "secretkey": KeyClass.SECRET}
"""By cmu's words, which it has in several cases."""


def vtl_acts(sitting: ToolSession) -> Iterator[RecordedAction]:
    """One call, by its first word, in whatever case."""
    verb = _named(vtl.VERBS, sitting)
    if verb is None:
        yield _not_known("vtl", sitting)
        return
    answer = answered(vtl.parse, verb, text_of(sitting.lines))
    slots = cast("list[dict[str, Any]]", answer.fields.get("slots", []))
    told = {slot["serial"]: slot["number"] for slot in slots if slot["serial"] and slot["present"]}
    yield answer.act(
        ActionKind.LIST_SLOTS if verb == "listSlots" else ActionKind.LOOK, "vtl", verb, sitting.place, told
    )


def cmu_acts(sitting: ToolSession) -> Iterator[RecordedAction]:
    """One call; functions may be cut short as cmu allows it."""
    verb = _named(cmu.VERBS, sitting)
    if verb is None:
        yield _not_known("cmu", sitting)
        return
    answer = answered(cmu.parse, verb, text_of(sitting.lines))
    yield answer.act(_CMU[verb], "cmu", verb, sitting.place, _cmu_told(verb, _options(sitting.words[1:]), answer))


def ckdemo_acts(sitting: ToolSession) -> Iterator[RecordedAction]:
    """Every choice of its menu, by the entries that the menu itself shows."""
    places = [place for place, line in enumerate(sitting.lines) if _CHOICE.fullmatch(line.text)]
    start = text_of(sitting.lines[: places[0]] if places else sitting.lines)
    begun = answered(ckdemo.parse, "startup", f"{start}\nEnter your choice : " if places else start)
    yield begun.act(ActionKind.START, "ckdemo", "startup", sitting.place, {})
    try:
        entries = {number: _VERBS[name] for name, number in screens.menu(start, dialect.MENU).items()}
    except UnknownScreenError:
        entries = {}
    for title in dialect.HARMLESS if entries else ():
        with contextlib.suppress(UnknownScreenError):  # not every menu has them all
            entries |= dict.fromkeys(screens.menu(start, {title: title}).values(), title)
    for place, end in pairwise([*places, len(sitting.lines)]):
        yield from _choice(entries, sitting.lines[place:end], last=end == len(sitting.lines))


def _choice(entries: Mapping[int, str], lines: Sequence[Line], *, last: bool) -> Iterator[RecordedAction]:
    found = _CHOICE.fullmatch(lines[0].text)
    typed, place = (found["typed"].strip() if found else ""), lines[0].place
    if not typed:
        return
    verb = entries.get(int(typed)) if typed.isdecimal() else None
    if verb is None:
        yield RecordedAction(
            ActionKind.OTHER, "ckdemo", "a menu entry", place, unknown="a choice that is not known here"
        )
    elif verb == "quit":
        yield RecordedAction(ActionKind.LEAVE, "ckdemo", verb, place)
    elif verb in dialect.HARMLESS:
        yield RecordedAction(ActionKind.LOOK, "ckdemo", verb, place)
    else:
        text = text_of(lines) if last else f"{text_of(lines)}\nEnter your choice : "
        answer = answered(ckdemo.parse, verb, text)
        told = _ckdemo_told(verb, hidden(text), answer) if answer.fields else {}
        yield answer.act(_WHAT.get(verb, ActionKind.LOOK), "ckdemo", verb, place, told)


def _ckdemo_told(verb: str, text: str, answer: Answered) -> Mapping[str, object]:
    fields = cast("dict[str, Any]", answer.fields)
    told: dict[str, Callable[[], Mapping[str, object]]] = {
        "openSession": lambda: {"slot": _last(r"Select a slot *: *(\d+)", text)},
        "login": lambda: {"officer": _as_officer(text)},
        "findObject": lambda: _listed(fields),
        "displayObject": lambda: _described(fields),
        "setAttribute": lambda: _set(text),
        "wrapKey": lambda: _wrapped(text),
    }
    return told[verb]() if verb in told else {}


def _set(text: str) -> dict[str, object]:
    shown = dict(re.findall(r"(?m)^\s*(CKA_\w+)=(\S*)\s*$", text))
    return {"handle": _last(r"want to modify[^:\n]*: *(\d+)", text), **shown}


def _wrapped(text: str) -> dict[str, object]:
    return {
        "oaep": _last(r"OAEP Source Data[^:\n]*: *(\S+)", text) == "0",
        "digest": _digest(text),
        "wrapping": _last(r"handle of wrapping key[^:\n]*: *(\d+)", text),
        "key": _last(r"handle of key to wrap[^:\n]*: *(\d+)", text),
    }


def _described(fields: dict[str, Any]) -> dict[str, object]:
    """What a display says; numbers and classes as the procedure has them."""
    handle, attributes = fields["handle"], fields["attributes"]
    listed = screens.ObjectListing(handle, attributes.get("CKA_LABEL", ""))
    try:
        key = describe(listed, screens.Shown(handle, attributes))
    except UnknownScreenError:
        return {"handle": handle}
    return {
        "handle": handle,
        "label": key.label,
        "class": key.key_class,
        "type": key.type,
        "bits": key.bits,
        "id": key.id_shown,
        "extractable": key.extractable,
        "CKA_WRAP": attributes.get("CKA_WRAP"),
    }


def _cmu_told(verb: str, options: Mapping[str, str], answer: Answered) -> Mapping[str, object]:
    match verb:
        case "list":
            return _listed(answer.fields) if answer.fields else {}
        case "import":
            return {"label": options.get("label"), "slot": options.get("slot")}
        case "getAttribute":
            shown = cast("dict[str, str]", answer.fields.get("attributes", {}))
            return {
                "handle": options.get("handle"),
                "label": shown.get("label"),
                "extractable": _flag(shown),
                "class": _CLASSES.get(shown.get("class", "").lower()),
                "CKA_WRAP": None if (wraps := _flag(shown, "wrap")) is None else f"0{int(wraps)}",
            }
        case "setAttribute":
            others = {name: value for name, value in options.items() if name not in ("slot", "handle", "wrap")}
            wrap = "01" if options.get("wrap", "").lower() in ("1", "t", "true") else options.get("wrap")
            return {"handle": options.get("handle"), "CKA_WRAP": wrap, **others}
    return {"handle": options.get("handle")}


def _flag(shown: Mapping[str, str], name: str = "extractable") -> bool | None:
    return shown[name].lower() in ("1", "t", "true") if name in shown else None


def _listed(fields: Mapping[str, Any]) -> dict[str, object]:
    return {str(one["handle"]): one["label"] for one in fields["objects"] if one.get("handle") is not None}


def _as_officer(text: str) -> bool | None:
    """Whether the role that was chosen is the crypto officer's; None where its number was not shown."""
    typed = _last(r"\[ *\d+ *\] *: *(\d+)", text)
    try:
        return None if typed is None else int(typed) == screens.choice(text, "Crypto-Officer", "login")
    except UnknownScreenError:
        return None


def _digest(text: str) -> str | None:
    """The hash that was chosen; SHA-1 where none was asked for."""
    names = {name.replace("-", ""): digest for digest, name in dialect.HASHES.items()}
    offered = dict(re.findall(r"\[ *(\d+) *\] *(SHA-?\d+)", text))
    typed = re.findall(r"(?m)^\s*(\d+)\s*$", text.partition("OAEP Source Data")[0])
    if not offered:
        return "sha1"
    return names.get(offered.get(typed[-1], "").replace("-", "")) if typed else None


def _last(pattern: str, text: str) -> str | None:
    found = re.findall(pattern, text)
    return found[-1] if found else None


def _named(verbs: Mapping[str, object], sitting: ToolSession) -> str | None:
    """The verb that the first word means: whole or cut short, if it can be no other."""
    word = sitting.words[0].lower() if sitting.words else ""
    whole = [verb for verb in verbs if verb.lower() == word]
    cut = [verb for verb in verbs if word and verb.lower().startswith(word)]
    found = whole or cut
    return found[0] if len(found) == 1 else None


def _not_known(tool: str, sitting: ToolSession) -> RecordedAction:
    verb = sitting.words[0] if sitting.words else "(nothing)"
    return RecordedAction(ActionKind.OTHER, tool, verb, sitting.place, unknown="a function that is not known here")


def _options(words: Sequence[str]) -> dict[str, str]:
    """`-name=value` and `-name value`, names in lower case."""
    found: dict[str, str] = {}
    name = ""
    for word in words:
        if word.startswith("-"):
            name, _, value = word[1:].partition("=")
            name = name.lower()
            found[name] = value
        elif name and not found[name]:
            found[name] = word
    return found
