"""From recordings to acts: which tool reads which screens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyferry.tools.classic.recorded_actions import ckdemo_acts, cmu_acts, vtl_acts
from keyferry.tools.cloudhsm_cli.recorded_actions import acts as cloudhsm_cli_acts
from keyferry.tools.key_mgmt_util.recorded_actions import acts as key_mgmt_util_acts
from keyferry.tools.tool_sessions import sittings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from keyferry.recording.capture import Capture
    from keyferry.tools.manual import RecordedAction, ToolSession

READERS: dict[str, Callable[[ToolSession], Iterator[RecordedAction]]] = {
    "vtl": vtl_acts,
    "cmu": cmu_acts,
    "ckdemo": ckdemo_acts,
    "key_mgmt_util": key_mgmt_util_acts,
    "cloudhsm-cli": cloudhsm_cli_acts,
}


def acts(captures: Iterable[Capture]) -> Iterator[RecordedAction]:
    """All acts in the order of the recordings."""
    for capture in captures:
        for sitting in sittings(capture):
            yield from READERS[sitting.tool](sitting)
