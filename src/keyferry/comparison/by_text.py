"""Two runs of one plan side by side: a rehearsal against reality, or one run against its repetition."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import TYPE_CHECKING

from keyferry.comparison.values import Pairing, choices, marked_line, marked_output
from keyferry.recording.turns import turns
from keyferry.report.build import build
from keyferry.report.load import load, table, tables, text
from keyferry.report.model import DESTINATION, SOURCE
from keyferry.report.timeline import SOURCE_TOOLS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from keyferry.recording.turns import Turn
    from keyferry.report.load import RunFiles
    from keyferry.report.model import ReportedKey


@dataclass(frozen=True, slots=True)
class Said:
    """A turn with where it stands, and the menus that the tool had shown until then."""

    turn: Turn
    tool: str
    place: str
    menu: dict[str, str]

    @property
    def side(self) -> str:
        return SOURCE if self.tool in SOURCE_TOOLS else DESTINATION

    @property
    def group(self) -> tuple[str, str, str]:
        """Turns are compared within one tool, step and key: keys may have crossed in another order."""
        return self.tool, self.turn.step, self.turn.key or ""


@dataclass(frozen=True, slots=True)
class ComparisonRow:
    """One line of the comparison: what stands on both sides (None: nothing), and how it differs ("": not)."""

    step: str
    ours: str | None
    theirs: str | None
    differs: str = ""
    where: tuple[str, str] = ("", "")


def compare(ours: Path, theirs: Path) -> Iterator[ComparisonRow]:
    """Plan and outcome of each key, then each line that was typed with its answer. UsageError for what is no run."""
    left, right = load(ours), load(theirs)
    yield from _keys(build(left).keys, build(right).keys)
    pairing = Pairing(_names(left) | _names(right))
    groups, others = _groups(left), _groups(right)
    for group in dict.fromkeys([*groups, *others]):
        yield from _conversation(groups.get(group, []), others.get(group, []), pairing)


def keys(ours: Path, theirs: Path) -> Iterator[ComparisonRow]:
    """Plan and outcome of each key alone. UsageError for what is no run."""
    yield from _keys(build(load(ours)).keys, build(load(theirs)).keys)


def _names(run: RunFiles) -> frozenset[str]:
    """The labels and ids that the plan says, which must be the same; ids that a run gave are its own."""
    keys = list(tables(run.plan, "keys"))
    told = [text(key, name) for key in keys for name in ("label", "new_label")]
    ids = [text(key, "id") for key in keys if key.get("id_given") is not True]
    return frozenset(name for name in (*told, *ids, text(table(run.plan, "settings"), "wrapping.label")) if name)


def _keys(ours: Sequence[ReportedKey], theirs: Sequence[ReportedKey]) -> Iterator[ComparisonRow]:
    left, right = _by_name(ours), _by_name(theirs)
    for name in dict.fromkeys([*left, *right]):
        one, other = left.get(name), right.get(name)
        if one is None or other is None:
            different = ["only one of the plans has this key"]
        else:
            facts, there = _facts(one), _facts(other)
            different = [field for field, value in facts.items() if there[field] != value]
        yield ComparisonRow("key", _told(one) if one else None, _told(other) if other else None, ", ".join(different))


def _by_name(keys: Sequence[ReportedKey]) -> dict[tuple[str, str, int], ReportedKey]:
    """By label and type; of those that share both, the first is compared with the first."""
    count: Counter[tuple[str, str]] = Counter()
    found: dict[tuple[str, str, int], ReportedKey] = {}
    for key in keys:
        name = key.label, key.type
        found[(*name, count[name])] = key
        count[name] += 1
    return found


def _facts(key: ReportedKey) -> dict[str, object]:
    return {
        "bits": key.bits,
        "new label": key.new_label,
        "id": None if key.id_given else key.id,
        "outcome": (key.state, key.rule),
        "proof": key.proof,
        "check value": key.kcv is None,
        "attributes": key.attributes,
    }


def _told(key: ReportedKey) -> str:
    end = " ".join(filter(None, (key.state, key.proof and f"by {key.proof}", key.rule)))
    size = "" if key.bits is None else f" {key.bits}"
    return f"{key.label or '(no label)'}: {key.type}{size}, {end}"


def _groups(run: RunFiles) -> dict[tuple[str, str, str], list[Said]]:
    found: dict[tuple[str, str, str], list[Said]] = {}
    for cast in run.casts:
        tool, menu = str(cast.recording.header.get("tool", "")), dict[str, str]()
        before = ""
        for turn in turns(cast.recording):
            menu = menu | choices(before)
            said = Said(turn, tool, f"{cast.name}:{turn.first}", menu)
            if (tool, turn.step, turn.typed.strip()) != _AFTER_A_BATCH:
                found.setdefault(said.group, []).append(said)
            before = turn.answer
    return found


_AFTER_A_BATCH = ("cloudhsm-cli", "7.2", "cluster hsm-info")
"""A query whose number depends on how many wrapped keys were ready at a time."""
_CUT = re.compile(r"\[cut: [A-Z-]+ [\d-]+\]")
_ONE_SIDE = "only one side typed this"


def _conversation(ours: Sequence[Said], theirs: Sequence[Said], pairing: Pairing) -> Iterator[ComparisonRow]:
    for one, other in _aligned(ours, theirs):
        if one and other:
            yield from _both(one, other, pairing)
        elif one:
            yield ComparisonRow(one.turn.step, one.turn.typed, None, _ONE_SIDE, (one.place, ""))
        elif other:
            yield ComparisonRow(other.turn.step, None, other.turn.typed, _ONE_SIDE, ("", other.place))


def _both(one: Said, other: Said, pairing: Pairing) -> Iterator[ComparisonRow]:
    """What both typed and, where only the answers differ, their lines that do."""
    typed = _same_typed(one, other, pairing)
    answered = pairing.same(marked_output(_answer(one)), marked_output(_answer(other)), one.side)
    differs = "typed" if not typed else "" if answered else "answered"
    yield ComparisonRow(one.turn.step, one.turn.typed, other.turn.typed, differs, (one.place, other.place))
    if differs == "answered":
        yield from (
            ComparisonRow("", *lines) for lines in zip_longest(_lines(one), _lines(other)) if lines[0] != lines[1]
        )


def _lines(said: Said) -> list[str]:
    return [line for row in _answer(said).split("\n") if (line := " ".join(row.split()))]


def _answer(said: Said) -> str:
    """What the tool said less the echo of what was typed. What was cut comes last, as it has no exact place."""
    cuts = _CUT.findall(said.turn.answer)
    return _CUT.sub("", said.turn.answer).replace("\0", "").removeprefix(said.turn.typed) + "\n".join(cuts)


def _same_typed(one: Said, other: Said, pairing: Pairing) -> bool:
    """The same but for values; of two numbers of a menu, those that choose the same by name."""
    ours, theirs = one.turn, other.turn
    if pairing.same(marked_line(ours.typed, ours.question), marked_line(theirs.typed, theirs.question), one.side):
        return True
    meant = one.menu.get(ours.typed)
    return meant is not None and meant == other.menu.get(theirs.typed)


def _aligned(ours: Sequence[Said], theirs: Sequence[Said]) -> Iterator[tuple[Said | None, Said | None]]:
    """Turns that stand side by side: by their shape, where one side typed more or other things."""
    left, right = ([_shape(said) for said in side] for side in (ours, theirs))
    if left == right:
        yield from zip(ours, theirs, strict=True)
        return
    for _tag, start, end, first, last in SequenceMatcher(None, left, right).get_opcodes():
        yield from zip_longest(ours[start:end], theirs[first:last])


def _shape(said: Said) -> str:
    """What was typed without its values: the verb and its options."""
    turn = said.turn
    marked = marked_line(turn.typed, turn.question)
    if turn.typed.isdecimal() and not marked.spans:
        return said.menu.get(turn.typed, turn.typed)
    place, out = 0, ""
    for start, end in marked.spans:
        out, place = out + marked.text[place:start] + "#", end
    return out + marked.text[place:]
