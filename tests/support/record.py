"""Records rehearsals into `transcripts/`: `python tests/support/record.py [NAME ...]` makes all, or those, anew.

A recording has what passed on the terminals, and beside each session `NNN-TOOL.files.json` has the files that
the tool wrote, so that the real drivers can be replayed against it without the emulator.
"""

from __future__ import annotations

import base64
import json
import shutil
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

sys.path.insert(0, str(Path(__file__).parent))

from keyferry.emulator import install
from keyferry.terminal.console import Console
from runner import PASSWORD, PIN, migrate

if TYPE_CHECKING:
    from keyferry.terminal.prompts import Prompt, Reply

TRANSCRIPTS = Path(__file__).parents[2] / "transcripts"
WORLDS: dict[str, dict[str, Any]] = {
    "luna-5_kmu-g2": {"luna": "5", "kmu": "g2", "nodes": 2, "keys": 10},
    "luna-7_kmu-g2": {"luna": "7", "kmu": "g2", "nodes": 3, "keys": 10},
    "luna-5_kmu-g1": {"luna": "5", "kmu": "g1", "nodes": 3, "keys": 10},
    "luna-7_kmu-g1": {"luna": "7", "kmu": "g1", "nodes": 2, "keys": 10},
    "luna-7_cloudhsm-cli": {"luna": "7", "nodes": 2, "keys": 10, "destination": "cloudhsm-cli"},
    # An editor that hints at how a command may go on.
    "luna-5_cloudhsm-cli": {"luna": "5", "nodes": 3, "keys": 10, "destination": "cloudhsm-cli", "jitter": "ferry1414"},
}
RUN_ID = "5e1f1e55"
CHECK_VALUE_BYTES = 3
WRITERS = ("ckdemo", "key_mgmt_util", "cloudhsm-cli")
OURS = ("zero.bin", ".wrapped")  # files that the driver puts there, not the tool


class SideEffects:
    """Notes the files that each tool writes, by how many lines had been typed to it."""

    def __init__(self) -> None:
        self._folders: dict[Console, Path] = {}
        self._known: dict[Path, dict[str, bytes]] = {}
        self.noted: dict[str, list[dict[str, object]]] = {}

    def watch(self, console: Console, folder: Path) -> None:
        self._folders[console] = folder

    def look(self, console: Console) -> None:
        folder = self._folders[console]
        now = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
        before, self._known[folder] = self._known.get(folder, {}), now
        for name, data in now.items():
            if before.get(name) != data and console.tool in WRITERS and not name.endswith(OURS):
                text = base64.b64encode(_harmless(name, data)).decode()
                effect: dict[str, object] = {"after_input": console.asked, "name": name, "base64": text}
                self.noted.setdefault(console.recorder.path.stem, []).append(effect)

    def write(self, sessions: Path) -> None:
        for stem, effects in self.noted.items():
            (sessions / f"{stem}.files.json").write_text(json.dumps(effects, indent=1) + "\n")


def _harmless(name: str, data: bytes) -> bytes:
    """ZERO-BLOCK-ERASED holds for recordings too: only the check value of an encrypted zero block is kept."""
    return data[:CHECK_VALUE_BYTES].ljust(len(data), b"\0") if name == "ENCRYPT.BIN" else data


def record(name: str, target: Path) -> None:
    effects = SideEffects()
    start, hear = Console.__init__, Console.hear

    def watched_start(self: Console, program: Any, *rest: Any) -> None:
        start(self, program, *rest)
        effects.watch(self, program.cwd)

    def watched_hear(self: Console, *prompts: Prompt, limit: float) -> Reply:
        heard = hear(self, *prompts, limit=limit)
        effects.look(self)
        return heard

    with tempfile.TemporaryDirectory() as folder:
        world = Path(folder) / "hsm"
        install.create(world, **WORLDS[name])
        secrets = {PIN: (world / "secrets/pin").read_text(), PASSWORD: (world / "secrets/password").read_text()}
        with mock.patch.object(Console, "__init__", watched_start), mock.patch.object(Console, "hear", watched_hear):
            result = migrate(world / "keyferry.toml", Path(folder) / "run", RUN_ID, secrets)
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(Path(folder) / "run" / "sessions", target)
        for path in target.iterdir():
            path.chmod(0o644)
        effects.write(target)
        _note_outcome(target, world, result.json(), int(result.exit_code))


def _note_outcome(target: Path, world: Path, document: dict[str, Any], status: int) -> None:
    settings = tomllib.loads((world / "keyferry.toml").read_text())
    destination = settings["destination"]
    del document["run_dir"]
    document["rehearsal"] = False  # what plays a recording is no emulated tool
    about = {
        "run_id": RUN_ID,
        "slot": settings["source"]["slot"],
        "user": destination["user"],
        "tool": destination["tool"],
        "password_visible": destination.get("password_visible", False),
        "status": status,
        "document": document,
    }
    (target / "outcome.json").write_text(json.dumps(about, indent=1) + "\n")


if __name__ == "__main__":
    for each in sys.argv[1:] or WORLDS:
        record(each, TRANSCRIPTS / each)
        print(f"recorded {each}")  # noqa: T201 - a command's output
