"""Every command of the README and of docs/ is run as it stands there."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import forked
from longer import LONG
from runs import World
from ssh_keys import allowed_signers, make_key

ROOT = Path(__file__).parents[2]
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text() for path in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md"))
}


def _blocks(page: str, kind: str = "sh") -> list[list[str]]:
    blocks = re.findall(rf"^```{kind}\n(.*?)^```", PAGES[page], re.MULTILINE | re.DOTALL)
    return [block.strip().splitlines() for block in blocks]


INSTALL, TEST, REAL = _blocks("README.md")
HARDER, FAULTS = _blocks("docs/tutorial.md")
[PLANNED], [BY_HAND], [SINGLE] = (_blocks(f"docs/{name}.md") for name in ("plans", "by-hand", "actions"))


def run(command: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """A line as pasted: by the shell, or in a fork where it is a `keyferry` command with nothing for a shell to do."""
    words = shlex.split(command)
    if words[0] == "keyferry" and re.fullmatch(r"[\w ./:=-]+", command) and not LONG:
        with contextlib.chdir(cwd):
            return forked.run(words[1:], given="", environment=os.environ | environment, limit=600)
    return _by_the_shell(command, cwd, environment)


def _by_the_shell(command: str, cwd: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """With this environment's `keyferry` and `asciinema` on the PATH."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        ["/bin/bash", "-c", command],
        cwd=cwd,
        env=os.environ | {"PATH": path} | environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that git knows, as a fresh clone has them (and those about to be committed)."""
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    ).stdout
    copy = tmp_path_factory.mktemp("readme") / "clone"
    for name in names.decode().strip("\0").split("\0"):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes((ROOT / name).read_bytes())
    return copy


@pytest.mark.skipif(not LONG, reason="`.ci/run` runs this very line in a clone")
def test_one_line_installs_and_rehearses(clone: Path) -> None:
    [line] = INSTALL
    done = run(line, clone)
    assert done.returncode == 0, done.stderr
    assert "10 planned = " in done.stdout


@pytest.mark.skipif(not LONG, reason="`.ci/run` installs by this very line, and runs all tests")
def test_one_line_installs_and_finds_the_tests(clone: Path) -> None:
    [line] = TEST
    done = run(line, clone, PYTEST_ADDOPTS="--collect-only -q -n 0 tests/cli/test_readme.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "test_readme.py" in done.stdout


def test_a_harder_rehearsal_and_a_look_at_it(tmp_path: Path) -> None:
    for line in HARDER:
        done = run(line, tmp_path)
        assert done.returncode == 0, (line, done.stderr)
        assert done.stdout or " -o " in line, line


def test_a_fault_ends_as_the_readme_says(tmp_path: Path) -> None:
    statuses = [run(line, tmp_path).returncode for line in FAULTS]
    assert statuses == [0, 0, 0, 6]


def test_the_commands_for_a_real_run(tmp_path: Path) -> None:
    world = World.create(tmp_path / "hsm")
    for line in REAL:
        done = run(line, world.directory)
        assert done.returncode == 0, (line, done.stderr)


def test_a_plan_is_approved_and_carried_out(tmp_path: Path) -> None:
    world = World.create(tmp_path / "hsm")
    approver = make_key(world.directory, "approver_key")
    allowed_signers(world.directory / "allowed_signers", approver_at_example=approver)
    for line in PLANNED:
        done = run(line, world.directory)
        assert done.returncode == 0, (line, done.stderr)


def test_a_plan_is_printed_and_a_run_held_to_it(tmp_path: Path) -> None:
    world = World.create(tmp_path / "hsm")
    for line in BY_HAND:
        done = run(line, world.directory)
        assert done.returncode == 0, (line, done.stderr)
    assert (world.directory / "runbook.html").read_text().startswith("<!doctype html>")


def test_the_single_actions(tmp_path: Path) -> None:
    world = World.create(tmp_path / "hsm")
    for line in SINGLE:
        done = run(line, world.directory)
        assert done.returncode == 0, (line, done.stderr)
        assert done.stdout


def test_every_block_of_commands_is_run_here() -> None:
    run_here = {"README.md", "docs/tutorial.md", "docs/plans.md", "docs/by-hand.md", "docs/actions.md"}
    assert {page for page in PAGES if _blocks(page)} == run_here
    assert {page for page in PAGES if _blocks(page, "bash")} == {"docs/installation.md"}  # by .ci/single-file


def test_the_readme_is_a_front_door() -> None:
    assert len(PAGES["README.md"].splitlines()) <= 120


def test_the_settings_that_are_documented_are_known() -> None:
    from keyferry.config import DEFAULTS  # noqa: PLC0415 - only here

    for section, keys in re.findall(r"`\[(\w+)\] ([^|]*?) \|", PAGES["docs/configuration.md"]):
        for key in re.findall(r"\w+", keys):
            assert key in DEFAULTS[section]


def test_every_link_within_the_documents_leads_somewhere() -> None:
    pages = PAGES | {
        name: (ROOT / name).read_text()
        for name in ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "src/keyferry/recording/FORMAT.md")
    }
    dead = [
        (page, link)
        for page, text in pages.items()
        for link in re.findall(r"\]\(([^)#\s]+)", text)
        if "://" not in link and not (ROOT / page).parent.joinpath(link).exists()
    ]
    assert dead == []


def test_every_test_that_a_document_names_is_there() -> None:
    for page, text in PAGES.items():
        for path in re.findall(r"`(tests/[\w/]+\.py)`", text):
            assert (ROOT / path).is_file(), (page, path)
