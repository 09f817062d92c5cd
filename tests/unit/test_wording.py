"""Help texts are in standard terms: no word of a short list is in them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import typer

from keyferry.cli import __main__ as entry

if TYPE_CHECKING:
    from collections.abc import Iterator

REFUSED = re.compile(
    r"\b(?:old side|new side|cross(?:ed|es)?|carry|carried|carries|judge[ds]?|party|parties|lanes?"
    r"|witness|shall|proved?|by looking)\b",
    re.IGNORECASE,
)


def _texts(command: Any) -> Iterator[str]:
    yield command.help or ""
    for parameter in command.params:
        yield getattr(parameter, "help", None) or ""
    for one in getattr(command, "commands", {}).values():
        yield from _texts(one)


def test_help_is_in_standard_terms() -> None:
    entry._register([])
    texts = list(_texts(typer.main.get_command(entry.app)))
    assert len(texts) > 100
    assert [text for text in texts if REFUSED.search(text)] == []
