from __future__ import annotations

import signal
import sys

from keyferry.errors import CheckFailedError, InterruptedRunError
from keyferry.text import printable

_NOTHING = "nothing was deleted"


def confirm_label(label: str, what: str, *, yes: bool) -> None:
    """Have the label typed before something is destroyed; CheckFailedError, and nothing is done, if it is not."""
    if yes:
        return
    sys.stderr.write(f"This permanently deletes {what}. Type the label {printable(label)!r} to confirm: ")
    sys.stderr.flush()
    # With the end of its line: at the end of the input nothing was typed, and a label may be empty.
    try:
        typed = sys.stdin.readline()
    except (KeyboardInterrupt, InterruptedRunError) as interrupt:
        sys.stderr.write("\n")
        error = interrupt if isinstance(interrupt, InterruptedRunError) else InterruptedRunError(signal.SIGINT)
        error.keys = _NOTHING
        raise error from None
    if not typed:
        sys.stderr.write("\n")
    if typed != f"{label}\n":
        raise CheckFailedError("the label was not typed", keys=_NOTHING)
