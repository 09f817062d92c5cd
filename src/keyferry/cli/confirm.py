from __future__ import annotations

import sys

from keyferry.errors import CheckFailedError
from keyferry.text import printable


def confirm_label(label: str, what: str, *, yes: bool) -> None:
    """Have the label typed before something is destroyed; CheckFailedError, and nothing is done, if it is not."""
    if yes:
        return
    sys.stderr.write(f"This deletes {what} for good. Type its label, {printable(label)!r}, to go on: ")
    sys.stderr.flush()
    # With the end of its line: at the end of the input nothing was typed, and a label may be empty.
    if sys.stdin.readline() != f"{label}\n":
        raise CheckFailedError("the label was not typed", keys="nothing was deleted")
