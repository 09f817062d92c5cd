"""A rehearsal is labelled as one wherever its record is shown, and a run with real tools is not."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from keyferry.emulator.run import TOOLS
from keyferry.run.rehearsal import is_rehearsal
from keyferry.terminal.host import LocalHost
from keyferry.terminal.remote.host import RemoteHost
from keyferry.terminal.remote.ssh import Route
from records import both_say, by_script
from runs import Done, World, keyferry, through
from ssh_keys import make_key

if TYPE_CHECKING:
    from collections.abc import Iterator

MARKER = b"# keyferry-emulated-tool"
needs_ssh_keygen = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="no ssh-keygen here")


def without_marker(world: World, *tools: str) -> World:
    """Let these tools pass for real ones."""
    for tool in tools:
        path = world.directory / "bin" / tool
        script = path.read_bytes().replace(MARKER + b"\n", b"")
        path.unlink()
        path.write_bytes(script)
        path.chmod(0o755)
    return world


@pytest.fixture(scope="module")
def emulated(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, Done]:
    """Only the vtl is an emulated tool."""
    world = World.create(tmp_path_factory.mktemp("emulated") / "hsm", keys=3)
    without_marker(world, *(set(TOOLS) - {"vtl"}))
    return world, world.migrate("--dry-run")


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, Done]:
    world = without_marker(World.create(tmp_path_factory.mktemp("real") / "hsm", keys=3), *TOOLS)
    return world, world.migrate("--dry-run")


def headers(run: Path) -> Iterator[dict[str, Any]]:
    for path in sorted((run / "sessions").glob("*.cast")):
        yield json.loads(path.read_bytes().splitlines()[0])


def test_every_emulated_tool_has_the_marker_in_its_first_bytes(tmp_path: Path) -> None:
    world = World.create(tmp_path / "hsm", keys=3)
    for tool in TOOLS:
        assert MARKER in (world.directory / "bin" / tool).read_bytes()[:512]


def test_both_kinds_of_host_report_an_emulated_tool(tmp_path: Path) -> None:
    (tmp_path / "vtl").write_bytes(b"#!/bin/sh\n" + MARKER + b"\n")
    (tmp_path / "cmu").write_bytes(b"#!/bin/sh\n#" + b" " * 512 + b"\n" + MARKER + b"\n")
    for path in tmp_path.iterdir():
        path.chmod(0o755)
    with LocalHost("source", tmp_path) as here, RemoteHost("source", Route(""), str(tmp_path)) as far:
        for host in (here, far):
            assert [host.program(tool).emulated for tool in ("vtl", "cmu")] == [True, False]


def test_the_record_names_the_emulated_tools(emulated: tuple[World, Done]) -> None:
    world, done = emulated
    assert done.document["rehearsal"] is True
    assert {(header["tool"], header["emulated"]) for header in headers(world.directory / "run")} == {
        ("vtl", True),
        ("ckdemo", False),
        ("key_mgmt_util", False),
    }


def test_real_tools_make_no_rehearsal(real: tuple[World, Done]) -> None:
    world, done = real
    run = world.directory / "run"
    assert done.document["rehearsal"] is False
    assert not any(header["emulated"] for header in headers(run))
    for shown in (keyferry("verify", run), keyferry("report", run), keyferry("explain", run / "plan.json")):
        assert shown.status == 0
        assert not re.search(r"REHEARSAL|\brehearsal: ", shown.out)
    assert keyferry("report", run, "--json").document["rehearsal"] is False


def test_rehearse_says_so_itself(tmp_path: Path) -> None:
    done = keyferry("rehearse", "--keys", "3", "--json", "--dir", tmp_path / "r", **through("key_mgmt_util"))
    run = tmp_path / "r" / "run"
    assert done.document["rehearsal"] is True
    begin, *_rest = map(json.loads, (run / "journal.jsonl").read_bytes().splitlines())
    assert (begin["kind"], begin["rehearsal"]) == ("begin", True)
    shutil.rmtree(run / "sessions")
    assert is_rehearsal(run)  # also if no tool had the marker
    assert is_rehearsal(tmp_path) is False


def test_every_part_of_a_report_carries_the_label(emulated: tuple[World, Done]) -> None:
    run = emulated[0].directory / "run"
    assert keyferry("report", run, "--json").document["rehearsal"] is True
    page = keyferry("report", run).out
    assert "<title>REHEARSAL" in page
    assert re.search(r"(?s)@media print \{[^@]*\.watermark \{[^}]*position: fixed", page)  # once on each printed page
    assert '<div class="watermark" aria-hidden="true">REHEARSAL</div>' in page
    text = keyferry("report", run, "--format", "md").out
    assert text.count("**REHEARSAL") == len(re.findall(r"(?m)^#{1,2} ", text)) > 5


def test_every_part_of_a_runbook_carries_the_label(emulated: tuple[World, Done]) -> None:
    plan = emulated[0].directory / "run" / "plan.json"
    text = keyferry("explain", plan).out
    assert text.count("**REHEARSAL") == len(re.findall(r"(?m)^## ", text)) + 1 > 5
    page = keyferry("explain", plan, "--format", "html").out
    assert '<p class="rehearsal">REHEARSAL' in page
    assert re.search(r"@media print\{[^@]*\.watermark\{[^}]*position:fixed", page)


def test_verify_says_that_a_run_was_a_rehearsal(emulated: tuple[World, Done]) -> None:
    run = emulated[0].directory / "run"
    both_say("complete", run)
    assert "\nrehearsal: " in keyferry("verify", run).out
    assert "\nrehearsal: " in by_script(run).words


@needs_ssh_keygen
def test_a_rehearsal_is_signed_only_on_request(
    emulated: tuple[World, Done], real: tuple[World, Done], tmp_path: Path
) -> None:
    key = make_key(tmp_path, "alice")
    rehearsal, run = (
        Path(shutil.copytree(one.directory / "run", tmp_path / name))
        for one, name in ((emulated[0], "rehearsal"), (real[0], "real"))
    )
    refused = keyferry("sign", rehearsal, "--key", key)
    assert (refused.status, "--rehearsal" in refused.err) == (8, True)
    assert not (rehearsal / "signatures").exists()
    assert keyferry("sign", rehearsal, "--key", key, "--rehearsal").status == 0
    assert keyferry("sign", run, "--key", key).status == 0
