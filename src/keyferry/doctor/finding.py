from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from keyferry.errors import Exit
from keyferry.text import printable

if TYPE_CHECKING:
    from keyferry.errors import KeyferryError

Verdict = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `fail`: it would stop a run. unknown: something was said that is not understood."""

    host: str
    check: str
    verdict: Verdict
    text: str
    hint: str | None = None
    unknown: bool = False

    def json(self) -> dict[str, object]:
        found = asdict(self)
        del found["unknown"]
        return found


def failed(host: str, check: str, error: KeyferryError) -> Finding:
    """An error as a finding: what it says, the last line that was seen, its hint."""
    seen = (error.seen or "").strip().splitlines()
    text = f"{error.what}: {printable(seen[-1])}" if seen else error.what
    return Finding(host, check, "fail", text, error.hint, unknown=error.exit_code == Exit.UNKNOWN_SCREEN)
