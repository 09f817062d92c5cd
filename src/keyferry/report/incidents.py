"""What in a run was out of the ordinary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyferry.recording.damage import JOURNAL
from keyferry.report.caveats import named
from keyferry.report.load import number, table, text
from keyferry.report.model import Exceptional, Place

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from keyferry.report.load import Cast, JournalLine, RunFiles
    from keyferry.report.model import ReportedKey

_WRONG = ("failed", "needs_operator")


def exceptions(run: RunFiles, keys: Sequence[ReportedKey]) -> Iterator[Exceptional]:
    """Errors and what a person must look at first, then what only is as it is."""
    for entry in run.journal:
        if text(entry.data, "kind") == "error":
            yield _told("error", entry, text(entry.data, "what"))
    yield from _resumed(run)
    for key in keys:
        if key.state in _WRONG:
            yield Exceptional(
                key.state.replace("_", " "),
                f"key {key.source_handle}, {key.label!r}: {key.rule}: {key.detail}",
                place=key.places[-1] if key.places else None,
                seen=key.seen,
            )
    if run.torn:
        place = Place(JOURNAL, len(run.journal) + 1, len(run.journal) + 1)
        yield Exceptional(
            "torn", "the journal's last line is half a one: the run was killed while it wrote", place=place
        )
    for cast in run.casts:
        yield from _session(cast)
    skipped: dict[str, list[ReportedKey]] = {}
    for key in keys:
        if key.state == "skipped":
            skipped.setdefault(key.rule or "?", []).append(key)
    for rule, those in skipped.items():
        why = those[0].detail if len(those) == 1 else "each key's own reason stands with it"
        yield Exceptional("skipped", f"{rule}: {named(those)} were not migrated: {why}")
    for entry in run.journal:
        if text(entry.data, "kind") == "notice":
            yield _told("notice", entry, text(entry.data, "text"))


def _resumed(run: RunFiles) -> Iterator[Exceptional]:
    """That the run went on after it was cut off or had failed, and what was asked of the two sides then."""
    for entry in run.journal:
        if text(entry.data, "kind") == "resumed":
            who = table(entry.data, "operator")
            yield _told("resumed", entry, f"the run went on, by {text(who, 'user')} on {text(who, 'host')}")
        if text(entry.data, "kind") == "type again":
            past = f"{text(entry.data, 'outcome')} with {text(entry.data, 'tool')} at {text(entry.data, 'since')}"
            why = text(entry.data, "reason") or "no reason was given"
            yield _told("type again", entry, f"the {text(entry.data, 'secret')} was typed again ({past}): {why}")
        if text(entry.data, "kind") == "question":
            of = "" if (key := number(entry.data, "key")) is None else f" of key {key}"
            found = entry.data.get("found")
            yield _told("question", entry, f"what came of the {text(entry.data, 'act')}{of} was asked; found: {found}")


def _told(kind: str, entry: JournalLine, what: str | None) -> Exceptional:
    where = ", ".join(f"{name} {value}" for name in ("step", "rule") if (value := text(entry.data, name)))
    place = Place(JOURNAL, entry.line, entry.line)
    told = f"{what} ({where})" if where else str(what)
    return Exceptional(kind, told, text(entry.data, "at"), place, text(entry.data, "seen"))


def _session(cast: Cast) -> Iterator[Exceptional]:
    events = cast.recording.events
    status = next((event for event in reversed(events) if event.code == "x"), None)
    line = status.line if status else events[-1].line if events else 1
    place = Place(cast.name, line, line)
    if status is None:
        yield Exceptional("session", "the recording ends before the tool did", place=place)
    elif status.data != "0":
        yield Exceptional("session", f"the tool ended with status {status.data}", place=place)
