"""What the user ordered: which keys, how they are judged, how the pair is made, from options and settings."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from keyferry.config import DEFAULT
from keyferry.errors import CheckFailedError, UsageError
from keyferry.pkcs11 import DIGEST_BYTES, MODULUS_STRENGTH
from keyferry.planning.plan import PLANNED_SETTINGS
from keyferry.planning.rules import EvaluationOptions
from keyferry.planning.selection import Selection, require_names
from keyferry.text import value as shown
from keyferry.tools.abilities import Needs
from keyferry.tools.endpoints import KeySharing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from keyferry.config import Config
    from keyferry.planning.approval import Approval
    from keyferry.planning.plan import Plan, Value


DOCUMENTED_LABEL = "classic_wrap"
"""The label in AWS's procedure. A run adds its own id to it, unless a label is set."""


@dataclass(frozen=True, slots=True)
class WrappingKeyOptions:
    """Settings of the pair. extractable: of its private half; the document's own command leaves it so."""

    label: str = DOCUMENTED_LABEL
    bits: int = 2048
    extractable: bool = False


MOST_SESSIONS = 16
"""On a side; each is a process of its own on both hosts."""


@dataclass(frozen=True, slots=True)
class MigrationJob:
    """A selection and the settings that it is carried out with, by `section.key`; exactly `plan`, if there is one.

    rehearsal: `keyferry rehearse` gave the order.
    """

    selection: Selection
    settings: Mapping[str, Value]
    wish: EvaluationOptions
    wrapping: WrappingKeyOptions
    plan: Plan | None = None
    max_failures: int | None = None
    approval: Approval | None = None
    legs: bool = False
    sessions: int = 1
    rehearsal: bool = False

    @property
    def needs(self) -> Needs:
        """What this order asks of the destination's tool."""
        planned = self.plan.keys if self.plan else ()
        wants = [*(one.want for one in self.selection.listed), *(one.want for one in planned)]
        return Needs(
            extractable_pair=self.wrapping.extractable,
            non_extractable=not self.wish.extractable or any(want.extractable is False for want in wants),
            sharing=any(want.sharing != KeySharing() for want in wants),
        )

    @property
    def wanted(self) -> tuple[str, ...]:
        return self.selection.named

    @property
    def dry_run(self) -> bool:
        return self.selection.dry_run

    def record(self) -> dict[str, object]:
        """What a resumed run must know of the order before there is a plan; `recalled` reads it."""
        return {
            "selection": asdict(self.selection),
            "settings": dict(self.settings),
            "plan": self.plan and self.plan.sha256,
            "max_failures": self.max_failures,
            "legs": self.legs,
        }


def order(config: Config, selection: Selection) -> MigrationJob:
    """UsageError for settings of the pair that no HSM of either side can follow, and for keys named in no known way."""
    require_names(selection)
    wrapping = _wrapping(config)
    wish = EvaluationOptions(
        digest=config.text("wrapping", "hash"),
        modulus_bits=wrapping.bits,
        relabel=selection.relabel,
        reid=selection.reid,
        again=selection.again,
        require_kcv=selection.require_kcv,
        extractable=not selection.non_extractable,
    )
    settings = {f"{section}.{key}": config.value(section, key) for section, key in PLANNED_SETTINGS}
    return MigrationJob(selection, settings, wish, wrapping, sessions=_sessions(config))


def recalled(config: Config, record: Mapping[str, Any]) -> tuple[Config, MigrationJob]:
    """What was ordered when the run began, and its settings.

    How the pair is made is the run's own; where and as whom may be said again, and is compared with the run's.
    """
    settings = {_place(name): value for name, value in record["settings"].items()}
    config = config.filled(settings, "the run")
    for place, value in settings.items():
        if place[0] == "wrapping":
            config = config.with_value(place, value)
    return config, replace(order(config, Selection.recalled(record["selection"])), max_failures=record["max_failures"])


def planned(config: Config, plan: Plan) -> Config:
    """The settings that a plan is carried out with: its own, where nothing else was said.

    PLAN-MATCH: CheckFailedError where a file, the environment or an option says something else. Which slot the
    partition is in may change: the partition itself is compared later.
    """
    differing = [
        f"{name}: the plan has {shown(value)}, {config.origin(*place)} has {shown(config.value(*place))}"
        for name, value in plan.settings.items()
        if (place := _place(name)) != ("source", "slot")
        and config.origin(*place) != DEFAULT
        and config.value(*place) != value
    ]
    if differing:
        raise CheckFailedError(
            "the settings are not those of the plan",
            rule="PLAN-MATCH",
            seen="\n".join(differing),
            keys="nothing was started",
            hint="give the plan's settings, or make a new plan with `keyferry plan`",
        )
    return config.filled({_place(name): value for name, value in plan.settings.items()}, "the plan")


def _place(name: str) -> tuple[str, str]:
    section, _, key = name.partition(".")
    return section, key


def _sessions(config: Config) -> int:
    if not 1 <= (wanted := config.number("run", "sessions")) <= MOST_SESSIONS:
        raise UsageError(f"[run] sessions: {wanted} is not one of 1 to {MOST_SESSIONS}", keys="nothing was started")
    return wanted


def _wrapping(config: Config) -> WrappingKeyOptions:
    wish = WrappingKeyOptions(
        config.text("wrapping", "label"),
        config.number("wrapping", "bits"),
        config.flag("wrapping", "extractable"),
    )
    if wish.bits not in MODULUS_STRENGTH:
        raise UsageError(f"[wrapping] bits: {wish.bits} is not one of {', '.join(map(str, MODULUS_STRENGTH))}")
    if config.text("wrapping", "hash") not in DIGEST_BYTES:
        raise UsageError(
            f"[wrapping] hash: {config.text('wrapping', 'hash')!r} is not one of {', '.join(DIGEST_BYTES)}"
        )
    return wish
