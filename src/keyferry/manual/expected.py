"""What a check by hand expects, from a plan or, without one, from the document alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from keyferry.planning.job import DOCUMENTED_LABEL
from keyferry.planning.unwrap_spec import spec_of
from keyferry.tools.endpoints import STABLE, KeySharing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from keyferry.planning.evaluate import PlannedKey
    from keyferry.planning.plan import Plan
    from keyferry.tools.endpoints import UnwrapSpec


@dataclass(frozen=True, slots=True)
class ExpectedKey:
    """A key that crosses, in the texts that acts tell. handles: by which it may be named, empty where only its looks
    say which it is. None and what is not in `looks` is not asked for.
    """

    name: str
    handles: frozenset[str]
    looks: Mapping[str, str] = field(default_factory=dict)
    spec: UnwrapSpec | None = None

    def is_shown(self, told: Mapping[str, str]) -> bool:
        """Whether a display may be of this key."""
        if self.handles:
            return told.get("handle") in self.handles
        return all(told.get(name) in value for name, value in self.shown.items())

    @property
    def shown(self) -> dict[str, set[str]]:
        """How a display may say what it looks like: a label without blanks at its end, or its bytes in hex."""
        spelled = {name: {value} for name, value in self.looks.items()}
        if label := self.looks.get("label"):
            spelled["label"] |= {label.rstrip(), label.encode("utf-8", "surrogateescape").hex()}
        return spelled

    @property
    def unwrapped(self) -> dict[str, str]:
        """What the unwrapping must tell: the whole specification, and no other option."""
        spec = self.spec
        if spec is None:
            return {}
        usages = {name: str(value) for name, value in spec.usages.items()}
        return {"type": spec.type, "id": spec.id or "", "extractable": str(spec.extractable), **usages} | self.held

    @property
    def is_held(self) -> bool:
        """Whether the key is shared, or needs a quorum."""
        return self.spec is not None and self.spec.sharing != KeySharing()

    @property
    def held(self) -> dict[str, str]:
        """With whom the key is shared, and how many must approve its use."""
        sharing = self.spec.sharing if self.spec else KeySharing()
        return {"shared_users": ",".join(sorted(sharing.shared_users)), "quorum": str(sharing.quorum or "")}


@dataclass(frozen=True, slots=True)
class Expected:
    """None is not asked for; keys None: those that were wrapped."""

    user: str | None = None
    serial: str | None = None
    label: str | None = None
    bits: str | None = None
    digest: str | None = None
    pair_extractable: str | None = None
    keys: tuple[ExpectedKey, ...] | None = None


def expected(plan: Plan | None) -> Expected:
    if plan is None:
        return Expected()
    settings = plan.settings
    stable = plan.source.get("kind") == STABLE
    return Expected(
        user=str(settings["destination.user"]),
        serial=plan.source.get("serial"),
        label=str(settings["wrapping.label"]) or DOCUMENTED_LABEL,
        bits=str(settings["wrapping.bits"]),
        digest=str(settings["wrapping.hash"]),
        pair_extractable=str(settings["wrapping.extractable"]),
        keys=tuple(_key(one, spec_of(plan, one), stable=stable) for one in plan.keys if one.verdict is None),
    )


def _key(one: PlannedKey, spec: UnwrapSpec, *, stable: bool) -> ExpectedKey:
    key = one.key
    looks = {"label": key.label, "type": key.type, "bits": str(key.bits), "id": key.id_shown}
    handles = frozenset({str(one.handle)} if stable else ())
    return ExpectedKey(f"{one.name} ({one.handle})", handles, looks, spec)
