"""The fixtures of one tool: what each text must parse to, written by hand beside it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from keyferry.errors import UnknownScreenError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

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


def check_document(fixture: Fixture, parse: Callable[[str, str], Mapping[str, Any]]) -> None:
    """parse: verb and text to a whole document."""
    if fixture.expected.get("exit") == 10:
        with pytest.raises(UnknownScreenError) as unknown:
            parse(fixture.verb, fixture.text)
        assert fixture.expected["shows"] in f"{unknown.value.what}\n{unknown.value.seen}"
    else:
        assert parse(fixture.verb, fixture.text) == fixture.expected


def check_cases(tool: str, version: str, verb: str) -> None:
    """A success, a refusal, and the cases that every verb must have."""
    found = (FIXTURES / tool / version).glob(f"{verb}--*.txt")
    there = {path.stem.partition("--")[2]: _fixture(path).expected for path in found}
    assert {"empty", "truncated", "garbage"} <= there.keys()
    assert {expected.get("ok") for expected in there.values()} == {True, False, None}
    assert all(there[case]["exit"] == 10 for case in ("truncated", "garbage"))


@dataclass(frozen=True)
class Errors:
    """What the fixtures of one dialect tell of errors: codes and failed functions expected, and lines shown."""

    codes: set[object]
    functions: set[object]
    lines: set[str]

    def without(self, patterns: Iterable[str]) -> list[str]:
        """Those of the patterns that no line of any fixture is."""
        return [pattern for pattern in patterns if not any(re.fullmatch(pattern, line) for line in self.lines)]


def errors(tool: str, version: str, verb: str = "*") -> Errors:
    found = [_fixture(path) for path in (FIXTURES / tool / version).glob(f"{verb}--*.txt")]
    refused = [one.expected for one in found if one.expected.get("error")]
    lines = {" ".join(line.split()) for one in found for line in one.text.split("\n")}
    return Errors({one["error"]["code"] for one in refused}, {one.get("function") for one in refused}, lines)


def _fixture(path: Path) -> Fixture:
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    expected = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    return Fixture(path.stem.partition("--")[0], text, expected)
