"""The unwrap specification of a planned key, made here and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyferry.errors import UsageError
from keyferry.tools.cloudhsm_cli import commands as cloudhsm_cli
from keyferry.tools.endpoints import UnwrapSpec
from keyferry.tools.key_mgmt_util import commands as key_mgmt_util

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from keyferry.pkcs11 import SourceHandle
    from keyferry.planning.evaluate import PlannedKey
    from keyferry.planning.plan import Plan

_SETTABLE = {"cloudhsm-cli": cloudhsm_cli.SETTABLE_USAGES, "key_mgmt_util": key_mgmt_util.SETTABLE_USAGES}


def unwrap_spec(planned: PlannedKey, *, digest: str, extractable: bool, settable: AbstractSet[str]) -> UnwrapSpec:
    """Return what the destination's tool is told about this key.

    Args:
        planned: a key that crosses.
        digest: the hash of OAEP and MGF1.
        extractable: the run's option; what the file of wanted keys says of this key has precedence.
        settable: the usage flags that the tool can set.
    """
    wanted = planned.want.extractable
    return UnwrapSpec(
        label=planned.new_label,
        id=planned.new_id or None,
        type=planned.key.type,
        bits=planned.key.bits or 0,
        extractable=extractable if wanted is None else wanted,
        digest=digest,
        file=wrapped_name(planned.handle),
        usages={name: value for name, value in planned.key.usages.items() if name in settable},
        sharing=planned.want.sharing,
    )


def spec_of(plan: Plan, planned: PlannedKey) -> UnwrapSpec:
    """Return the specification that a run of this plan uses for one of its keys.

    Raises:
        UsageError: the plan is for a tool that is not known.
    """
    tool = plan.destination.get("tool") or "key_mgmt_util"
    if tool not in _SETTABLE:
        raise UsageError(
            f"the plan is for the tool {tool!r}, which is not known",
            keys="nothing was started",
            hint=f"known: {', '.join(_SETTABLE)}",
        )
    return unwrap_spec(
        planned,
        digest=str(plan.settings["wrapping.hash"]),
        extractable=not plan.selection.non_extractable,
        settable=_SETTABLE[tool],
    )


def wrapped_name(handle: SourceHandle) -> str:
    """Name the wrapped file of a key."""
    return f"{handle}.wrapped"
