"""The procedure by hand, for the command line: the runbook of a plan, and recordings held to it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from keyferry import files
from keyferry.errors import UsageError
from keyferry.manual.audit import Check, State, StepResult
from keyferry.planning import plan as planfile
from keyferry.planning.job import order
from keyferry.planning.selection import Selection
from keyferry.recording.capture import load

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from keyferry.config import Config
    from keyferry.planning.plan import Plan

SCHEMA = "keyferry.byhand/1"


@dataclass(frozen=True, slots=True)
class Checked:
    """What recordings show. ok: every step was done as the runbook says, and nothing else."""

    plan: Plan | None
    findings: list[StepResult]

    @property
    def ok(self) -> bool:
        return all(one.state is State.DONE for one in self.findings)

    def json(self) -> dict[str, object]:
        steps = [{"title": one.title, **asdict(one), "place": one.place or None} for one in self.findings]
        return {"schema": SCHEMA, "plan": self.plan and self.plan.sha256, "ok": self.ok, "steps": steps}


def explain(config: Config, plan: Path | None, *, html: bool) -> str:
    """The runbook of a plan, or without one of the procedure with what the settings say."""
    from keyferry.manual import render, runbook  # noqa: PLC0415 - start-up: every tool's words

    book = runbook.runbook(planfile.read(plan)) if plan else runbook.generic(order(config, Selection()).settings)
    return render.page(book) if html else render.markdown(book)


def check(files: Iterable[Path]) -> Checked:
    """Recordings, and among them at most one plan; a folder stands for the sessions of the run in it.

    UsageError for a file that is none of these.
    """
    from keyferry.tools.recorded_actions import acts  # noqa: PLC0415 - start-up: every tool's parsers

    recordings, plans = [], []
    for file in files:
        if file.is_dir():
            recordings += sorted((file / "sessions").glob("*.cast"))
        elif _is_plan(file):
            plans.append(planfile.read(file))
        else:
            recordings.append(file)
    if not recordings or len(plans) > 1:
        raise UsageError("name recordings to check, and at most one plan")
    plan = plans[0] if plans else None
    return Checked(plan, Check(acts(map(load, recordings)), plan).findings())


def _is_plan(file: Path) -> bool:
    """A plan is one line, and says so; a recording's first line has no schema."""
    files.reject_special(file, hint="name a recording, a run or a plan")
    try:
        with file.open("rb") as opened:
            return f'"schema":"{planfile.SCHEMA}"'.encode() in opened.readline()
    except OSError:
        return False
