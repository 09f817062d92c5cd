"""What verifying a record found."""

from __future__ import annotations

from dataclasses import dataclass, field

UNSIGNED = "unsigned: whoever can rewrite everything can forge everything"


@dataclass(slots=True)
class VerificationResult:
    """A record that is intact.

    rehearsal: a tool was emulated, or `keyferry rehearse` started the run.
    earlier: heads of earlier states, each with what extended the record since.
    signatures: names of their files, not yet looked at. open: why the record is not complete. notes: what is covered
    by nothing outside itself.
    """

    run_id: str = ""
    head: str | None = None
    totals: dict[str, int] | None = None
    sessions: int = 0
    events: int = 0
    lines: int = 0
    ended: bool = False
    rehearsal: bool = False
    earlier: dict[str, tuple[str, ...]] = field(default_factory=dict)
    signatures: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        return not self.open

    @property
    def heads(self) -> tuple[str, ...]:
        """The present head, if there is one, and those of earlier states."""
        return (*((self.head,) if self.head else ()), *self.earlier)
