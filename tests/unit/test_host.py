from __future__ import annotations

import hashlib
import stat
from pathlib import Path
from unittest.mock import Mock

import pytest

from keyferry.errors import UnreachableError
from keyferry.terminal.host import LocalHost, write_private


def _tool(folder: Path, name: str = "cmu", mode: int = 0o755) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_bytes(b"#!/bin/sh\n")
    path.chmod(mode)
    return path


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_program_is_named_by_its_path_and_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _tool(tmp_path / "bin")
    monkeypatch.chdir(tmp_path)
    with LocalHost("source", Path("bin")) as host:
        program = host.program("cmu", "list", "-slot=1")
        assert program.argv == (str(path), "list", "-slot=1")
        assert program.sha256 == hashlib.sha256(b"#!/bin/sh\n").hexdigest()
        assert (program.tool, program.host, program.cwd) == ("cmu", "source", host.directory)


def test_the_environment_of_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _tool(tmp_path / "bin")
    for name in ("SOME_PIN", "KEYFERRY_SOURCE_PIN", "KEPT", "LC_ALL"):
        monkeypatch.setenv(name, "value")
    with LocalHost("here", tmp_path / "bin", without=frozenset({"SOME_PIN"})) as host:
        env = host.program("cmu").env
    assert env["KEPT"] == "value"
    assert (env["LC_ALL"], env["TERM"]) == ("C", "dumb")
    assert not {"SOME_PIN", "KEYFERRY_SOURCE_PIN"} & env.keys()


@pytest.mark.parametrize("mode", [None, 0o644])
def test_a_tool_that_is_not_there_or_may_not_be_run(tmp_path: Path, mode: int | None) -> None:
    if mode is not None:
        _tool(tmp_path / "bin", mode=mode)
    with (
        LocalHost("here", tmp_path / "bin") as host,
        pytest.raises(UnreachableError, match="cmu is not there") as error,
    ):
        host.program("cmu")
    assert str(tmp_path / "bin") in error.value.what
    assert error.value.host == "here"


def test_a_tool_that_cannot_be_read_is_unreachable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mode 0711, as another user than root has it."""
    path, refused = _tool(tmp_path / "bin"), PermissionError(13, "Permission denied")
    monkeypatch.setattr(Path, "open", Mock(side_effect=refused))
    with LocalHost("here", tmp_path / "bin") as host, pytest.raises(UnreachableError, match="cannot be read") as error:
        host.program("cmu")
    assert str(path) in error.value.what
    assert "Errno" not in error.value.what


def test_a_tool_on_the_path_serves_where_no_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _tool(tmp_path / "bin", "vtl")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with LocalHost("here", None) as host:
        assert host.program("vtl").path == str(path)


def test_the_private_folder_goes_with_the_host() -> None:
    def fails() -> None:
        with host:
            host.write("wrapped.key", b"x")
            raise KeyError

    host = LocalHost("here", None)
    assert _mode(host.directory) == 0o700
    with pytest.raises(KeyError):
        fails()
    assert not host.directory.exists()


def test_files_come_and_go_with_the_same_hash_and_in_private(tmp_path: Path) -> None:
    (tmp_path / "in.pem").write_bytes(b"public")
    with LocalHost("here", None) as host:
        digest = host.put(tmp_path / "in.pem", "key.pem")
        assert digest == hashlib.sha256(b"public").hexdigest()
        assert _mode(host.directory / "key.pem") == 0o600
        assert host.fetch("key.pem", tmp_path / "out.pem") == digest
        assert (host.size("key.pem"), host.read("key.pem"), host.read("key.pem", 3)) == (6, b"public", b"pub")
        host.remove("key.pem")
        host.remove("key.pem")
        assert host.size("key.pem") is None
    assert (tmp_path / "out.pem").read_bytes() == b"public"
    assert _mode(tmp_path / "out.pem") == 0o600


def test_an_erased_file_is_overwritten_before_it_goes(tmp_path: Path) -> None:
    with LocalHost("here", None) as host:
        host.write("zero", b"ciphertext of a zero block")
        kept = tmp_path / "the same file"
        kept.hardlink_to(host.directory / "zero")
        host.erase("zero")
        host.erase("zero")
        assert host.size("zero") is None
    assert b"ciphertext" not in kept.read_bytes()
    assert kept.stat().st_size == 26


def test_a_room_has_files_of_its_own(tmp_path: Path) -> None:
    _tool(tmp_path / "bin")
    with LocalHost("here", tmp_path / "bin") as host:
        room = host.room("2")
        room.write("x", b"22")
        assert (host.size("x"), room.size("x"), room.program("cmu").cwd) == (None, 2, room.directory)
        assert _mode(room.directory) == 0o700
    assert not room.directory.exists()


def test_what_is_taken_or_glimpsed_or_collected_is_there_no_more(tmp_path: Path) -> None:
    with LocalHost("here", None) as host:
        for gone in (lambda: host.take("x"), lambda: host.read_prefix_and_erase("x", 3)):
            host.write("x", b"value")
            assert gone() in (b"value", (5, b"val"))
            assert gone() is None
        host.write("x", b"value")
        host.write("old", b"value")
        digest = host.collect("x", tmp_path / "out")
        assert host.put_all({"new": tmp_path / "out"}, instead_of=["old", "never there"]) == {"new": digest}
        assert [path.name for path in host.directory.iterdir()] == ["new"]


def test_a_private_file_replaces_another_whole(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"older")
    path.chmod(0o644)
    (tmp_path / "x.part").write_bytes(b"left over")
    write_private(path, b"new")
    assert (path.read_bytes(), _mode(path)) == (b"new", 0o600)
    assert list(tmp_path.iterdir()) == [path]
