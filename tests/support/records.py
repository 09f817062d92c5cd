"""Runs whose records are tampered with, and both verifiers over them."""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import forked
from keyferry.errors import MismatchError
from keyferry.run import manifest
from keyferry.text import canonical
from keyferry.verification.record import verify
from keyferry.verification.verify import Run

if TYPE_CHECKING:
    from collections.abc import Callable

SCRIPT = Path(sys.modules[Run.__module__].__file__ or "")


@dataclass(frozen=True, slots=True)
class Told:
    """What a verifier says: complete, incomplete or wrong, and its words."""

    verdict: str
    words: str = ""


def by_package(run: Path, head: str | None = None) -> Told:
    try:
        return Told("complete" if verify(run, head).complete else "incomplete")
    except MismatchError as error:
        return Told("wrong", error.what)


def by_script(run: Path, head: str | None = None) -> Told:
    """The script as an auditor runs it, isolated from everything installed."""
    command = [sys.executable, "-I", "-S", str(SCRIPT), str(run), *(["--head", head] if head else [])]
    done = forked.execute(command)
    return Told({0: "complete", 6: "wrong", 7: "incomplete"}[done.returncode], done.stdout)


def by_script_here(run: Path) -> Told:
    """The same in this process, for tests that ask often."""
    try:
        found = Run(run)
        found.verify()
    except (ValueError, LookupError, TypeError, AttributeError, OSError) as error:
        return Told("wrong", str(error))
    return Told("incomplete" if found.open else "complete")


def both_say(verdict: str, run: Path, *words: str, head: str | None = None) -> None:
    """Both verifiers come to this verdict, and the words of both hold these."""
    for told in (by_package(run, head), by_script(run, head)):
        assert told.verdict == verdict, told
        assert all(word in told.words for word in words), told


def head_of(run: Path) -> str:
    return str(json.loads((run / "manifest.json").read_bytes())["head"])


def edit(path: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    """Change a file's lines, whatever its write bits say."""
    path.chmod(0o600)
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))


def restamp(run: Path) -> None:
    """What somebody does who edits a file and knows of the manifest: it lists the files as they are now."""
    manifest: dict[str, Any] = json.loads((run / "manifest.json").read_bytes())
    for name in manifest["files"]:
        data = (run / name).read_bytes()
        manifest["files"][name] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    del manifest["head"]
    body = json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    before = bytes.fromhex(manifest["journal"]["head"])
    manifest["head"] = hashlib.sha256(b"keyferry-run/2\nmanifest\n" + before + body).hexdigest()
    (run / "manifest.json").chmod(0o600)
    (run / "manifest.json").write_text(json.dumps(manifest, sort_keys=True, separators=(",", ":")) + "\n")


def rechain(path: Path, continues: str | None = None) -> tuple[str, str, int]:
    """Chain a recording anew, so that it is whole by itself: gives the first link, the last one and the count.

    continues: what its header is to name as the journal's last link.
    """
    before, count = bytes(32), -1
    new: list[str] = []
    out = []
    for line in path.read_bytes().splitlines():
        value = json.loads(line)
        if continues is not None and isinstance(value, dict):
            value["continues"] = continues
        kind = "header" if isinstance(value, dict) else value[1]
        if kind == "h":
            end = [word for word in value[2].split() if word == "end"]
            value[2] = " ".join([str(count), before.hex(), *new, *end])
        body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
        before = hashlib.sha256(b"keyferry-transcript/2\n" + kind.encode() + b"\n" + before + body).digest()
        if kind == "h":
            new.clear()
        else:
            new.append(before.hex()[:8])
        count += 1
        out.append(body + b"\n")
    path.chmod(0o600)
    path.write_bytes(b"".join(out))
    first = hashlib.sha256(b"keyferry-transcript/2\nheader\n" + bytes(32) + out[0][:-1]).hexdigest()
    return first, before.hex(), count - 1


def forge(
    run: Path,
    recordings: Callable[[str, list[Any]], list[Any]] = lambda _name, lines: lines,
    journal: Callable[[list[dict[str, Any]]], list[dict[str, Any]]] = lambda lines: lines,
) -> None:
    """What somebody does who can rewrite everything: every chain, anchor, hash and head fits what was changed.

    recordings: gets each recording's name and values (the header, then events less chain records), and gives new ones.
    """
    path = run / "journal.jsonl"
    sessions: dict[str, tuple[str, str, int]] = {}
    head, out = hashlib.sha256(b"keyferry-journal/2").hexdigest(), b""
    lines = journal([json.loads(line) for line in path.read_bytes().splitlines()])
    for number, line in enumerate(lines, start=1):
        file = str(line.get("file"))
        if line["kind"] == "opened":
            sessions[file] = _forge_session(run / file, recordings, head)
            line["header"] = sessions[file][0]
        elif line["kind"] == "closed":
            line["head"], line["count"] = sessions[file][1:]
        data = json.dumps(line | {"seq": number, "prev": head}, separators=(",", ":")).encode() + b"\n"
        head, out = hashlib.sha256(data).hexdigest(), out + data
    path.chmod(0o600)
    path.write_bytes(out)
    (run / "manifest.json").unlink()
    story = manifest.ManifestBuilder()
    for line in map(json.loads, out.splitlines()):
        story.take(line)
    run_id = json.loads((run / "run.json").read_bytes())["run_id"]
    whole = manifest.compose(run, run_id, "0", story, {"count": len(lines), "head": head})
    (run / "manifest.json").write_bytes(canonical(whole))


def _forge_session(path: Path, change: Callable[[str, list[Any]], list[Any]], continues: str) -> tuple[str, str, int]:
    values = [json.loads(line) for line in path.read_bytes().splitlines()]
    header, *events = change(path.name, [value for value in values if isinstance(value, dict) or value[1] != "h"])
    lines = [header | {"continues": continues}, *events, [events[-1][0], "h", "0  end"]]
    path.chmod(0o600)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return rechain(path)


def lengthen(run: Path, session: str, events: int, text: str = "xxxxxxxxx\r\n") -> None:
    """Add so many output events to the end of a session, named by its number and tool."""

    def change(name: str, values: list[Any]) -> list[Any]:
        *others, last = values
        return [*others, *[[last[0], "o", text]] * events, last] if name == f"{session}.cast" else values

    forge(run, change)
