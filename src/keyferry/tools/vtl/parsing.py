"""Captured screens of vtl as `keyferry.parse/1` (contracts.md)."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from keyferry.tools.parse_output import SCHEMA, Json, hidden, judged
from keyferry.tools.vtl import screens

if TYPE_CHECKING:
    from collections.abc import Callable


def parse(verb: str, text: str) -> Json:
    """One screen of one verb. KeyError for a verb that is not known, UnknownScreenError for the text."""
    read = VERBS[verb]
    return {"schema": SCHEMA, "tool": "vtl", "verb": verb, **judged(lambda: read(hidden(text)))}


def _list_slots(text: str) -> Json:
    return {"slots": [asdict(row) for row in screens.slots(text)]}


def _verify(text: str) -> Json:
    """Number, serial and label alone; the number is null for a partition without a visible slot."""
    return {"slots": [asdict(row) for row in screens.verified(text)]}


VERBS: dict[str, Callable[[str], Json]] = {"listSlots": _list_slots, "verify": _verify}
