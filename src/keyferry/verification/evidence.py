"""What the recordings of a run prove about each key, held against what its journal claims (FORMAT.md)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from keyferry.errors import MismatchError
from keyferry.pkcs11 import KeyClass
from keyferry.planning.unwrap_spec import spec_of
from keyferry.tools.ckdemo.evidence import CkdemoEvidence
from keyferry.tools.cloudhsm_cli import evidence as cloudhsm_cli
from keyferry.tools.endpoints import Coverage, KeySharing
from keyferry.tools.key_mgmt_util import evidence as key_mgmt_util
from keyferry.verification.checks import attributes_match, holding_match, kcv_match

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keyferry.planning.evaluate import PlannedKey
    from keyferry.planning.plan import Plan
    from keyferry.recording.reader import Event
    from keyferry.tools.endpoints import DestinationKey


class EvidenceReader(Protocol):
    """Reads one session. `hear` raises ValueError if an `f` event does not describe a file."""

    def hear(self, event: Event) -> None: ...

    def end(self) -> None: ...


@dataclass(slots=True)
class Arrived:
    """What the destination's tool proves about one handle: its last coverage, and the first description after it."""

    coverage: Coverage = field(default_factory=Coverage)
    whole: bool = False
    key: DestinationKey | None = None
    sharing: KeySharing | None = None


@dataclass(frozen=True, slots=True)
class Unwrapped:
    handle: int
    wrapping_key: int
    whole: bool


@dataclass(frozen=True, slots=True)
class KeyEvidence:
    """How a key ended by the recordings alone.

    state: `verified`, `failed`, or None if they show no whole proof.
    """

    state: str | None
    rule: str | None = None
    proof: str | None = None
    notes: dict[str, list[str]] = field(default_factory=dict)


class Evidence:
    """Collects facts from the recordings in their order; contradictions.py compares them with the journal."""

    def __init__(self) -> None:
        self.pairs: dict[tuple[int, int], tuple[str, int]] = {}
        self.halves: dict[int, DestinationKey] = {}
        self.users: set[str] = set()
        self.secrets: Counter[str] = Counter()
        self.imports: set[str] = set()
        self.unwraps: dict[str, list[Unwrapped]] = {}
        self.arrived: dict[int, Arrived] = {}
        self.coverages: dict[int, list[Coverage]] = {}
        self.once_whole: set[int] = set()
        self.values: dict[str, set[str]] = {}
        self.blobs: dict[str, set[str]] = {}
        self.extractable: dict[str, set[bool]] = {}
        self.hsms: set[tuple[str, ...]] = set()

    def reader(self, tool: str) -> EvidenceReader | None:
        """Return a reader for a session of this tool, or None if it proves nothing about keys."""
        match tool:
            case "key_mgmt_util":
                return key_mgmt_util.KmuEvidence(self)
            case "cloudhsm-cli":
                return cloudhsm_cli.CloudHsmCliEvidence(self)
            case "ckdemo":
                return CkdemoEvidence(self)
        return None

    def logged_in_as(self, user: str) -> None:
        if user:  # else the command's help was asked for
            self.users.add(user)

    def pair_made(self, public: int, private: int, label: str, bits: int) -> None:
        self.pairs[public, private] = (label, bits)

    def heard(self, event: Event) -> None:
        """Count a secret that was typed."""
        if event.code == "s":
            self.secrets[event.data] += 1

    def imported(self, handle: str) -> None:
        """ckdemo displayed this object with the exported key's modulus."""
        self.imports.add(handle)

    def unwrapped(self, file: str, wrapping_key: int, handle: int, *, whole: bool) -> None:
        self.unwraps.setdefault(file, []).append(Unwrapped(handle, wrapping_key, whole))

    def covered(self, handle: int, coverage: Coverage, *, whole: bool) -> None:
        self.arrived[handle] = Arrived(coverage, whole)
        if whole:
            self.once_whole.add(handle)
        self.coverages.setdefault(handle, []).append(coverage)

    def listed(self, serials: Sequence[str]) -> None:
        self.hsms.add(tuple(serials))

    def described(self, key: DestinationKey) -> None:
        if key.key_class is not KeyClass.SECRET:
            self.halves[key.handle] = key
        if (arrived := self.arrived.get(key.handle)) and arrived.key is None:
            arrived.key = key

    def held(self, handle: int, sharing: KeySharing) -> None:
        if (arrived := self.arrived.get(handle)) and arrived.sharing is None:
            arrived.sharing = sharing

    def check_value(self, handle: str, kcv: str) -> None:
        self.values.setdefault(handle, set()).add(kcv)

    def wrapped(self, handle: str, sha256: str) -> None:
        self.blobs.setdefault(handle, set()).add(sha256)

    def outcome(self, planned: PlannedKey, handle: int | None, plan: Plan) -> KeyEvidence:
        """Judge a key as the run did, from what the tools printed."""
        arrived = self.arrived.get(handle) if handle is not None else None
        if arrived is None or (arrived.whole and arrived.key is None):
            return KeyEvidence(None)
        if not arrived.whole or arrived.key is None:
            return KeyEvidence("failed", "CLUSTER-COVERAGE")
        spec = spec_of(plan, planned)
        try:
            notes = attributes_match(
                planned, arrived.key, extractable=spec.extractable, settable=frozenset(spec.usages)
            )
            if spec.sharing != KeySharing():
                if arrived.sharing is None:
                    return KeyEvidence(None)
                holding_match(spec.sharing, arrived.sharing)
            proof = kcv_match(
                planned.kcv,
                arrived.key.kcv,
                handle=arrived.key.handle,
                require=plan.selection.require_kcv,
            )
        except MismatchError as error:
            return KeyEvidence("failed", error.rule)
        return KeyEvidence("verified", None, proof, notes)

    def displayed(self, handle: str, *, extractable: bool) -> None:
        self.extractable.setdefault(handle, set()).add(extractable)
