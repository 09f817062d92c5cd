"""What a verified run leaves is named, confirmed, removed and proved gone; nothing else can be."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from keyferry.emulator.classic.objects import AES, secret_key
from keyferry.errors import CheckFailedError
from keyferry.migration.cleanup import _check_needed
from keyferry.pkcs11 import Sha256, SourceHandle
from keyferry.run.state import KeyState, PairStage, PairState, RunState, Stage
from killed import holds
from place import Place
from records import both_say
from runs import World, keyferry

if TYPE_CHECKING:
    from pytest_mock import MockerFixture

    from runs import Done

PRIVATE, PUBLIC = 3, 2


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    world = World.create(tmp_path_factory.mktemp("made") / "hsm", keys=2)
    assert world.migrate("--wrapping-label", "classic_wrap").status == 0
    return world.directory


@pytest.fixture
def world(migrated: Path, tmp_path: Path) -> World:
    shutil.copytree(migrated, tmp_path / "hsm")
    return World(tmp_path / "hsm")


def cleanup(world: World, *arguments: str, answer: str = "") -> Done:
    call = ("cleanup", world.directory / "run", "--config", world.config, *arguments)
    return keyferry(*call, answer=answer, **world.environment)


def labels(world: World) -> list[str]:
    return sorted(repr(one.attributes["CKA_LABEL"]) for one in Place(world.directory).session().find())


def halves(world: World) -> int:
    """Of the wrapping pair; somebody else's pair is there as well."""
    return sum(count for key, count in holds(world).items() if _is_half(key))


def _is_half(key: tuple[object, ...]) -> bool:
    return key[2] == b"classic_wrap" and key[0] in (PRIVATE, PUBLIC)


def untouched(world: World, migrated: Path) -> bool:
    return holds(world) == holds(World(migrated)) and labels(world) == labels(World(migrated))


def test_everything_goes_but_the_keys(world: World) -> None:
    before = holds(world)
    done = cleanup(world, answer="classic_wrap\n")
    assert done.status == 0, done.err
    assert {key: count for key, count in before.items() if not _is_half(key)} == holds(world)
    assert not any("classic_wrap" in label for label in labels(world))
    assert not list((world.directory / "run" / "files").glob("*.wrapped"))
    assert "cluster backups still contain the wrapping pair" in done.out
    for line in (line for line in done.out.splitlines() if line.startswith("removed: ")):
        assert line.removeprefix("removed: ") in done.err
    both_say("complete", world.directory / "run")
    (record,) = world.directory.glob("run-cleanup-*")
    both_say("complete", record)
    status = world.status()
    assert (status["state"], status["wrapping_key"]["stage"]) == ("ended", "cleaned up")


@pytest.mark.parametrize("answer", ["", "classic\n", "classic_wrap"])
def test_without_the_label_nothing_goes(world: World, migrated: Path, answer: str) -> None:
    done = cleanup(world, answer=answer)
    assert done.status == 8, done.err
    assert untouched(world, migrated)


def test_a_second_time_there_is_nothing_left(world: World) -> None:
    assert cleanup(world, "--yes", "--json").status == 0
    again = cleanup(world, "--yes", "--json")
    assert (again.status, [line for line in again.document["removed"] if not line.startswith("folder ")]) == (0, [])


def test_a_run_that_is_not_verified_needs_its_pair(tmp_path: Path) -> None:
    world = World.create(tmp_path / "hsm", keys=2)
    world.arm("key_mgmt_util", "node-failed", "unWrapKey", nth=2)
    assert world.migrate().status == 7
    done = cleanup(world, "--yes")
    assert (done.status, "not over and verified" in done.err) == (8, True), done.err
    assert halves(world) == 2


def test_one_that_was_broken_off_is_done_again(world: World) -> None:
    world.arm("key_mgmt_util", "die", "deleteKey")
    assert cleanup(world, "--yes").status == 9
    both_say("complete", world.directory / "run")
    assert cleanup(world, "--yes").status == 0
    assert (halves(world), world.status()["wrapping_key"]["stage"]) == (0, "cleaned up")


def test_another_run_that_is_not_over_needs_it_too(world: World) -> None:
    other = world.directory / "other"
    shutil.copytree(world.directory / "run", other)
    lines = (other / "journal.jsonl").read_bytes().splitlines(keepends=True)
    (other / "manifest.json").unlink()
    (other / "journal.jsonl").chmod(0o600)
    end = next(number for number, line in enumerate(lines) if json.loads(line)["kind"] == "end")
    (other / "journal.jsonl").write_bytes(b"".join(lines[:end]))
    done = cleanup(world, "--yes")
    assert (done.status, "another run may need" in done.err) == (8, True), done.err
    assert halves(world) == 2


@pytest.mark.parametrize("stage", [Stage.FAILED, Stage.NEEDS_OPERATOR])
def test_so_does_one_that_is_over_but_for_an_answer(tmp_path: Path, mocker: MockerFixture, stage: Stage) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "journal.jsonl").touch()
    (tmp_path / "run").mkdir()
    handle = SourceHandle(7)
    pair = PairState(PairStage.READY, "classic_wrap", sha256=Sha256("ab" * 32))
    other = RunState(ended=True, pair=pair, keys={handle: KeyState(handle, stage=stage)})
    mocker.patch("keyferry.run.state.load", return_value=other)
    with pytest.raises(CheckFailedError, match="another run may need"):
        _check_needed(RunState(ended=True, pair=pair), tmp_path / "run")


@pytest.mark.parametrize("side", ["source", "destination"])
def test_what_only_has_the_label_is_not_the_pair(world: World, side: str) -> None:
    if side == "source":
        Place(world.directory).session().create(secret_key(AES, bytes(32)) | {"CKA_LABEL": b"classic_wrap"})
    else:
        world.store.run("UPDATE cloud_key SET label = ? WHERE class = 4", b"classic_wrap")
    before, there = holds(world), labels(world)
    done = cleanup(world, "--yes")
    assert done.status in (8, 10), done.err
    assert (holds(world), labels(world)) == (before, there)


def test_folders_of_killed_processes_go_as_well(world: World) -> None:
    journal = (world.directory / "run" / "journal.jsonl").read_text().splitlines()
    [folder, *_others] = [line["folder"] for line in map(json.loads, journal) if line["kind"] == "folder"]
    Path(folder).mkdir(mode=0o700)
    (Path(folder) / "wrapped.key").write_bytes(b"x")
    assert cleanup(world, "--yes").status == 0
    assert not Path(folder).exists()
