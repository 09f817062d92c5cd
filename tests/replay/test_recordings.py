"""The real drivers talk to recordings over real ptys: what they type must be what was typed, word for word."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import player
from longer import LONG
from runner import PASSWORD, PIN, migrate

if TYPE_CHECKING:
    from keyferry.migration.results import RunResult

TRANSCRIPTS = Path(__file__).parents[2] / "transcripts"
RECORDINGS = sorted(path.parent for path in TRANSCRIPTS.glob("*/outcome.json"))
SECRETS = {PIN: "replayed-pin-17", PASSWORD: "replayed-word-4"}
WHOLE = 65536


def replay(recording: Path, folder: Path, *, read_size: int = WHOLE, answer: int = 30) -> RunResult:
    outcome = expected(recording)
    folder.mkdir(exist_ok=True)
    tools = player.install(recording, folder, SECRETS)
    config = folder / "keyferry.toml"
    config.write_text(
        f'[source]\nbin = "{tools}"\nslot = "{outcome["slot"]}"\n'
        f'[destination]\nbin = "{tools}"\nuser = "{outcome["user"]}"\n'
        f'tool = "{outcome.get("tool", "key_mgmt_util")}"\n'
        f"password_visible = {str(outcome['password_visible']).lower()}\n"
    )
    return migrate(config, folder / "run", outcome["run_id"], SECRETS, read_size=read_size, answer=answer)


def expected(recording: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((recording / "outcome.json").read_text())
    return value


def test_all_dialects_are_recorded() -> None:
    dialects = {f"luna-{luna}_{tool}" for luna in (5, 7) for tool in ("kmu-g1", "kmu-g2", "cloudhsm-cli")}
    assert {path.name for path in RECORDINGS} == dialects


CASES = [(recording, size) for size in (7, 4096, *[WHOLE] * LONG) for recording in RECORDINGS]
# Byte by byte, each dialect once: a recording of one generation of Classic beside one of each tool of the cluster.
BYTEWISE = [
    path for path in RECORDINGS if LONG or path.name in ("luna-5_kmu-g2", "luna-7_kmu-g1", "luna-7_cloudhsm-cli")
]


@pytest.mark.parametrize(
    ("recording", "read_size"),
    [*((path, 1) for path in BYTEWISE), *CASES],
    ids=lambda value: getattr(value, "name", None),
)
def test_a_recording_replays_to_the_same_end(recording: Path, read_size: int, tmp_path: Path) -> None:
    result = replay(recording, tmp_path / "r", read_size=read_size)
    document = result.json()
    del document["run_dir"]
    assert result.error is None, (result.error.what, result.error.seen)
    assert document == expected(recording)["document"]
    assert player.not_played(tmp_path / "r") == []
