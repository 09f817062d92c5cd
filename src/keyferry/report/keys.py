"""Each key from handle to handle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyferry.recording.damage import JOURNAL
from keyferry.report.load import number, plain, table, tables, text, words
from keyferry.report.model import AttributeComparison, Place, ReportedKey
from keyferry.steps import TITLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from keyferry.report.load import JournalLine, RunFiles, Table
    from keyferry.report.model import TimelineEntry

_ORDER = {step: place for place, step in enumerate(TITLES)}  # times are too coarse for it
_OF_A_KEY = ("intent", "done", "key")
_REQUESTED = ("label", "id", "type", "bits", "extractable", "digest", "wrapping_key", "file")


def keys_of(run: RunFiles, acts: Sequence[TimelineEntry]) -> Iterator[ReportedKey]:
    """The keys of the plan with what the journal says of each, its last word where it speaks twice."""
    journal = _by_key(run.journal)
    done: dict[int | None, list[TimelineEntry]] = {}
    for act in acts:
        done.setdefault(act.key, []).append(act)
    for planned in tables(run.plan, "keys"):
        handle = number(planned, "source_handle")
        if handle is not None:
            mine = sorted(done.get(handle, ()), key=lambda act: _ORDER.get(act.step, len(_ORDER)))
            yield _key(handle, planned, journal.get(handle, []), tuple(mine))


def _by_key(journal: Sequence[JournalLine]) -> dict[int, list[JournalLine]]:
    found: dict[int, list[JournalLine]] = {}
    for entry in journal:
        handle = number(entry.data, "key")
        if handle is not None and text(entry.data, "kind") in _OF_A_KEY:
            found.setdefault(handle, []).append(entry)
    return found


def _key(handle: int, planned: Table, entries: Sequence[JournalLine], acts: tuple[TimelineEntry, ...]) -> ReportedKey:
    wrapped, moved = _of(entries, "done", "wrap"), _of(entries, "done", "move")
    wish, unwrapped = _of(entries, "intent", "unwrap"), _of(entries, "done", "unwrap")
    end = _of(entries, "key")
    lists = table(end, "attributes")
    arrived = number(end, "handle")
    return ReportedKey(
        source_handle=handle,
        label=text(planned, "label") or "",
        new_label=text(planned, "new_label"),
        id=text(planned, "id"),
        id_given=planned.get("id_given") is True,
        type=text(planned, "type") or "?",
        bits=number(planned, "bits"),
        state=text(end, "state") or text(planned, "state") or "planned",
        rule=text(end, "rule") or text(planned, "rule"),
        detail=text(end, "detail") or text(planned, "detail") or _unended(planned, end, entries),
        proof=text(end, "proof"),
        kcv=text(end, "kcv") or text(planned, "kcv"),
        kcv_there=text(end, "kcv_there"),
        destination_handle=number(unwrapped, "handle") if arrived is None else arrived,
        nodes=tuple(int(node) for node in words(end, "nodes") if node.isdecimal()),
        coverage=tuple(_coverage(table(end, "coverage"))),
        requested=tuple((name, plain(wish[name])) for name in _REQUESTED if wish.get(name) is not None),
        wrapped_sha256=text(wrapped, "sha256"),
        moved_sha256=text(moved, "sha256"),
        size=number(wrapped, "size"),
        attributes=AttributeComparison(*(words(lists, name) for name in ("equal", "cannot_be_set", "history_lost"))),
        seen=text(end, "seen"),
        places=tuple(Place(JOURNAL, entry.line, entry.line) for entry in entries),
        acts=acts,
    )


def _coverage(printed: Table) -> Iterator[tuple[str, str]]:
    for name in printed:
        yield name, ", ".join(words(printed, name))


def _of(entries: Sequence[JournalLine], kind: str, act: str | None = None) -> Table:
    found = (e.data for e in reversed(entries) if text(e.data, "kind") == kind and text(e.data, "act") == act)
    return next(found, {})


def _unended(planned: Table, end: Table, entries: Sequence[JournalLine]) -> str | None:
    """How far a key came of which the journal has no end."""
    if end or text(planned, "state") != "planned":
        return None
    if not entries:
        return "nothing was done with it"
    last = entries[-1].data
    return f"the record ends after: {text(last, 'kind')} {text(last, 'act')}"
