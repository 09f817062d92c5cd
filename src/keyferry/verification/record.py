"""A run's record held against itself, and against a head from outside (recording/FORMAT.md)."""

from __future__ import annotations

import hashlib
import itertools
import re
from typing import TYPE_CHECKING, Any

from keyferry.errors import UnknownScreenError, UsageError
from keyferry.planning import plan as planfile
from keyferry.recording import chain
from keyferry.recording.banner import plain
from keyferry.recording.chain_reader import CheckedSession, too_many, whole_lines, wrong
from keyferry.run import kept, manifest, rehearsal, signing, versions
from keyferry.text import counted, from_json
from keyferry.verification.claims import Claims
from keyferry.verification.contradictions import Contradictions
from keyferry.verification.evidence import Evidence
from keyferry.verification.journal_rules import JournalRules
from keyferry.verification.result import VerificationResult
from keyferry.verification.run_contradictions import RunContradictions
from keyferry.verification.session_rules import SessionRules, one_line, public_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from keyferry.recording.reader import Event
    from keyferry.verification.evidence import EvidenceReader

FOLDERS = frozenset({"sessions", "files", manifest.SIGNATURES, manifest.MANIFESTS})
_WRAPPED = re.compile(r"files/(\d+)\.wrapped")


def verify(folder: Path, head: str | None = None) -> VerificationResult:
    """Chain, order, counts, anchors, hashes, totals and meaning. MismatchError names the first wrong line.

    head: the run's head as it was noted elsewhere, now or earlier. UsageError where the folder holds no run.
    """
    if not folder.is_dir() or not any(folder.iterdir()):
        raise UsageError(f"{folder} holds no run", hint="name the run's directory")
    versions.require_current_format(folder)
    try:
        return _Verification(folder).verify(head)
    except OSError as error:
        raise UsageError(f"{error.filename or folder} cannot be read: {error.strerror}") from error
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        raise wrong(str(folder), None, "a line or file does not say what a run writes there") from error


class _Verification:
    """One pass over a folder, in an order in which the first thing that is wrong is the first that is told."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._there = set(_plain_files(folder))
        self._manifest = kept.read(folder, manifest.MANIFEST) if manifest.MANIFEST in self._there else None
        self._earlier = kept.EarlierStates(folder, self._there)
        self._story = manifest.ManifestBuilder()
        self._journaled = JournalRules()
        self._claims, self._evidence = Claims(), Evidence()
        self._journal_head = hashlib.sha256(chain.JOURNAL.encode()).hexdigest()
        self._before: dict[str, str] = {}
        self._verdict = VerificationResult()

    def verify(self, head: str | None) -> VerificationResult:
        self._read_journal()
        self._check_key()
        self._read_sessions()
        self._check_named()
        if self._manifest is None:
            self._check_incomplete()
        else:
            self._check_files(self._manifest)
            self._check_manifest(self._manifest)
        complete = self._manifest is not None
        self._verdict.earlier = self._earlier.check(self._there, self._story, complete=complete)
        self._verdict.totals = self._story.totals
        self._verdict.sessions = len(self._story.sessions)
        self._check_signatures()
        if head is not None and head not in self._verdict.heads:
            raise wrong(manifest.MANIFEST, None, f"the run's head is {self._verdict.head}, not the one given")
        return self._verdict

    def _check_signatures(self) -> None:
        """Their files' own hashes; what they are signatures of, `signing.valid` says."""
        names = sorted(name for name in self._there if name.startswith(f"{manifest.SIGNATURES}/"))
        for name in names:
            signing.check_name(self._folder, name)
        if names and self._manifest is None and not self._verdict.earlier:
            raise wrong(manifest.MANIFEST, None, "is missing, although the run was signed")
        self._verdict.signatures = names

    def _read_journal(self) -> None:
        name, verdict = manifest.JOURNAL, self._verdict
        if name not in self._there:
            raise wrong(name, None, "is missing")
        torn = CheckedSession(self._folder, name)
        for line in whole_lines(self._folder / name, torn):
            verdict.lines += 1
            self._take(line, verdict.lines)
            self._journal_head = hashlib.sha256(line + b"\n").hexdigest()
            self._reached()
        wanted = self._manifest and self._manifest["journal"]
        if wanted not in (None, {"count": verdict.lines, "head": self._journal_head}):
            raise wrong(name, verdict.lines, "not the last line that was written")
        if torn.torn and wanted:
            raise wrong(name, verdict.lines + 1, "something stands behind the last line")

    def _reached(self) -> None:
        """The journal has ended here before, if a manifest of that time says so."""
        journal = {"count": self._verdict.lines, "head": self._journal_head}
        try:
            self._earlier.at(self._story, journal, self._verdict.run_id)
        except (OSError, ValueError, LookupError, TypeError):
            raise wrong(manifest.MANIFESTS, None, "a session that a kept manifest lists cannot be read") from None

    def _take(self, line: bytes, number: int) -> None:
        try:
            entry = from_json(line)
            if chain.journal_line(entry) != line + b"\n" or entry["seq"] != number:
                raise wrong(manifest.JOURNAL, number, "not the line that was written here")
            if entry["prev"] != self._journal_head:
                raise wrong(manifest.JOURNAL, max(1, number - 1), "not what was written here, by the line after it")
            if entry["kind"] == "opened":
                self._before[entry["file"]] = entry["prev"]
            self._story.take(entry)
            why = self._journaled.take(entry, self._story) or self._claims.take(entry, number)
            why = why or self._earlier.take(entry)
        except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
            raise wrong(manifest.JOURNAL, number, "not as a line is written") from None
        if why:
            raise wrong(manifest.JOURNAL, number, why)
        self._verdict.run_id = entry.get("run_id", self._verdict.run_id)
        self._verdict.rehearsal |= rehearsal.begun_as(entry)
        self._verdict.ended = entry["kind"] == "end" or (self._verdict.ended and entry["kind"] != "resumed")

    def _check_key(self) -> None:
        name = f"files/{manifest.PEM}"
        known = self._journaled.key is not None and name in self._there
        self._witness = SessionRules(
            self._journaled,
            public_key(self._folder / name, name, self._journaled) if known else None,
            self._evidence,
        )

    def _read_sessions(self) -> None:
        for name, anchored in self._story.sessions.items():
            if name not in self._there:
                raise wrong(name, None, "is missing")
            session = CheckedSession(self._folder, name)
            try:
                self._read_session(session, anchored["header"])
            except UnknownScreenError as error:
                raise session.wrong(error.what) from error
            except (LookupError, TypeError, AttributeError):
                raise session.wrong("not as a session is written") from None
            self._check_end(session, anchored)

    def _read_session(self, session: CheckedSession, header: str) -> None:
        events = session.events()
        first = next(events, None)  # now the header is known
        if session.first != header or session.header["run_id"] != self._verdict.run_id:
            raise session.wrong("not the session that the journal says was opened", 1)
        if session.header["continues"] != self._before[session.name]:
            raise session.wrong("it does not continue what the journal says went before it", 1)
        self._verdict.rehearsal |= rehearsal.emulated(session.header)
        words, greeting, typed = self._witness.words(session), list[str](), False
        reader = self._evidence.reader(session.header["tool"]) if self._journaled.migration else None
        for event in itertools.chain([first], events) if first else ():
            typed = typed or event.code in {"i", "s"}
            if event.code == "o" and not typed:
                greeting.append(event.data)
            if event.code == "i" and not one_line(event.data):
                raise session.wrong("more than one line was typed", event.line)
            words.hear(event)
            self._evidence.heard(event)
            if reader:
                _read(reader, session, event)
        words.end()
        if reader:
            reader.end()
        if self._journaled.banners.get(session.name, "") not in plain("".join(greeting)):
            raise session.wrong("the tool does not say the version that the journal has of it")

    def _check_end(self, session: CheckedSession, anchored: dict[str, Any]) -> None:
        self._verdict.events += session.count
        if anchored["end"] == "torn":
            self._check_torn(session, anchored)
        elif anchored["end"] is None and not session.complete:
            self._verdict.open.append(f"{session.name} was not completed; it is intact up to event {session.count}")
            if session.loose:
                self._verdict.notes.append(
                    f"{session.name}: behind the last chain record: {counted(session.loose, 'event')}"
                )
        elif session.torn or not session.complete:
            raise session.wrong(f"cut: there is no closing record behind event {session.count}")
        elif anchored["end"] and (anchored["head"], anchored["count"]) != (session.head, session.count):
            raise session.wrong("not the end that the journal says this session had")

    def _check_torn(self, session: CheckedSession, anchored: dict[str, Any]) -> None:
        """A process died in this session; how much of it there was, the journal says since the run went on."""
        if (anchored["head"], anchored["count"]) != (session.head, session.count + session.complete):
            raise session.wrong("not what was left of this session when the run went on")
        self._verdict.notes.append(f"{session.name} was cut by a crash; it is intact up to event {session.count}")

    def _check_files(self, told: dict[str, Any]) -> None:
        for name, measured in told["files"].items():
            if name not in self._there:
                raise wrong(name, None, "is missing")
            if manifest.measured(self._folder / name) != measured:
                raise wrong(name, None, "not the file that was there when the run ended")
        extra = {name for name in self._there - told["files"].keys() if not _comes_after(name)}
        if extra:
            raise too_many(self._folder, min(extra, key=lambda name: (name.endswith(".part"), name)))

    def _check_manifest(self, told: dict[str, Any]) -> None:
        journal = {"count": self._verdict.lines, "head": self._journal_head}
        ours = manifest.compose(self._folder, told["run_id"], told["keyferry"], self._story, journal, told["files"])
        for name in sorted(ours.keys() | told.keys()):
            if name not in told or name not in ours or ours[name] != told[name]:
                raise wrong(manifest.MANIFEST, 1, f"its {name!r} is not what the journal and the sessions come to")
        if told["run_id"] != self._verdict.run_id:
            raise wrong(manifest.MANIFEST, 1, "of another run than the journal")
        self._verdict.head = told["head"]

    def _check_named(self) -> None:
        """Each file whose hash the journal has is the one that lies here: what was moved by both hosts' hashes."""
        for name, hashes in self._named().items():
            removed = self._story.removed.get(name.removeprefix("files/"))
            if name not in self._there and not removed:
                raise wrong(name, None, "is missing")
            found = manifest.measured(self._folder / name)["sha256"] if name in self._there else removed
            if hashes != {found}:
                raise wrong(name, None, "not the file that the journal names")
        if self._story.plan:
            self._check_plan(from_json((self._folder / manifest.PLAN).read_bytes(), _verdict_alone))
            self._check_claims()

    def _check_plan(self, plan: dict[str, Any]) -> None:
        """No key was wrapped that the plan, which somebody may have approved, has stay."""
        stays = self._journaled.leaving - {handle for handle, state in plan["keys"] if state == "planned"}
        if stays:
            raise wrong(manifest.PLAN, 1, f"key {min(stays)} was wrapped, and the plan does not migrate it")

    def _check_claims(self) -> None:
        try:  # the journal says of each key what the recordings show
            plan = planfile.read(self._folder / manifest.PLAN)
        except UsageError as error:
            raise wrong(manifest.PLAN, 1, error.what) from None
        stable, whole = self._journaled.stable, bool(self._manifest)
        about = RunContradictions(self._claims, self._evidence, plan, self._witness.der, stable=stable)
        found = Contradictions(self._claims, self._evidence, plan, stable=stable, whole=whole)
        try:
            wrongs = [*((0, why) for why in about.all(self._folder / manifest.INFO)), *found.all()]
        except (ValueError, LookupError, TypeError, AttributeError):
            raise wrong(manifest.JOURNAL, None, "a line has a value of another kind than it must have") from None
        if wrongs:
            raise wrong(manifest.JOURNAL, wrongs[0][0] or None, wrongs[0][1])

    def _named(self) -> dict[str, set[str]]:
        story = self._story
        signature = self._journaled.approved and self._journaled.approved[1]
        once = {manifest.INFO: story.info, manifest.PLAN: story.plan, manifest.APPROVAL: signature}
        moved = {f"files/{file}": set(hashes.values()) for file, hashes in story.moved.items()}
        return {name: {digest} for name, digest in once.items() if digest} | moved

    def _check_incomplete(self) -> None:
        """A run that was ended from outside: all that is anchored must hold, and what is not is told."""
        journal = self._folder / manifest.JOURNAL
        closed = all(one["end"] for one in self._story.sessions.values())
        if closed and not journal.stat().st_mode & 0o222:
            raise wrong(manifest.MANIFEST, None, "is missing, although the run was completed")
        self._verdict.open.insert(0, f"there is no {manifest.MANIFEST}")
        anchored = {manifest.JOURNAL, *self._story.sessions, *self._named()}
        anchored |= {one.name for one in self._earlier.states}
        loose = sorted(self._there - anchored)
        for name in loose:
            self._check_loose(name)
        self._verdict.notes.append(f"covered by nothing: {', '.join(['the end of the journal', *loose])}")

    def _check_loose(self, name: str) -> None:
        """What a killed run has besides what its journal names, the journal had no time to name."""
        wrapped = _WRAPPED.fullmatch(name)
        if wrapped and int(wrapped[1]) not in self._journaled.leaving:
            raise wrong(name, None, "the journal has no intent of this wrap: its end was cut off")
        if name.startswith("sessions/") and len(list(itertools.islice(whole_lines(self._folder / name), 2))) > 1:
            raise wrong(name, 2, "the journal does not name this session: its end was cut off")


def _read(reader: EvidenceReader, session: CheckedSession, event: Event) -> None:
    try:
        reader.hear(event)
    except (ValueError, RecursionError):
        raise session.wrong("not as a file that was read is recorded", event.line) from None


def _verdict_alone(value: dict[str, Any]) -> object:
    """Of a plan's key its handle and state: there can be thousands, and nothing else of them is kept."""
    return (value["source_handle"], value["state"]) if "source_handle" in value else value


def _plain_files(folder: Path) -> Iterator[str]:
    """Every file by its name from the folder on; MismatchError for what is neither a file nor one of our folders."""
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise wrong(name, None, "is no plain file")
        if path.is_file():
            yield name
        elif name not in FOLDERS:
            raise wrong(name, None, "a folder too many")


def _comes_after(name: str) -> bool:
    return name == manifest.MANIFEST or name.startswith(f"{manifest.SIGNATURES}/")
