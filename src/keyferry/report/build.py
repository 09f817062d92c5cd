"""A report, made of the files of a run and of nothing else."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from keyferry.recording.banner import banner
from keyferry.recording.wordlist import spoken
from keyferry.report import caveats
from keyferry.report.incidents import exceptions
from keyferry.report.keys import keys_of
from keyferry.report.load import flag, number, pairs, table, tables, text, words
from keyferry.report.model import Report, ReportedSession, ReportedTool, ReportedWrappingKey
from keyferry.report.timeline import acts as acts_of
from keyferry.report.timeline import name_of, steps

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from keyferry.report.load import Cast, JournalLine, RunFiles, Table
    from keyferry.report.model import ReportedKey

COMPLETE, FAILED = "complete", "ended early by an error"
CUT_OFF, LOOKED = "cut off: it was killed, or goes on", "looked only: nothing was changed"
STATES = ("verified", "skipped", "failed", "needs_operator", "planned")


def build(run: RunFiles) -> Report:
    begin = _last(run, "begin")
    plan_keys = list(tables(run.plan, "keys"))
    names = {handle: _name(key, handle) for key in plan_keys if (handle := number(key, "source_handle")) is not None}
    acts = acts_of(run, names)
    keys = tuple(keys_of(run, acts))
    walked = tuple(steps(acts))
    pair = _wrapping_key(run)
    ending, head = _ending(run), text(run.manifest or {}, "head")
    return Report(
        run_id=text(run.info, "run_id") or text(begin, "run_id") or "?",
        keyferry=text(run.info, "keyferry") or text(begin, "keyferry") or "?",
        rehearsal=_is_rehearsal(run),
        complete=ending == COMPLETE,
        ending=ending,
        started=text(run.info, "started") or text(begin, "at") or "?",
        ended=text(run.journal[-1].data, "at") if run.journal else None,
        head=head or run.head or None,
        sealed=head is not None,
        words=tuple(spoken(head)) if head and re.fullmatch("[0-9a-f]{64}", head) else (),
        operator=pairs(table(run.info, "operator")),
        settings=pairs(table(run.info, "settings")),
        decisions=tuple(_decisions(run)),
        source=_identity(run, "source"),
        destination=_identity(run, "destination"),
        hosts=tuple((side, pairs(facts)) for side, facts in _hosts(run).items()),
        logins=tuple(_logins(run)),
        tools=tuple(_tools(run.casts)),
        sessions=tuple(map(_session, run.casts)),
        steps=walked,
        wrapping_key=pair,
        keys=keys,
        totals=tuple(_totals(keys)),
        additions=tuple(caveats.additions(acts, keys, walked, text(dict(_identity(run, "destination")), "tool"))),
        exceptions=tuple(exceptions(run, keys)),
        not_applicable=pairs(table(_last(run, "endpoints"), "not_applicable")),
        not_proven=tuple(caveats.not_proven(keys, pair, complete=ending == COMPLETE)),
    )


def _is_rehearsal(run: RunFiles) -> bool:
    headers = (cast.recording.header for cast in run.casts)
    return any(flag(header, "emulated") for header in headers) or bool(flag(_last(run, "begin"), "rehearsal"))


def _ending(run: RunFiles) -> str:
    if run.torn or run.manifest is None:
        return CUT_OFF
    if _last(run, "end"):
        return COMPLETE
    return FAILED if _last(run, "error") else LOOKED


def _name(key: Table, handle: int) -> str:
    return name_of(text(table(key, "source"), "label") or text(key, "label") or "", handle)


def _last(run: RunFiles, kind: str, act: str | None = None) -> Table:
    """The last journal entry of a kind, {} where there is none."""
    return next((entry.data for entry in reversed(run.journal) if _is(entry, kind, act)), {})


def _is(entry: JournalLine, kind: str, act: str | None) -> bool:
    return text(entry.data, "kind") == kind and (act is None or text(entry.data, "act") == act)


def _identity(run: RunFiles, side: str) -> tuple[tuple[str, str], ...]:
    return pairs(table(_last(run, "endpoints"), side)) or pairs(table(run.plan, side))


def _hosts(run: RunFiles) -> dict[str, Table]:
    entries = (entry.data for entry in run.journal if text(entry.data, "kind") == "host")
    return {text(entry, "side") or "?": table(entry, "facts") for entry in entries}


def _logins(run: RunFiles) -> Iterator[tuple[str, str]]:
    """LOGIN-ONCE: how often each secret was typed, and what came of it."""
    count: dict[str, Counter[str]] = {}
    for entry in run.journal:
        if text(entry.data, "kind") == "login":
            count.setdefault(text(entry.data, "secret") or "?", Counter())[text(entry.data, "outcome") or "?"] += 1
    for secret, outcomes in count.items():
        yield secret, ", ".join(f"{outcome} {times}x" for outcome, times in outcomes.items())


def _decisions(run: RunFiles) -> Iterator[tuple[str, str]]:
    """What the operator chose: which keys, and the options that are not as usual."""
    selection = table(run.plan, "selection")
    if selection:
        yield "keys", ", ".join(words(selection, "keys")) or "--all"
    for name, value in selection.items():
        if value is True:
            yield f"--{name.replace('_', '-')}", "given"
    if flag(table(run.info, "settings"), "run.allow_raised_counter"):
        yield "run.allow_raised_counter", "given: a raised failure counter did not stop the login"


def _tools(casts: Sequence[Cast]) -> Iterator[ReportedTool]:
    found: dict[tuple[str, ...], list[Cast]] = {}
    for cast in casts:
        header = cast.recording.header
        found.setdefault(tuple(text(header, name) or "?" for name in ("tool", "host", "path", "sha256")), []).append(
            cast
        )
    for (name, host, path, digest), its in found.items():
        yield ReportedTool(name, host, path, digest, next(filter(None, map(_banner, its)), None), len(its))


def _banner(cast: Cast) -> str | None:
    events = cast.recording.events
    first = next((number for number, event in enumerate(events) if event.code in {"i", "s"}), len(events))
    return banner("".join(event.data for event in events[:first] if event.code == "o"))


def _session(cast: Cast) -> ReportedSession:
    header, events = cast.recording.header, cast.recording.events
    return ReportedSession(
        file=cast.name,
        tool=text(header, "tool") or "?",
        host=text(header, "host") or "?",
        user=text(header, "user") or "?",
        started=text(header, "started") or "?",
        lines=1 + len(events),
        exit=next((event.data for event in reversed(events) if event.code == "x"), None),
        sha256=cast.sha256,
    )


def _wrapping_key(run: RunFiles) -> ReportedWrappingKey | None:
    wish, made = _last(run, "intent", "generate"), _last(run, "done", "generate")
    if not wish:
        return None
    exported, compared = _last(run, "done", "export"), _last(run, "done", "compare")
    places = {**table(exported, "places"), **table(compared, "places")}
    places.pop("the pair", None)  # which is the three others
    moved = next((entry.data for entry in run.journal if _is(entry, "done", "move") and "key" in entry.data), {})
    return ReportedWrappingKey(
        label=text(wish, "label") or "",
        bits=number(wish, "bits"),
        extractable=flag(wish, "extractable"),
        public_handle=number(made, "public"),
        private_handle=number(made, "private"),
        source_handle=number(_last(run, "done", "import"), "handle"),
        sha256=text(exported, "sha256"),
        places=tuple((place, str(digest)) for place, digest in places.items()),
        file_sha256=text(moved, "sha256") if isinstance(moved.get("key"), str) else None,
    )


def _totals(keys: Sequence[ReportedKey]) -> Iterator[tuple[str, int]]:
    """TOTALS-BALANCE: `planned` is the sum of the others; `open` are those that the record leaves without an end."""
    count = Counter(key.state for key in keys)
    yield "planned", len(keys)
    yield from ((state, count[state]) for state in STATES[:-1])
    if unended := len(keys) - sum(count[state] for state in STATES[:-1]):
        yield "open", unended
