"""A plan as a run would write it, for tests of what reads plans."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from keyferry import config
from keyferry.planning.job import order
from keyferry.planning.plan import Plan
from keyferry.planning.selection import Selection

if TYPE_CHECKING:
    from keyferry.planning.evaluate import PlannedKey


def make(*keys: PlannedKey, **changes: Any) -> Plan:
    """With the default settings and a user; `changes` are of the plan's own fields."""
    settings = order(config.load(None, {("destination", "user"): "crypto_user"}), Selection()).settings
    plan = Plan(
        run_id="0badcafe",
        keyferry="0.1.0",
        made="2026-03-01T10:00:00.000Z",
        selection=Selection(keys=("42", "label:a b"), reid=True),
        settings=settings,
        source={"label": "par43", "serial": "1582163089435", "kind": "partition"},
        destination={"user": "crypto_user", "tool": "key_mgmt_util"},
        keys=keys,
    )
    return replace(plan, **changes)
