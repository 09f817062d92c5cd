"""A configuration file or a program that another user can change is refused, or worth a warning in doctor."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from keyferry.errors import UnknownScreenError
from keyferry.permissions import of_program
from runs import World, keyferry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_ANOTHER = 4711  # a user id
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World.create(tmp_path / "hsm", keys=1)
    yield world
    assert not list(world.directory.glob("run/sessions/*.cast")), "a tool was started"


def _refused(world: World, *words: str) -> None:
    done = world.migrate()
    assert done.status == 8, done.err
    for word in (*words, "nothing was started", "hint:"):
        assert word in done.err


def test_a_configuration_file_that_everyone_can_write_to(world: World) -> None:
    world.config.chmod(0o646)
    _refused(world, "keyferry.toml can be written by everyone")


@AS_ROOT
def test_a_configuration_file_of_another_user(world: World) -> None:
    os.chown(world.config, _ANOTHER, -1)
    _refused(world, "keyferry.toml belongs to user id 4711")


def test_a_program_folder_that_everyone_can_write_to(world: World) -> None:
    (world.directory / "bin").chmod(0o777)
    _refused(world, "the program folder", "can be written by everyone")


@pytest.mark.parametrize("prefix", ["", "env"])
def test_a_program_that_everyone_can_write_to(world: World, prefix: str) -> None:
    (world.directory / "bin/key_mgmt_util").chmod(0o757)
    world.environment["KEYFERRY_DESTINATION_PREFIX"] = prefix
    _refused(world, "key_mgmt_util can be written by everyone")


def _findings(world: World) -> list[dict[str, Any]]:
    found = keyferry("doctor", "--json", "--config", world.config)
    return [one for one in found.document["checks"] if one["verdict"] != "ok"]


@AS_ROOT
def test_doctor_warns_of_groups_and_of_other_owners(world: World) -> None:
    world.config.chmod(0o664)
    (world.directory / "bin").chmod(0o775)
    os.chown(world.directory / "bin/cmu", _ANOTHER, -1)
    texts = [one["text"] for one in _findings(world) if one["verdict"] == "warn"]
    for wanted in (
        "keyferry.toml can be written by its group",
        "bin can be written by its group",
        "cmu belongs to user",
    ):
        assert any(wanted in text for text in texts), texts
    (world.directory / "bin").chmod(0o777)
    assert any("written by everyone" in one["text"] for one in _findings(world) if one["verdict"] == "fail")


class _Shell:
    name = "destination"

    def __init__(self, told: bytes | None = None) -> None:
        self._told = told

    def shell(self, command: str) -> bytes:
        if self._told is not None:
            return self._told
        return subprocess.run(["/bin/sh", "-c", command], capture_output=True, check=False).stdout


def test_a_path_with_blanks_and_a_link_is_followed(tmp_path: Path) -> None:
    folder = tmp_path / "client tools"
    folder.mkdir(mode=0o755)
    (tmp_path / "real").touch(0o600)
    (tmp_path / "real").chmod(0o757)
    (folder / "key tool").symlink_to(tmp_path / "real")
    seen, program = of_program(_Shell(), str(folder / "key tool"))
    assert (seen.by_all, program.by_all, program.owner) == (False, True, os.geteuid())


@pytest.mark.parametrize(
    "told",
    [b"", b"ls: unrecognized option\n", b"drwxr-xr-x 2 0 0 60 Nov 30 /opt\n", b"drwxr-xr-x root /opt\n-rw /opt/tool\n"],
)
def test_permissions_that_are_not_understood_are_not_taken_for_good_ones(told: bytes) -> None:
    with pytest.raises(UnknownScreenError):
        of_program(_Shell(told), "/opt/tool")
