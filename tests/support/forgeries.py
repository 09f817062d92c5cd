"""What somebody tells who can rewrite everything: changes for `records.forge`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Lines = list[dict[str, Any]]


def replaced(tool: str, code: str, pattern: str, new: str, nth: int = 1) -> Callable[[str, list[Any]], list[Any]]:
    """Change the nth event of this code and tool that the pattern fits."""
    left = [nth]

    def change(name: str, lines: list[Any]) -> list[Any]:
        for line in lines[1:] if tool in name else ():
            if line[1] == code and re.search(pattern, line[2]):
                left[0] -= 1
                if left[0] == 0:
                    line[2] = re.sub(pattern, new, line[2])
        return lines

    return change


def answered(question: str, new: str) -> Callable[[str, list[Any]], list[Any]]:
    """Answer one of ckdemo's questions otherwise, the first time that it is asked."""

    def change(name: str, lines: list[Any]) -> list[Any]:
        asked = ""
        for line in lines[1:] if "ckdemo" in name else ():
            if line[1] == "i" and question in asked.rpartition("\n")[2]:
                line[2] = new
                break
            asked = asked + line[2] if line[1] == "o" else "" if line[1] == "i" else asked
        return lines

    return change


def typed_ahead(name: str, lines: list[Any]) -> list[Any]:
    """A line that no question stands before, so that it hides from who looks for the menu."""
    if "ckdemo" in name:
        place = next(number for number, line in enumerate(lines) if number and line[1] == "i")
        lines.insert(place + 1, [lines[place][0], "i", "22\r"])
    return lines


def changed(kind: str, act: str | None = None, **what: object) -> Callable[[Lines], Lines]:
    def change(lines: Lines) -> Lines:
        next(line for line in lines if (line["kind"], line.get("act")) == (kind, act)).update(what)
        return lines

    return change


def without(kind: str, act: str) -> Callable[[Lines], Lines]:
    def change(lines: Lines) -> Lines:
        key = next(line["key"] for line in lines if line.get("act") == "wrap")
        return [line for line in lines if (line["kind"], line.get("act"), line.get("key")) != (kind, act, key)]

    return change


def never_came(lines: Lines) -> Lines:
    """A key is called verified that never left."""
    key = next(line["key"] for line in lines if line.get("act") == "wrap")
    return [line for line in lines if line.get("key") != key or line["kind"] in ("described", "key")]


def without_order(lines: Lines) -> Lines:
    """A migration that says that it is a single action, in which anything documented may be typed."""
    return changed("begin", order={})(lines)


def of_another_plan(lines: Lines) -> Lines:
    place = next(number for number, line in enumerate(lines) if line["kind"] == "planned")
    approval = {"at": lines[0]["at"], "kind": "approval", "plan": "0" * 64, "signature": "0" * 64}
    return [*lines[:place], approval, *lines[place:]]


def never_extractable(lines: Lines) -> Lines:
    for line in lines:
        if line["kind"] == "described":
            line["extractable"] = False
    return lines


def extractable_by_a_word(lines: Lines) -> Lines:
    for line in lines:
        if line["kind"] == "described":
            line["extractable"] = "no"
    return lines


def extractable_no_longer(lines: Lines) -> Lines:
    """It was described twice: what was said last counts."""
    again = [line | {"extractable": False} for line in lines if line["kind"] == "described"]
    place = next(number for number, line in enumerate(lines) if line["kind"] == "planned")
    return [*lines[:place], *again, *lines[place:]]


def overlapping(lines: Lines) -> Lines:
    """Every key is wrapped before the first is moved, and none in the order of the wraps: each keeps its own order."""
    crossing = [place for place, line in enumerate(lines) if isinstance(line.get("key"), int) and _stage(line)]
    ordered = sorted((lines[place] for place in crossing), key=lambda line: (_stage(line), -line["key"]))
    changed = list(lines)
    for place, line in zip(crossing, ordered, strict=True):
        changed[place] = line
    return changed


def _stage(line: dict[str, Any]) -> int:
    of_a_key = {"intent": 2, "done": 2, "key": 3}
    return 1 if line.get("act") == "wrap" else of_a_key.get(line["kind"], 0)


def without_comparison(lines: Lines) -> Lines:
    return [line for line in lines if line.get("act") != "compare"]


def wrapped_anew(lines: Lines) -> Lines:
    """The file that was moved is an older one."""
    place = next(number for number, line in enumerate(lines) if line.get("act") == "unwrap")
    wrap = next(line for line in lines if (line["kind"], line.get("act")) == ("done", "wrap"))
    return [*lines[:place], wrap | {"sha256": "0" * 64}, *lines[place:]]


def no_coverage_of_the_pair(lines: Lines) -> Lines:
    return [line for line in lines if line.get("act") != "cover"]


def covered_before(lines: Lines) -> Lines:
    """A line that stands before the one that is true."""
    place = next(number for number, line in enumerate(lines) if line.get("act") == "cover")
    return [*lines[:place], lines[place] | {"private": [7]}, *lines[place:]]
