"""The fixtures of one tool: what each text must parse to, written by hand beside it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from keyferry.errors import ToolRefusedError, UnknownScreenError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FIXTURES = Path(__file__).parents[2] / "fixtures"


@dataclass(frozen=True)
class Fixture:
    """`expected` is either a `keyferry.parse/1` document, or {"exit": 10, "shows": what the error shows}."""

    verb: str
    text: str
    expected: Mapping[str, Any]


def of_tool(tool: str) -> list[Any]:
    found = sorted((FIXTURES / tool).glob("*/*.txt"))
    return [pytest.param(_fixture(path), id=f"{path.parent.name}-{path.stem}") for path in found]


def check(fixture: Fixture, parse: Callable[[str], Mapping[str, Any]]) -> None:
    """parse: text to the fields of the document that its verb has."""
    if fixture.expected.get("exit") == 10:
        with pytest.raises(UnknownScreenError) as unknown:
            parse(fixture.text)
        assert fixture.expected["shows"] in f"{unknown.value.what}\n{unknown.value.seen}"
    elif not fixture.expected["ok"]:
        with pytest.raises(ToolRefusedError) as refused:
            parse(fixture.text)
        error = fixture.expected["error"]
        assert (refused.value.code or None) == error["code"]
        assert (refused.value.seen or "").endswith(error["text"])
    else:
        envelope = {"schema", "tool", "verb", "ok", "error"}
        fields = {name: value for name, value in fixture.expected.items() if name not in envelope}
        assert parse(fixture.text) == fields


def _fixture(path: Path) -> Fixture:
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    expected = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    return Fixture(path.stem.partition("--")[0], text, expected)
