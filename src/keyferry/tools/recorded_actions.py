"""From recordings to acts: which tool reads which screens."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from keyferry.recording.damage import damaged
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
    """Yield all actions in the order of the recordings.

    Raises:
        MismatchError: the header of a recording names no tool that Keyferry drives.
    """
    for capture in captures:
        for sitting in sittings(capture):
            if sitting.tool not in READERS:
                raise damaged(Path(capture.name), 1, "its header names no tool that Keyferry drives")
            yield from READERS[sitting.tool](sitting)
