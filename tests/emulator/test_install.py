from __future__ import annotations

import re
import stat
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING

import pexpect
import pytest

from keyferry.emulator import install, modules
from keyferry.emulator.run import TOOLS
from place import Place, ended

if TYPE_CHECKING:
    from pathlib import Path

    from place import MakePlace

pytestmark = pytest.mark.real_exec


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_everything_is_there_and_private(make_place: MakePlace) -> None:
    directory = make_place().directory
    assert {path.name for path in (directory / "bin").iterdir()} == set(TOOLS)
    assert all(mode(path) == 0o755 for path in (directory / "bin").iterdir())
    assert mode(directory) == mode(directory / "secrets") == 0o700
    for name in ("store.sqlite", "secrets/pin", "secrets/password"):
        assert mode(directory / name) == 0o600


def test_the_configuration_leads_to_the_partition(make_place: MakePlace) -> None:
    place = make_place()
    settings = tomllib.loads((place.directory / "keyferry.toml").read_text())
    assert settings["source"] == {"bin": "bin", "slot": "label:par43", "pin": "file:secrets/pin"}
    assert settings["destination"].keys() == {"bin", "tool", "user", "password"}
    assert place.session().slot.label == "par43"


def test_the_pin_is_random_and_nowhere_in_the_store(make_place: MakePlace) -> None:
    place = make_place()
    assert re.fullmatch(r"[A-Za-z0-9]{12,16}", place.pin)
    assert place.pin.encode() not in (place.directory / "store.sqlite").read_bytes()


def test_a_store_is_never_overwritten(make_place: MakePlace) -> None:
    with pytest.raises(FileExistsError):
        install.create(make_place().directory)


def test_the_tools_run_from_a_directory_with_a_blank(tmp_path: Path) -> None:
    install.create(tmp_path / "my hsm", keys=0)
    shown = Place(tmp_path / "my hsm").run("vtl", "listSlots")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "par43" in shown.stdout


def test_the_tools_of_a_single_file_need_nothing_outside_their_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What such a file unpacked may be gone: this interpreter knows neither the package nor its requirements."""
    bare = str(getattr(sys, "_base_executable"))  # noqa: B009 - not in the stubs
    assert subprocess.run([bare, "-I", "-c", "import keyferry"], capture_output=True, check=False).returncode
    monkeypatch.setattr(sys, "executable", bare)
    monkeypatch.setattr(modules, "is_single_file", lambda: True)
    install.create(tmp_path / "hsm", keys=1)
    (tmp_path / "hsm").rename(tmp_path / "moved")
    place = Place(tmp_path / "moved")
    assert "par43" in place.run("vtl", "listSlots").stdout
    child = place.spawn("cmu", "list", "-slot=0")
    child.expect("Please enter password")
    child.waitnoecho()
    child.sendline(place.pin)
    assert "handle=" in ended(child)[0]
    probe = (
        "import sys; sys.path.insert(0, sys.argv[1]); import keyferry.emulator.cloudhsm.crypto as c; print(c.__file__)"
    )
    words = [bare, "-I", "-c", probe, str(tmp_path / "moved/modules")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.stdout.startswith(str(tmp_path / "moved")), done.stderr


def test_only_a_single_file_copies_modules(make_place: MakePlace) -> None:
    assert not modules.is_single_file()
    assert not (make_place().directory / "modules").exists()


def test_a_tool_whose_reader_is_gone_ends_without_a_traceback(make_place: MakePlace) -> None:
    child = make_place().spawn("ckdemo")
    child.expect("Enter your choice : ")
    child.sendeof()
    text, status = ended(child)
    assert "Traceback" not in text
    assert status == 0


def test_control_c_ends_a_tool_without_a_traceback(make_place: MakePlace) -> None:
    child = make_place().spawn("cmu", "list", "-slot=0")
    child.expect("Please enter password")
    child.waitnoecho()
    # One that comes just before Python begins to read is seen after the read; a person presses again.
    for _ in range(60):
        child.sendintr()
        if child.expect([pexpect.EOF, pexpect.TIMEOUT], timeout=0.5) == 0:
            break
    text = child.before
    child.close()
    assert b"Traceback" not in text
    assert child.exitstatus == 130


@pytest.mark.parametrize("tool", sorted(TOOLS))
def test_each_tool_names_its_faults(tool: str) -> None:
    names = [fault.name for fault in install.FAULTS[tool]]
    assert names
    assert len(names) == len(set(names))
    assert all(fault.verbs and fault.effect for fault in install.FAULTS[tool])
