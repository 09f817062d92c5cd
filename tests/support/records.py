"""Runs whose records are tampered with, and both verifiers over them."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keyferry.errors import MismatchError
from keyferry.procedure.verification import verify
from keyferry.transcript.verify import Run

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
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
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
    """Both verifiers come to this verdict, and their words hold these."""
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
    manifest["head"] = hashlib.sha256(b"keyferry-run/1\nmanifest\n" + before + body).hexdigest()
    (run / "manifest.json").chmod(0o600)
    (run / "manifest.json").write_text(json.dumps(manifest, sort_keys=True, separators=(",", ":")) + "\n")


def rechain(path: Path) -> None:
    """Chain a recording anew, so that it is whole by itself; its last link is another than the journal's."""
    before, count = bytes(32), -1
    new: list[str] = []
    out = []
    for line in path.read_bytes().splitlines():
        value = json.loads(line)
        kind = "header" if isinstance(value, dict) else value[1]
        if kind == "h":
            end = [word for word in value[2].split() if word == "end"]
            value[2] = " ".join([str(count), before.hex(), *new, *end])
        body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
        before = hashlib.sha256(b"keyferry-transcript/1\n" + kind.encode() + b"\n" + before + body).digest()
        new = [] if kind == "h" else [*new, before.hex()[:8]]
        count += 1
        out.append(body + b"\n")
    path.chmod(0o600)
    path.write_bytes(b"".join(out))
