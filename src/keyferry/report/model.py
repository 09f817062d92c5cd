"""What a report tells of a run: plain data, made of the record alone (`build`), shown as HTML, Markdown or JSON."""

from __future__ import annotations

from dataclasses import dataclass

SCHEMA = "keyferry.report/2"
SOURCE, DESTINATION, BOTH = "source", "destination", "both"
"""The sides: on whose host something was done."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in the record: a file of the run and its first and last line."""

    file: str
    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.file}:{self.first}" + (f"-{self.last}" if self.last > self.first else "")


@dataclass(frozen=True, slots=True)
class Command:
    """What was typed, and the question that it answered ("" at a tool's usual prompt)."""

    question: str
    typed: str


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """What was typed in a row in one session for one step (and one key).

    key: the Classic handle, where the step was for one key. at: RFC 3339 UTC. seconds: until the last answer.
    """

    step: str
    key: int | None
    side: str
    tool: str
    at: str
    seconds: float
    commands: tuple[Command, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Step:
    """A documented step. first, last: RFC 3339 UTC, None where nothing was done; busy: seconds in all its acts."""

    number: str
    title: str
    side: str
    first: str | None
    last: str | None
    busy: float
    keys: int
    acts: tuple[TimelineEntry, ...]


@dataclass(frozen=True, slots=True)
class ReportedTool:
    """One of the programs that were driven. banner: the line in which it told its version, None where it told none."""

    name: str
    host: str
    path: str
    sha256: str
    banner: str | None
    sessions: int


@dataclass(frozen=True, slots=True)
class ReportedSession:
    """One recording. exit: the tool's status, None where its record ends before."""

    file: str
    tool: str
    host: str
    user: str
    started: str
    lines: int
    exit: str | None
    sha256: str


@dataclass(frozen=True, slots=True)
class ReportedWrappingKey:
    """The wrapping pair. places: the fingerprint (SHA-256 of the DER SubjectPublicKeyInfo) wherever it was read."""

    label: str
    bits: int | None
    extractable: bool | None
    public_handle: int | None
    private_handle: int | None
    source_handle: int | None
    sha256: str | None
    places: tuple[tuple[str, str], ...]
    file_sha256: str | None


@dataclass(frozen=True, slots=True)
class AttributeComparison:
    """The lists of ATTRIBUTES-MATCH."""

    equal: tuple[str, ...] = ()
    cannot_be_set: tuple[str, ...] = ()
    history_lost: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReportedKey:
    """One key from handle to handle.

    wrapped_sha256: of the wrapped file on the source client; moved_sha256: on the destination client.
    nodes, coverage: the ids, or else the words, that the tool printed for CLUSTER-COVERAGE.
    kcv, kcv_there: the check values of both sides. requested: what the unwrapping tool was told to make.
    """

    source_handle: int
    label: str
    new_label: str | None
    id: str | None
    id_given: bool
    type: str
    bits: int | None
    state: str
    rule: str | None
    detail: str | None
    proof: str | None
    kcv: str | None
    kcv_there: str | None
    destination_handle: int | None
    nodes: tuple[int, ...]
    coverage: tuple[tuple[str, str], ...]
    requested: tuple[tuple[str, str], ...]
    wrapped_sha256: str | None
    moved_sha256: str | None
    size: int | None
    attributes: AttributeComparison
    seen: str | None
    places: tuple[Place, ...]
    acts: tuple[TimelineEntry, ...]

    @property
    def crossed(self) -> bool:
        return self.state == "verified"


@dataclass(frozen=True, slots=True)
class Exceptional:
    """Something out of the ordinary: an error, a key that did not cross, a decision, a notice."""

    kind: str
    what: str
    at: str | None = None
    place: Place | None = None
    seen: str | None = None


@dataclass(frozen=True, slots=True)
class Verification:
    """What came of verifying the record. intact: whole as far as it goes; what: in words; notes: of what it could not.

    signatures: role, file and key of each (`SHA256:...`; "" where it could not be checked); whose key it is, only a
    list of allowed signers can tell.
    """

    intact: bool
    what: str
    notes: tuple[str, ...] = ()
    signatures: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """A run. complete: it ended by its own balance, and its manifest is there; `ending` says how else it ended.

    rehearsal: at least one tool was emulated, or `keyferry rehearse` started the run.
    head: what the whole record hashes to; of a run without a manifest the journal's (`sealed` is false, no words).
    not_applicable: rules, or parts of them, that do not apply to the tools of this run, and why.
    hosts: what the two hosts say of themselves, by side. logins: each secret's name and what came of it.
    verification: None where nobody has verified the record.
    """

    run_id: str
    keyferry: str
    rehearsal: bool
    complete: bool
    ending: str
    started: str
    ended: str | None
    head: str | None
    sealed: bool
    words: tuple[str, ...]
    operator: tuple[tuple[str, str], ...]
    settings: tuple[tuple[str, str], ...]
    decisions: tuple[tuple[str, str], ...]
    source: tuple[tuple[str, str], ...]
    destination: tuple[tuple[str, str], ...]
    hosts: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    logins: tuple[tuple[str, str], ...]
    tools: tuple[ReportedTool, ...]
    sessions: tuple[ReportedSession, ...]
    steps: tuple[Step, ...]
    wrapping_key: ReportedWrappingKey | None
    keys: tuple[ReportedKey, ...]
    totals: tuple[tuple[str, int], ...]
    additions: tuple[Exceptional, ...]
    exceptions: tuple[Exceptional, ...]
    not_applicable: tuple[tuple[str, str], ...]
    not_proven: tuple[str, ...]
    verification: Verification | None = None
