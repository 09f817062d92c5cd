"""What a run's journal and plan say of it: where each key is, where the wrapping pair is, whose run it is."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from keyferry.errors import CheckFailedError, UsageError
from keyferry.pkcs11 import DestinationHandle, Sha256, SourceHandle
from keyferry.run.journal import LoadedJournal, check_texts, read
from keyferry.run.unbegun import require_begun
from keyferry.terminal.process import Process
from keyferry.text import from_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from keyferry.run.journal import Entry

JOURNAL, PLAN = "journal.jsonl", "plan.json"


class Stage(StrEnum):
    """Where a key is (guides/reliability.md). An intent is a command whose outcome the journal does not tell."""

    PLANNED = "planned"
    WRAP_INTENT = "wrap intent"
    WRAPPED = "wrapped"
    MOVED = "moved"
    UNWRAP_INTENT = "unwrap intent"
    UNWRAPPED = "unwrapped"
    VERIFIED = "verified"
    SKIPPED = "skipped"
    FAILED = "failed"
    NEEDS_OPERATOR = "needs operator"


WRONG_VALUE = "KCV-MATCH"
"""The rule of a key that arrived with another value than its source, or without the proof that was required."""

ENDS = frozenset({Stage.VERIFIED, Stage.SKIPPED, Stage.FAILED, Stage.NEEDS_OPERATOR})


class PairStage(StrEnum):
    """Where the wrapping pair is."""

    NONE = "none"
    GENERATE_INTENT = "generate intent"
    GENERATED = "generated"
    EXPORTED = "exported"
    IMPORT_INTENT = "import intent"
    IMPORTED = "imported"
    READY = "ready"
    CLEANED = "cleaned up"


IMPORT_BEGUN = frozenset({PairStage.IMPORT_INTENT, PairStage.IMPORTED, PairStage.READY})
"""Where the source may have the public key."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What an operator ordered for one key with `keyferry resolve`: adopt (a handle), retry or skip."""

    what: str
    handle: DestinationHandle | None = None


@dataclass(slots=True)
class KeyState:
    """One key's way so far. handle: the source's, as the plan has it.

    before: the stage before its end. open: its end is not known, and is for a resumed run to find out.
    beside: keys of the destination that look like it and are known not to be it; others: those that its end speaks of.
    code: the exit code of its error. intended: when its last command was; tools: those of the destination then.
    """

    handle: SourceHandle
    label: str = ""
    stage: Stage = Stage.PLANNED
    before: Stage = Stage.PLANNED
    rule: str | None = None
    detail: str | None = None
    proof: str | None = None
    open: bool = False
    code: int | None = None
    beside: frozenset[DestinationHandle] = frozenset()
    others: frozenset[DestinationHandle] = frozenset()
    blob: Sha256 | None = None
    cloud_handle: DestinationHandle | None = None
    decision: Decision | None = None
    intended: str | None = None
    tools: tuple[Process, ...] = ()

    @property
    def settled(self) -> bool:
        """Whether nothing is left to do or to find out for this key."""
        return self.stage in ENDS and not self.open and self.decision is None

    @property
    def has_wrong_value(self) -> bool:
        """Whether a key with another value is on the destination, and nobody has decided yet what to do about it."""
        return (self.stage, self.rule, self.decision) == (Stage.NEEDS_OPERATOR, WRONG_VALUE, None)


@dataclass(slots=True)
class PairState:
    """The wrapping pair so far. sha256: of the DER SubjectPublicKeyInfo. intended, tools: of its generation."""

    stage: PairStage = PairStage.NONE
    label: str | None = None
    public: DestinationHandle | None = None
    private: DestinationHandle | None = None
    source: SourceHandle | None = None
    sha256: Sha256 | None = None
    cleaned: frozenset[str] = frozenset()
    intended: str | None = None
    tools: tuple[Process, ...] = ()


@dataclass(slots=True)
class RunState:
    """A run as far as it came. before: the destination's secret keys before anything was changed.

    cluster_fingerprints: what tells the cluster from others. hsms: the serial numbers of its HSMs when the last process
    began. there: of a run in legs, what its first leg saw of those keys.
    arrived: every key that an unwrap of this run made, also one that failed later. rejected: those of them that have
    another value than their source.
    tools: of the destination, that its last process started.
    unclosed: sessions that no line says to be complete. folders: private ones that its processes made, each with
    its host ("" for the one where keyferry ran).
    logins: the last outcome for each secret by its name (`typed`: nobody saw how it went). head: the hash of
    the journal's last whole line.
    """

    run_id: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    order: Mapping[str, Any] = field(default_factory=dict)
    endpoints: Mapping[str, Mapping[str, str]] | None = None
    cluster_fingerprints: frozenset[str] = frozenset()
    hsms: tuple[str, ...] | None = None
    before: frozenset[DestinationHandle] | None = None
    there: Mapping[str, Any] = field(default_factory=dict)
    plan: Sha256 | None = None
    arrived: set[DestinationHandle] = field(default_factory=set)
    rejected: set[DestinationHandle] = field(default_factory=set)
    pair: PairState = field(default_factory=PairState)
    keys: dict[SourceHandle, KeyState] = field(default_factory=dict)
    logins: dict[str, str] = field(default_factory=dict)
    tools: list[Process] = field(default_factory=list)
    unclosed: list[str] = field(default_factory=list)
    folders: list[tuple[str, str]] = field(default_factory=list)
    begun: str = ""
    last: str = ""
    ended: bool = False
    steps: str | None = None
    head: str = ""
    torn: int = 0

    @property
    def open_keys(self) -> list[KeyState]:
        return [key for key in self.keys.values() if not key.settled]

    @property
    def wrong_values(self) -> list[KeyState]:
        return [key for key in self.keys.values() if key.has_wrong_value]

    @property
    def stages(self) -> dict[str, int]:
        """How many keys are where, in the order of the way; `planned` counts those not begun."""
        counts = Counter(key.stage for key in self.keys.values())
        return {stage.value: counts[stage] for stage in Stage if counts[stage]}


def load(directory: Path) -> RunState:
    """Read a run's journal and plan. CheckFailedError where either is not as the run wrote it."""
    require_begun(directory)
    return build(read(directory / JOURNAL), directory)


def build(journal: LoadedJournal, directory: Path) -> RunState:
    """The state that the journal's lines make; the plan's keys come in with the line that names the plan."""
    state = RunState(head=journal.head, torn=journal.torn)
    for entry in journal.entries:
        try:
            check_texts(entry)
            _apply(state, entry, directory)
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise CheckFailedError(
                f"{directory / JOURNAL}: line {entry['seq']}: a field is missing or is not what such a line says",
                keys="nothing was typed to any tool; what this journal says of the keys cannot be trusted",
                hint="take the run directory from a copy, or look at both sides by hand",
            ) from error
    if not state.run_id:
        raise UsageError(f"{directory} holds no run: its journal does not say that one began")
    return state


def _meet(state: RunState, entry: Entry) -> None:
    """Who the two sides say they are."""
    if entry["kind"] == "endpoints":
        state.endpoints = {side: entry[side] for side in ("source", "destination")}
        state.cluster_fingerprints |= frozenset(entry.get("cluster_fingerprints", ()))
    elif entry["baseline"]:
        state.hsms = tuple(entry["serials"])


def _apply(state: RunState, entry: Entry, directory: Path) -> None:
    state.last = entry["at"]
    match entry["kind"]:
        case "begin":
            state.run_id, state.begun = entry["run_id"], entry["at"]
            state.settings, state.order = entry["settings"], entry.get("order", {})
            state.steps = "1-2" if state.order.get("legs") else None
        case "endpoints" | "hsms":
            _meet(state, entry)
        case "before":
            state.before, state.there = frozenset(map(DestinationHandle, entry["handles"])), entry
        case "planned":
            state.plan = Sha256(entry["sha256"])
            state.keys = _planned(directory, state.plan)
        case "resumed":
            state.ended = state.ended and "by" in entry  # opened for something else than to go on
            state.tools.clear()
            state.steps = entry.get("steps", state.steps)
        case "end":
            state.ended = True
        case "intent" | "done" if isinstance(entry.get("key"), int):  # of the PEM's move it is a fingerprint
            _key_went_on(state.keys[entry["key"]], entry, tuple(state.tools))
            if entry["act"] == "unwrap" and entry["kind"] == "done":
                state.arrived.add(DestinationHandle(entry["handle"]))
        case "intent" | "done" if entry["act"] in _PAIR_STAGES:
            _pair_went_on(state.pair, entry, tuple(state.tools))
        case "key":
            _key_ended(state, state.keys[entry["key"]], entry)
        case "resolve":
            handle = entry.get("handle")
            decision = Decision(entry["order"], None if handle is None else DestinationHandle(handle))
            state.keys[entry["key"]].decision = decision
        case _:
            _apply_aside(state, entry)


def _apply_aside(state: RunState, entry: Entry) -> None:
    """Lines about sessions and logins; every other kind says nothing here."""
    match entry["kind"]:
        case "opened":
            state.unclosed.append(entry["file"])
        case "closed" | "torn":
            state.unclosed.remove(entry["file"])
        case "process":
            state.tools.append(Process(*(entry[name] for name in ("host", "boot", "pid", "started"))))
        case "folder":
            state.folders.append((entry["where"], entry["folder"]))
        case "login":
            state.logins[entry["secret"]] = entry["outcome"]


_KEY_STAGES = {
    "wrap": {"intent": Stage.WRAP_INTENT, "done": Stage.WRAPPED},
    "move": {"done": Stage.MOVED},
    "unwrap": {"intent": Stage.UNWRAP_INTENT, "done": Stage.UNWRAPPED},
}
_PAIR_STAGES = {
    "generate": {"intent": PairStage.GENERATE_INTENT, "done": PairStage.GENERATED},
    "export": {"done": PairStage.EXPORTED},
    "import": {"intent": PairStage.IMPORT_INTENT, "done": PairStage.IMPORTED},
    "allow wrapping": {"intent": PairStage.IMPORTED, "done": PairStage.READY},
    "clean up": {"done": PairStage.CLEANED},
}


def _key_went_on(key: KeyState, entry: Entry, tools: tuple[Process, ...]) -> None:
    key.stage = _KEY_STAGES[entry["act"]][entry["kind"]]
    key.rule = key.detail = key.code = key.decision = None
    key.open = False
    if key.stage is Stage.WRAPPED:
        key.blob = Sha256(entry["sha256"])
    if entry["kind"] == "intent":
        key.beside = frozenset(map(DestinationHandle, entry.get("beside", ())))
        key.intended, key.tools = entry["at"], tools
    elif "beside" in entry:
        key.beside = frozenset(map(DestinationHandle, entry["beside"]))
    if key.stage is Stage.UNWRAPPED:
        key.cloud_handle = DestinationHandle(entry["handle"])


def _key_ended(state: RunState, key: KeyState, entry: Entry) -> None:
    stage = Stage(entry["state"].replace("_", " "))
    if key.stage not in ENDS:
        key.before = key.stage
    key.stage, key.decision = stage, None
    key.rule, key.detail, key.proof = entry["rule"], entry["detail"], entry["proof"]
    key.open, key.code = entry["open"], entry["code"]
    key.others = frozenset(map(DestinationHandle, entry.get("others", ())))
    if entry["handle"] is not None:
        key.cloud_handle = DestinationHandle(entry["handle"])
        if key.has_wrong_value:
            state.rejected.add(key.cloud_handle)


_SIDES = frozenset({"source", "destination"})


def _pair_went_on(pair: PairState, entry: Entry, tools: tuple[Process, ...]) -> None:
    if entry["act"] == "clean up":
        pair.cleaned |= frozenset(entry.get("sides", _SIDES))
        if pair.cleaned != _SIDES:
            return
    stage = _PAIR_STAGES[entry["act"]].get(entry["kind"], pair.stage)
    pair.stage = max(pair.stage, stage, key=list(PairStage).index)  # what is done again was done before
    match entry:
        case {"act": "generate", "kind": "intent", "label": str(label)}:
            pair.label = label
            pair.intended, pair.tools = entry["at"], tools
        case {"act": "generate", "public": int(public), "private": int(private)}:
            pair.public, pair.private = DestinationHandle(public), DestinationHandle(private)
        case {"act": "export", "sha256": str(digest)}:
            pair.sha256 = Sha256(digest)
        case {"act": "import", "kind": "done", "handle": int(handle)}:
            pair.source = SourceHandle(handle)


def _planned(directory: Path, digest: Sha256) -> dict[SourceHandle, KeyState]:
    keys = {}
    for key in plan_keys(directory, digest):
        handle = SourceHandle(key["source_handle"])
        stage = Stage(key["state"].replace("_", " "))
        keys[handle] = KeyState(handle, key["label"], stage, rule=key["rule"], detail=key["detail"])
    return keys


def plan_keys(directory: Path, digest: Sha256) -> list[Mapping[str, Any]]:
    """The plan's keys; CheckFailedError where the file is not the one that the journal names."""
    path = directory / PLAN
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", hint="name the run's directory") from error
    if hashlib.sha256(data).hexdigest() != digest:
        raise CheckFailedError(
            f"{path} is not the plan that this run made: its SHA-256 is not the journal's",
            keys="nothing was typed to any tool",
            hint="take the plan from a copy of the run's directory",
        )
    return list(from_json(data)["keys"])
