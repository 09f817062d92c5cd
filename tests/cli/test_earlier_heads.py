"""A head that was noted, or signed, still verifies after `resolve`, `resume` and `cleanup` have extended the record."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from keyferry.run.directory import RunDirectory
from records import both_say, by_package, by_script, edit, forge, head_of
from runs import DESTINATIONS, World, keyferry, through
from ssh_keys import allowed_signers, make_key

if TYPE_CHECKING:
    from collections.abc import Callable

UNWRAP = {"key_mgmt_util": "unWrapKey", "cloudhsm-cli": "key-unwrap-rsa-oaep"}
needs_ssh_keygen = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="no ssh-keygen here")


@pytest.fixture(scope="module", params=DESTINATIONS)
def extended(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[World, list[str]]:
    """A run of which one key failed, was skipped by an operator, and that was cleaned up then; every head of it."""
    world = World.create(tmp_path_factory.mktemp("extended") / "hsm", keys=4)
    world.arm(request.param, "label-changed", UNWRAP[request.param], nth=2)
    tool, run = through(request.param), world.directory / "run"
    assert world.migrate(**tool).status == 6
    heads = [head_of(run)]
    [bad] = [key for key in world.status()["keys"] if key["stage"] == "failed"]
    resolved = keyferry("resolve", run, bad["source_handle"], "--skip")
    assert resolved.status == 0, resolved.err
    heads.append(head_of(run))
    assert f"head: {heads[-1]}" in resolved.out
    resumed = world.resume(**tool)
    assert resumed.status == 0, resumed.err
    heads.append(head_of(run))
    assert f"head: {heads[-1]}" in resumed.err
    cleaned = keyferry("cleanup", run, "--config", world.config, "--yes", "--json", **world.environment | tool)
    assert cleaned.status == 0, cleaned.err
    heads.append(head_of(run))
    assert cleaned.document["head"] == heads[-1]
    return world, heads


@pytest.fixture
def run(extended: tuple[World, list[str]], tmp_path: Path) -> Path:
    return Path(shutil.copytree(extended[0].directory / "run", tmp_path / "run"))


def lines_of(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "journal.jsonl").read_bytes().splitlines()]


def test_every_head_that_was_printed_verifies(extended: tuple[World, list[str]]) -> None:
    run, heads = extended[0].directory / "run", extended[1]
    assert len(set(heads)) == 4
    for head in heads:
        both_say("complete", run, head=head)
    both_say("wrong", run, "head", head="0" * 64)
    since = ["resolve, resume, cleanup", "resume, cleanup", "cleanup"]
    for told in (keyferry("verify", run, "--head", heads[0]).out, by_script(run, heads[0]).words):
        for head, names in zip(heads, since, strict=False):
            assert f"intact; head {head} is an earlier state, extended since by: {names}\n" in told


def test_the_line_that_goes_on_names_the_head(extended: tuple[World, list[str]]) -> None:
    world, heads = extended
    resumed = [line for line in lines_of(world.directory / "run") if line["kind"] == "resumed"]
    assert [line["head"] for line in resumed] == heads[:-1]
    kept = sorted(path.name for path in (world.directory / "run" / "manifests").iterdir())
    assert kept == sorted(f"{head[:16]}.json" for head in heads[:-1])


def kept(run: Path, head: str) -> Path:
    return run / "manifests" / f"{head[:16]}.json"


def missing(path: Path) -> None:
    path.unlink()


def renamed(path: Path) -> None:
    path.rename(path.with_name("0" * 16 + ".json"))


def edited(path: Path) -> None:
    edit(path, lambda lines: [lines[0].replace(b'"keyferry":"', b'"keyferry":"1')])


def emptied(path: Path) -> None:
    edit(path, lambda _lines: [])


def two_lines(path: Path) -> None:
    edit(path, lambda lines: lines * 2)


@pytest.mark.parametrize("change", [missing, renamed, edited, emptied, two_lines], ids=lambda change: change.__name__)
@pytest.mark.parametrize("sealed", [False, True], ids=["", "sealed again"])
def test_a_kept_manifest_that_was_changed(
    run: Path, extended: tuple[World, list[str]], change: Callable[[Path], None], *, sealed: bool
) -> None:
    change(kept(run, extended[1][1]))
    if sealed:
        forge(run)
    both_say("wrong", run)


def test_a_journal_that_was_rewritten_after_a_head_was_noted(run: Path, extended: tuple[World, list[str]]) -> None:
    """Everything fits again but the manifests that were kept before."""

    def other_account(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
        next(line for line in lines if line["kind"] == "host")["facts"]["account"] = "mallory"
        return lines

    forge(run, journal=other_account)
    both_say("wrong", run)
    shutil.rmtree(run / "manifests")

    def without_heads(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
        for line in lines:
            if line["kind"] == "resumed":
                line["head"] = None
        return lines

    forge(run, journal=without_heads)
    both_say("complete", run)  # whoever can rewrite everything can forge everything ...
    for head in extended[1]:
        both_say("wrong", run, "head", head=head)  # ... but no head that was noted


def test_a_head_that_no_line_names(run: Path) -> None:
    def change(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
        [line for line in lines if line["kind"] == "resumed"][-1]["head"] = None
        return lines

    forge(run, journal=change)
    both_say("wrong", run)


def test_a_file_that_no_line_removed(run: Path) -> None:
    """A wrapped file may be missing only because a later line says that this file was removed."""
    removed = [line for line in lines_of(run) if line.get("act") == "remove"]
    assert removed
    assert not any((run / "files" / line["file"]).exists() for line in removed)
    forge(run, journal=lambda lines: [line for line in lines if line.get("act") != "remove"])
    both_say("wrong", run)


def test_a_process_that_died_behind_the_kept_manifest(tmp_path: Path) -> None:
    world = World.create(tmp_path / "hsm", keys=3)
    assert world.migrate("--dry-run").status == 0
    run = world.directory / "run"
    head = head_of(run)
    (run / "manifests").mkdir()
    (run / "manifest.json").rename(kept(run, head))
    (run / "journal.jsonl").chmod(0o600)
    both_say("incomplete", run, head=head)
    directory, past = RunDirectory.reopen(run)
    directory.go_on(past, by="resolve")
    directory.finish()
    both_say("complete", run, head=head)
    assert lines_of(run)[-1]["head"] == head
    both_say("complete", run, head=head_of(run))


@needs_ssh_keygen
def test_a_signed_record_goes_on_and_its_signatures_stay_valid(tmp_path: Path) -> None:
    world = World.create(tmp_path / "hsm", keys=2)
    assert world.migrate().status == 0
    run, alice = world.directory / "run", make_key(tmp_path, "alice")
    allowed = allowed_signers(tmp_path / "allowed", alice=alice)
    signed = head_of(run)
    assert keyferry("sign", "--rehearsal", run, "--key", alice).status == 0
    assert keyferry("cleanup", run, "--config", world.config, "--yes", **world.environment).status == 0
    both_say("complete", run, head=signed)
    told = keyferry("verify", run, "--allowed-signers", allowed)
    assert told.status == 0, told.err
    assert f"over the earlier state with head {signed}" in told.out
    assert "nobody has signed the present head" in told.out
    assert keyferry("sign", "--rehearsal", run, "--key", alice, "--role", "witness").status == 0
    told = keyferry("verify", run, "--allowed-signers", allowed)
    assert (told.status, "nobody has signed" in told.out) == (0, False)
    [signature] = (run / "signatures").glob("operator-*")
    signature.rename(signature.with_name(signature.name.replace("operator", "approver")))
    assert by_package(run).verdict == "complete"
    assert keyferry("verify", run, "--allowed-signers", allowed).status == 6
    shutil.rmtree(run / "manifests")
    assert keyferry("verify", run).status == 6
