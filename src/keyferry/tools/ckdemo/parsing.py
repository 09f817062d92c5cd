"""Captured screens of ckdemo as `keyferry.parse/1` (contracts.md)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from keyferry.text import last_lines
from keyferry.tools.ckdemo import captured_turn, dialect, screens
from keyferry.tools.lines import unknown
from keyferry.tools.parse_output import SCHEMA, Json, hidden

if TYPE_CHECKING:
    from collections.abc import Callable

_REFUSALS = re.compile("|".join(dialect.REFUSALS))


def parse(verb: str, text: str) -> Json:
    """One turn of the main loop. KeyError for a verb that is not known, UnknownScreenError for the text."""
    fields = VERBS[verb]
    text = hidden(text)
    found = (verb == "startup" and _not_started(text)) or _turn(verb, text, fields)
    return {"schema": SCHEMA, "tool": "ckdemo", "verb": verb, **found}


def _turn(verb: str, text: str, fields: Callable[[str], Json]) -> Json:
    answer = captured_turn.turn(verb, text)
    if verb == "startup":
        fields(text)
    if not answer.ok:
        if verb != "startup":
            _only_refusals(verb, answer.body)
        said = f"{answer.function} returned error. ({answer.ckr})"
        return _refused(answer.ckr, said) | {"function": answer.function, "status": answer.ckr}
    if verb == "openSession" and re.fullmatch(dialect.NO_SESSION_LEFT, said := answer.body.strip()):
        return _refused(None, said) | {"status": answer.ckr}
    found = {} if verb == "startup" else fields(answer.body)
    return {"ok": True, "error": None, "status": answer.ckr, **found}


def _refused(code: str | None, text: str) -> Json:
    return {"ok": False, "error": {"code": code, "text": text}}


def _only_refusals(verb: str, body: str) -> None:
    for line in body.split("\n"):
        if line.strip() and not _REFUSALS.fullmatch(line.strip()):
            raise unknown("ckdemo", verb, "a line that is not known", line)


def _not_started(text: str) -> Json | None:
    """The refusal of a ckdemo that ends before its first menu; None for any other screen.

    A line behind the first one that tells of it must be one of the documented.
    """
    lines = [re.sub(dialect.CONNECTING, "", line.strip()) for line in text.split("\n") if line.strip()]
    for place, line in enumerate(lines):
        if re.fullmatch(dialect.CANNOT_LOAD, line):
            return _no_library(lines[place:])
        if failed := re.fullmatch(dialect.CANNOT_INITIALIZE, line):
            return _not_initialized(failed["function"], lines[place:])
        if re.fullmatch(dialect.WRONG_VERSION, line):
            _only_the_end(lines[place + 1 :])
            return _refused(None, last_lines("\n".join(lines[: place + 1])))
        if line.startswith("Status:"):
            return None
    return None


def _no_library(lines: list[str]) -> Json:
    if len(lines) != 2 or not lines[1].startswith("ckdemo: "):
        raise unknown("ckdemo", "startup", "no reason why the library is not loaded", lines[-1])
    return _refused(None, last_lines("\n".join(lines)))


def _not_initialized(function: str, lines: list[str]) -> Json:
    code = re.fullmatch(dialect.ERROR_CODE, lines[1]) if len(lines) > 1 else None
    if code is None:
        raise unknown("ckdemo", "startup", "no error code", lines[-1])
    _only_the_end(lines[2:])
    ckr = dialect.CKR_NAMES.get(int(code["code"]), "CKR_UNKNOWN")
    return _refused(ckr, last_lines("\n".join(lines[:2]))) | {"function": function, "status": ckr}


def _only_the_end(lines: list[str]) -> None:
    """Nothing but the question that ends the program, asked again after what is no number of its range."""
    again = "|".join(dialect.ASKED_AGAIN)
    first = dialect.REFUSED_END if lines[1:] else dialect.END_QUESTION
    for place, line in enumerate(lines):
        if not re.fullmatch(again if place else first, line):
            raise unknown("ckdemo", "startup", "a line that is not known", line)


def _menu(text: str) -> Json:
    screens.menu(text, dialect.MENU)
    return {}


def _objects(body: str) -> Json:
    if not body.strip():
        raise unknown("ckdemo", "findObject", "neither objects nor word that there is none", body)
    return {"objects": [{"handle": one.handle, "label": one.label} for one in screens.listing(body)]}


def _shown(body: str) -> Json:
    shown = screens.shown(body)
    return {"handle": shown.handle, "attributes": dict(shown.attributes)}


def _token(body: str) -> Json:
    token = screens.token(body)
    return {"attributes": {**token.fields, "Token Flags": " ".join(sorted(token.flags))}}


def _says(verb: str, sentence: str = "", file: str | None = None) -> Callable[[str], Json]:
    """The fields of a verb that says one sentence, by default nothing, and may have made a file."""

    def read(body: str) -> Json:
        if body.strip() != sentence:
            raise unknown("ckdemo", verb, f"not {sentence!r}", body.strip())
        return {"file": file} if file else {}

    return read


VERBS: dict[str, Callable[[str], Json]] = {
    "startup": _menu,
    "openSession": _says("openSession"),
    "login": _says("login"),
    "findObject": _objects,
    "displayObject": _shown,
    "setAttribute": _says("setAttribute"),
    "wrapKey": _says("wrapKey", dialect.WRAPPED, dialect.WRAPPED_FILE),
    "encryptFile": _says("encryptFile", dialect.ENCRYPTED, dialect.ENCRYPTED_FILE),
    "tokenInfo": _token,
    "options": _says("options"),
}
"""Each verb's fields, from what it printed itself; startup's is its whole screen."""
