"""Captured screens of cmu as `keyferry.parse/1` (contracts.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyferry.tools.cmu import screens
from keyferry.tools.parse_output import SCHEMA, Json, hidden, judged

if TYPE_CHECKING:
    from collections.abc import Callable


def parse(verb: str, text: str) -> Json:
    """One screen of one verb. KeyError for a verb that is not known, UnknownScreenError for the text."""
    read = VERBS[verb]
    return {"schema": SCHEMA, "tool": "cmu", "verb": verb, **judged(lambda: read(hidden(text)))}


def _list(text: str) -> Json:
    return {"objects": [_object(one) for one in screens.listing(text)]}


def _object(one: screens.CmuObject) -> Json:
    found: Json = {"handle": one.handle, "ouid": one.ouid}
    return {name: value for name, value in found.items() if value is not None} | {"label": one.label}


def _get_attribute(text: str) -> Json:
    return {"attributes": dict(screens.attributes(text))}


def _import(text: str) -> Json:
    screens.silence(text, "import")
    handle = screens.made(text)
    return {} if handle is None else {"handle": handle}


def _silent(verb: str) -> Callable[[str], Json]:
    def read(text: str) -> Json:
        screens.silence(text, verb)
        return {}

    return read


VERBS: dict[str, Callable[[str], Json]] = {
    "list": _list,
    "getAttribute": _get_attribute,
    "setAttribute": _silent("setAttribute"),
    "import": _import,
    "delete": _silent("delete"),
}
