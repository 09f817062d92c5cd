"""No PIN, password or key value leaves: not in a file, an output, an argument vector or an environment."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from keyferry.config import load
from keyferry.events import Bus
from keyferry.migration.start import migrate
from keyferry.planning.selection import Selection
from keyferry.terminal import value_filter
from keyferry.terminal.console import Console
from leaks import find, find_in_files, forms, known_secrets, zero_blocks
from runs import DESTINATIONS, World, through

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keyferry.migration.results import RunResult
    from keyferry.terminal.prompts import Prompt, Reply

pytestmark = pytest.mark.real_exec


@pytest.fixture(params=["5", "7"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    # The partition holds a key with CKA_SENSITIVE = 0, whose value ckdemo prints.
    return World.create(tmp_path / "hsm", luna=request.param, keys=12)


@pytest.mark.parametrize("tool", DESTINATIONS)
def test_no_secret_is_in_any_file_or_output(world: World, tool: str) -> None:
    done = world.migrate("--relabel", "--reid", **through(tool))
    assert done.status == 0, done.err
    secrets = known_secrets(world) | zero_blocks(world)
    assert len(secrets) > 20
    assert find_in_files(world.directory / "run", secrets) == []
    assert find((done.out + done.err).encode(), secrets) == []


@pytest.mark.parametrize(
    ("tool", "fault", "at"),
    [
        ("ckdemo", "garbage", "login"),
        ("ckdemo", "die", "login"),
        ("ckdemo", "die", "displayObject"),
        ("ckdemo", "die", "encryptFile"),
        ("cmu", "garbage", "list"),
        ("cmu", "die", "list"),
        ("key_mgmt_util", "garbage", "loginHSM"),
        ("key_mgmt_util", "die", "loginHSM"),
        ("cloudhsm-cli", "garbage", "login"),
        ("cloudhsm-cli", "die", "login"),
    ],
)
def test_no_secret_is_told_by_an_error(world: World, tool: str, fault: str, at: str) -> None:
    world.arm(tool, fault, at)
    done = world.migrate(**through(tool))
    assert done.status not in (0, 2)
    secrets = known_secrets(world)
    assert find_in_files(world.directory / "run", secrets) == []
    assert find((done.out + done.err).encode(), secrets) == []


def test_a_password_typed_in_sight_is_not_in_the_record(world: World) -> None:
    done = world.migrate(KEYFERRY_DESTINATION_PASSWORD_VISIBLE="true")
    assert done.status == 0, done.err
    assert find_in_files(world.directory / "run", known_secrets(world)) == []
    assert find((done.out + done.err).encode(), known_secrets(world)) == []


@pytest.mark.parametrize("tool", DESTINATIONS)
def test_no_secret_is_in_a_process_table(
    world: World, tool: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pin, password = world.secrets()
    monkeypatch.setenv("CLOUDHSM_PIN", f"crypto_user:{password}")  # as the tool's single-command mode has it
    monkeypatch.setenv("A_VARIABLE_WITH_THE_PIN", pin)
    secrets = {"PIN": pin.encode(), "password": password.encode()}
    seen = _watched(monkeypatch, secrets)
    result = _migrate(
        world, tmp_path / "run", {("source", "pin"): "env:A_VARIABLE_WITH_THE_PIN", ("destination", "tool"): tool}
    )
    assert result.exit_code == 0
    assert seen["prompts"] > 100
    assert seen["leaks"] == 0


def test_a_child_with_a_secret_in_its_environment_would_be_seen(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pin, _password = world.secrets()
    monkeypatch.setenv("ANOTHER_VARIABLE", pin)  # no source names it, so nothing keeps it from the children
    seen = _watched(monkeypatch, {"PIN": pin.encode()})
    _migrate(world, tmp_path / "run", {})
    assert seen["leaks"] > 0


def test_a_value_that_is_not_cut_would_be_seen(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(value_filter, "NAMES", frozenset())
    _migrate(world, tmp_path / "run", {})
    assert any("CKA_VALUE" in leak for leak in find_in_files(tmp_path / "run", known_secrets(world)))


def test_a_planted_secret_is_found_in_every_form(world: World, tmp_path: Path) -> None:
    secrets = known_secrets(world)
    for number, form in enumerate(sorted(forms(secrets["PIN"]))):
        planted = tmp_path / "planted" / str(number)
        planted.mkdir(parents=True)
        (planted / "file").write_bytes(b"before" + form + b"after")
        assert find_in_files(planted, secrets) == ["file: PIN"]


def test_nothing_stays_in_the_temporary_folder(world: World, tmp_path: Path) -> None:
    private = tmp_path / "tmp"
    private.mkdir()
    assert world.migrate(TMPDIR=str(private)).status == 0
    assert list(private.iterdir()) == []


def _migrate(world: World, run: Path, flags: dict[tuple[str, str], str]) -> RunResult:
    return migrate(load(world.config, flags), Selection(), run, Bus())


def _watched(monkeypatch: pytest.MonkeyPatch, secrets: dict[str, bytes]) -> dict[str, int]:
    """Look at the argument vector and environment of every child at every prompt."""
    seen = {"prompts": 0, "leaks": 0}
    hear = Console.hear

    def watched(self: Console, *prompts: Prompt, limit: float) -> Reply:
        heard = hear(self, *prompts, limit=limit)
        seen["prompts"] += 1
        seen["leaks"] += sum(len(find(text, secrets)) for text in _children())
        return heard

    monkeypatch.setattr(Console, "hear", watched)
    return seen


def _children() -> Iterator[bytes]:
    thread = Path("/proc/thread-self").readlink().name
    for child in Path(f"/proc/self/task/{thread}/children").read_text().split():
        for name in ("cmdline", "environ"):
            with contextlib.suppress(OSError):  # it has just ended
                yield Path(f"/proc/{child}/{name}").read_bytes()
