"""The manifest of a run (recording/FORMAT.md): what the journal and the folder come to, under one head."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from keyferry.recording import chain
from keyferry.terminal.host import PART
from keyferry.text import canonical, from_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


PEM = "wrapping_public.pem"


SCHEMA = "keyferry.manifest/2"
MANIFEST, JOURNAL, PLAN, SIGNATURES = "manifest.json", "journal.jsonl", "plan.json", "signatures"
INFO, APPROVAL, MANIFESTS = "run.json", "plan.json.sig", "manifests"
_DIGITS = 16
MAKING = ("wrap", "fetch")
"""The acts that a file of `files/` comes from."""
STATES = ("verified", "skipped", "failed", "needs_operator")


@dataclass(slots=True)
class ManifestBuilder:
    """What the lines of a journal come to, taken in one by one."""

    sessions: dict[str, dict[str, Any]] = field(default_factory=dict)
    moved: dict[str, dict[str, str]] = field(default_factory=dict)
    removed: dict[str, str] = field(default_factory=dict)
    states: dict[int, str] = field(default_factory=dict)
    info: str | None = None
    plan: str | None = None

    def take(self, line: Mapping[str, Any]) -> None:
        match line["kind"]:
            case "begin":
                self.info = line["about"]
            case "opened":
                self.sessions[line["file"]] = {"file": line["file"], "header": line["header"], "end": None}
            case "closed" | "torn" as end:
                self.sessions[line["file"]] |= {"end": end, "head": line["head"], "count": line["count"]}
            case "done" if line["act"] == "remove":
                self.removed[line["file"]] = line["sha256"]
            case "done" if "file" in line:
                # The first place of a file is where it is made, perhaps anew: then it is nowhere else yet.
                before = {} if line["act"] in MAKING else self.moved.get(line["file"], {})
                self.moved[line["file"]] = before | {line["host"]: line["sha256"]}
            case "intent" if line["act"] == "wrap":
                self.moved.pop(f"{line['key']}.wrapped", None)
            case "described" | "key":
                self.states[line["key"]] = line["state"]
            case "planned":
                self.plan = line["sha256"]

    @property
    def totals(self) -> dict[str, int] | None:
        """TOTALS-BALANCE: at the end of a run `planned` is the sum of the others. None before there is a plan."""
        if self.plan is None:
            return None
        counts = Counter(self.states.values())
        return {"planned": len(self.states)} | {state: counts[state] for state in STATES}


def compose(  # noqa: PLR0917 - what a manifest is made of
    folder: Path,
    run_id: str,
    program: str,
    story: ManifestBuilder,
    journal: Mapping[str, object],
    measures: Mapping[str, object] | None = None,
) -> dict[str, Any]:
    """The manifest, its head included. journal: its `count` and `head`. measures: of the files, where known."""
    manifest = {
        "schema": SCHEMA,
        "run_id": run_id,
        "keyferry": program,
        "journal": journal,
        "sessions": list(story.sessions.values()),
        "tools": tools(folder, story),
        "plan": story.plan,
        "moved": [{"file": file, **hashes} for file, hashes in story.moved.items()],
        "totals": story.totals,
        "files": measures or {name: measured(folder / name) for name in files(folder)},
    }
    return manifest | {"head": head_of(manifest)}


def written_head(folder: Path) -> str | None:
    """Return the head in a run's manifest, which `verify` shows if all of it is true; None without a manifest."""
    try:
        head = from_json((folder / MANIFEST).read_bytes())["head"]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return head if isinstance(head, str) else None


def head_of(manifest: Mapping[str, Any]) -> str:
    """The run's head: one hash over all of the manifest but the head itself, and so over all of the run."""
    body = {name: value for name, value in manifest.items() if name != "head"}
    return chain.link(chain.RUN, "manifest", manifest["journal"]["head"], canonical(body))


def kept_name(head: str) -> str:
    """Where the manifest of an earlier state is kept."""
    return f"{MANIFESTS}/{head[:_DIGITS]}.json"


def files(folder: Path) -> Iterator[str]:
    """The files of a run in order, without the manifest and the signatures, which are written after it.

    A temporary name is never one of them: the file is gone as soon as it is written again.
    """
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_dir() or name == MANIFEST or name.startswith(f"{SIGNATURES}/") or name.endswith(PART):
            continue
        yield name


def tools(folder: Path, story: ManifestBuilder) -> list[dict[str, str]]:
    """Every program that was started, once for each host: its path and SHA-256 as the headers of sessions have them."""
    found = {}
    for name in story.sessions:
        tool = program(folder / name)
        found[tuple(tool.values())] = tool
    return [found[key] for key in sorted(found)]


def program(session: Path) -> dict[str, str]:
    """Return the program that a session's header names.

    Raises:
        ValueError, LookupError, TypeError: the first line is no header.
    """
    with session.open("rb") as file:
        header = from_json(file.readline())
    found = {name: header[name] for name in ("tool", "host", "path", "sha256")}
    if not all(isinstance(value, str) for value in found.values()):
        raise TypeError(found)
    return found


def measured(path: Path) -> dict[str, object]:
    """A file as the manifest has it."""
    with path.open("rb") as file:
        return {"size": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
