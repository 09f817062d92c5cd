"""A run in legs: each on one side, the run directory carried between them by hand."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import typer
from typer.testing import CliRunner

from keyferry.cli.migrate import migrate
from keyferry.errors import UsageError
from runs import DESTINATIONS, LIMIT, World, keyferry, through

if TYPE_CHECKING:
    from pathlib import Path

    from runs import Done


class Apart:
    """Two hosts of which each knows nothing of the other; the run directory goes from one to the other."""

    def __init__(self, folder: Path, tool: str = "key_mgmt_util", **how: Any) -> None:
        self._tool = tool
        self.world = World.create(folder / "hsm", **how)
        self._folder = folder
        self._trips = 0
        self.run = folder / "1" / "run"
        self.run.parent.mkdir()

    def carry(self) -> None:
        """As with a memory stick: another path, only what is in the directory."""
        self._trips += 1
        target = self._folder / f"trip {self._trips}" / "run"
        shutil.copytree(self.run, target)
        shutil.rmtree(self.run)
        self.run = target

    def leg(self, steps: str, *more: object, **environment: str) -> Done:
        """On a host where the other side's tools and secrets are not."""
        side = "source" if steps == "4-5" else "destination"
        other = "KEYFERRY_DESTINATION" if side == "source" else "KEYFERRY_SOURCE"
        secret = "PASSWORD" if side == "source" else "PIN"
        gone = {f"{other}_BIN": "/nowhere", f"{other}_{secret}": "file:/nowhere"}
        call = ("--json", "--config", self.world.config, "--run-dir", self.run, "--steps", steps)
        return keyferry("migrate", *call, *more, **self.world.environment | through(self._tool) | gone | environment)

    def all_legs(self, *selection: object) -> tuple[Done, list[str | None]]:
        """The last leg, and what the directory said of the next one after each."""
        told = []
        for steps, more in (("1-2", ()), ("4-5", selection), ("7", ())):
            done = self.leg(steps, *more)
            assert done.status == 0, done.err
            told.append(self.next)
            self.carry()
        return done, told

    @property
    def next(self) -> str | None:
        told: str | None = keyferry("status", self.run, "--json").document["next"]
        return told


@pytest.fixture
def apart(tmp_path: Path) -> Apart:
    return Apart(tmp_path)


def _told(done: Done) -> list[dict[str, Any]]:
    """The keys of a result without what differs from run to run."""
    keys = [dict(key) for key in done.document["keys"]]
    for key in keys:
        key["id"] = str(key["id"]).partition("kf-")[0]
    return keys


@pytest.mark.parametrize("tool", DESTINATIONS)
def test_three_legs_come_to_what_a_direct_run_comes_to(tool: str, tmp_path: Path) -> None:
    apart = Apart(tmp_path, tool)
    shutil.copytree(apart.world.directory, tmp_path / "twin")
    direct = World(tmp_path / "twin").migrate("--all", "--reid", **through(tool))
    done, told = apart.all_legs("--all", "--reid")
    assert direct.status == 0, direct.err
    assert _told(done) == _told(direct)
    assert done.document["totals"] == direct.document["totals"]
    assert [one and one.partition(" --steps ")[2] for one in told] == ["4-5 --all", "7", None]
    wrapping, other = done.document["wrapping_key"], direct.document["wrapping_key"]
    assert {**wrapping, "sha256": None, "label": None} == {**other, "sha256": None, "label": None}
    whole = b"".join(path.read_bytes() for path in apart.run.rglob("*") if path.is_file())
    for secret in apart.world.secrets():
        assert secret.encode() not in whole
    sessions = sorted(path.name.partition("-")[2] for path in (apart.run / "sessions").iterdir())
    assert sessions.count("ckdemo.cast") == 1
    assert sessions.count(f"{tool}.cast") == 2
    assert sessions.count("cmu.cast") <= 4


@pytest.mark.parametrize(
    ("done_first", "steps"), [((), "4-5"), (("1-2",), "7"), (("1-2",), "1-2"), (("1-2", "4-5"), "4-5")]
)
def test_a_leg_that_is_not_next_is_refused_before_anything_is_typed(
    apart: Apart, done_first: tuple[str, ...], steps: str
) -> None:
    for one in done_first:
        assert apart.leg(one, *(["--all"] if one == "4-5" else [])).status == 0
    before = sorted(path.name for path in (apart.run / "sessions").iterdir()) if done_first else []
    done = apart.leg(steps, *(["--all"] if steps == "4-5" else []))
    assert done.status == (8 if done_first else 2), done.err
    if done_first:
        assert "not what comes next" in done.err
        assert sorted(path.name for path in (apart.run / "sessions").iterdir()) == before


def _swap(path: Path, data: bytes) -> None:
    path.chmod(0o600)
    path.write_bytes(data)


@pytest.mark.parametrize("what", ["changed", "missing", "of another run"])
def test_a_public_key_that_is_not_this_runs_is_refused(apart: Apart, tmp_path: Path, what: str) -> None:
    apart.leg("1-2")
    pem = apart.run / "files/wrapping_public.pem"
    if what == "missing":
        pem.unlink()
    elif what == "changed":
        text = pem.read_bytes()
        _swap(pem, text[:-40] + (b"B" if text[-40:-39] == b"A" else b"A") + text[-39:])
    else:
        (tmp_path / "x").mkdir()
        other = Apart(tmp_path / "x")
        assert other.leg("1-2").status == 0
        _swap(pem, (other.run / "files/wrapping_public.pem").read_bytes())
    done = apart.leg("4-5", "--all")
    assert done.status in (6, 8), done.err
    assert "WRAPPING-KEY-MATCH" in done.err
    assert not list((apart.run / "sessions").glob("*cmu*"))


@pytest.mark.parametrize("what", ["swapped", "missing", "the plan", "the journal"])
def test_what_the_second_leg_left_must_be_whole(apart: Apart, what: str) -> None:
    apart.leg("1-2")
    assert apart.leg("4-5", "--all").status == 0
    blob, other, *_ = sorted((apart.run / "files").glob("*.wrapped"))
    if what == "missing":
        blob.unlink()
    elif what == "swapped":
        first, second = blob.read_bytes(), other.read_bytes()
        _swap(blob, second)
        _swap(other, first)
    else:
        path = {"the plan": apart.run / "plan.json", "the journal": apart.run / "journal.jsonl"}[what]
        data = path.read_bytes()
        _swap(path, data[:-20] + bytes([data[-20] ^ 1]) + data[-19:])
    sessions = len(list((apart.run / "sessions").iterdir()))
    done = apart.leg("7")
    assert done.status == 8, done.err
    assert len(list((apart.run / "sessions").iterdir())) == sessions


def test_another_run_or_another_command_does_not_take_the_directory(apart: Apart) -> None:
    apart.leg("1-2")
    done = keyferry("migrate", "--all", "--config", apart.world.config, "--run-dir", apart.run)
    assert done.status == 2
    assert "keyferry resume" in done.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--steps", "3"), "Invalid value"),
        (("--steps", "7", "--all"), "keys are selected and evaluated with --steps 4-5"),
        (("--steps", "4-5"), "say which keys"),
        (("--steps", "7", "--dry-run"), "--dry-run"),
        (("--steps", "4-5", "plan.json"), "plan.json in the run directory"),
        (("--steps", "4-5", "--all", "--require-approval", "signers"), "reaches one"),
    ],
)
def test_words_that_make_no_leg(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    alone = typer.Typer()
    alone.command()(migrate)
    done = CliRunner().invoke(alone, [*arguments, "--run-dir", "x"])
    if isinstance(done.exception, UsageError):
        assert says in f"{done.exception.what} {done.exception.hint}"
    else:
        assert (done.exit_code, says in done.output) == (2, True)
    assert os.listdir(tmp_path) == []


def test_a_leg_that_was_interrupted_is_gone_on_with_by_its_steps(tmp_path: Path) -> None:
    apart = Apart(tmp_path, keys=40)
    apart.leg("1-2")
    call = [
        "migrate",
        "--json",
        "--config",
        str(apart.world.config),
        "--run-dir",
        str(apart.run),
        "--steps",
        "4-5",
        "--all",
    ]
    child = subprocess.Popen(
        [sys.executable, "-m", "keyferry.cli", *call], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert child.stderr is not None
    for line in child.stderr:
        if line.strip().startswith("5.2"):
            child.send_signal(signal.SIGTERM)
            break
    child.communicate(timeout=LIMIT)
    assert child.returncode == 143
    assert apart.next is not None
    assert apart.next.endswith("--steps 4-5")
    assert apart.leg("4-5").status == 0
    done = apart.leg("7")
    assert done.status == 0, done.err
    assert "planned" not in done.states
    journal = [json.loads(line) for line in (apart.run / "journal.jsonl").read_text().splitlines()]
    wrapped = [entry["key"] for entry in journal if entry["kind"] == "done" and entry.get("act") == "wrap"]
    assert len(wrapped) == len(set(wrapped)) == done.states["verified"]


def test_a_leg_stops_after_so_many_failures(tmp_path: Path) -> None:
    apart = Apart(tmp_path, keys=6)
    assert apart.leg("1-2").status == 0
    apart.world.arm("ckdemo", "blob-truncated", "wrapKey", nth=2)
    done = apart.leg("4-5", "--all", "--max-failures", "1")
    assert (done.status, done.states["failed"], done.states["planned"] > 1) == (6, 1, True), done.err
    assert "as many as --max-failures allows" in done.err
    assert apart.leg("4-5").status == 6
    assert (apart.next or "").endswith("--steps 7")


def test_the_last_leg_stops_if_an_hsm_joins_the_cluster_meanwhile(tmp_path: Path) -> None:
    apart = Apart(tmp_path, "cloudhsm-cli", keys=3)
    for steps, more in (("1-2", ()), ("4-5", ("--all",))):
        assert apart.leg(steps, *more).status == 0
        apart.carry()
    apart.world.arm("cloudhsm-cli", "hsm-joined", "cluster-hsm-info", nth=3)
    done = apart.leg("7")
    assert (done.status, done.states) == (7, {"verified": 1, "planned": 2}), done.err
    lines = map(json.loads, (apart.run / "journal.jsonl").read_text().splitlines())
    assert [line["when"] for line in lines if line["kind"] == "hsms"] == ["before the first unwrap", "after a batch"]


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Apart:
    apart = Apart(tmp_path_factory.mktemp("ended"), keys=2)
    apart.all_legs("--all")
    return apart


def _kill_at_the_end(apart: Apart) -> None:
    """As if the last process had been killed behind its last journal line."""
    (apart.run / "manifest.json").unlink()
    for path in apart.run.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)


def test_a_part_that_was_killed_behind_its_last_line_is_completed_by_the_same_command(tmp_path: Path) -> None:
    apart = Apart(tmp_path, keys=1)
    for steps, more in (("1-2", ()), ("4-5", ("--all",)), ("7", ())):
        assert apart.leg(steps, *more).status == 0
        _kill_at_the_end(apart)
        lines = (apart.run / "journal.jsonl").read_bytes()
        again = apart.leg(steps, "--password", "file:/nowhere", "--pin", "file:/nowhere")
        assert (again.status, again.document["exit_code"]) == (0, 0), again.err
        assert ((apart.run / "journal.jsonl").read_bytes(), again.document["head"] is None) == (lines, False)
    assert again.states == {"verified": 1}


def test_the_host_of_the_next_part_is_shown_and_an_early_part_says_so(tmp_path: Path) -> None:
    apart = Apart(tmp_path, keys=1)
    early = apart.leg("4-5", "--all")
    assert (early.status, "first run steps 1-2 on the destination client" in early.err) == (2, True), early.err
    assert apart.leg("1-2").status == 0
    status = keyferry("status", apart.run)
    assert "next, on the source client: keyferry migrate" in status.out
    assert keyferry("status", apart.run, "--json").document["next_on"] == "source"
    early = apart.leg("7")
    assert (early.status, "steps 4-5 come first, on the source client" in early.err) == (8, True), early.err


def test_each_host_cleans_up_and_examines_its_own_side(ended: Apart) -> None:
    for side, other, secret in (("destination", "SOURCE", "PIN"), ("source", "DESTINATION", "PASSWORD")):
        gone = {f"KEYFERRY_{other}_BIN": "/nowhere", f"KEYFERRY_{other}_{secret}": "file:/nowhere"}
        words = ("--side", side, "--config", ended.world.config, "--json")
        looked = keyferry("doctor", "--login", *words, **ended.world.environment | gone)
        assert {check["host"] for check in looked.document["checks"]} - {"keyferry"} == {side}, looked.err
        assert looked.status == 0, looked.out
        done = keyferry("cleanup", ended.run, "--yes", *words, **ended.world.environment | gone)
        assert done.status == 0, done.err
        stage = keyferry("status", ended.run, "--json").document["wrapping_key"]["stage"]
        assert stage == ("ready" if side == "destination" else "cleaned up")
        assert any(("half" if side == "destination" else "public key") in line for line in done.document["removed"])
    assert keyferry("verify", ended.run).status == 0
