"""`keyferry verify` and its script, as an auditor runs them."""

from __future__ import annotations

import hashlib
import html
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from keyferry.errors import MismatchError
from keyferry.verification import allowed_commands
from keyferry.verification.record import verify
from keyferry.verification.verify import COMMANDS
from records import SCRIPT, both_say, edit, head_of
from runs import DESTINATIONS, World, keyferry, recorded
from ssh_keys import make_key
from tampering import event_edited

ROOT = Path(__file__).parents[2]
_SCRIPT = (sys.executable, "-I", "-S", str(SCRIPT))
CKDEMO = "sessions/003-ckdemo.cast"


@pytest.fixture(params=DESTINATIONS)
def whole(request: pytest.FixtureRequest) -> Path:
    return recorded(request.param)


@pytest.fixture
def run(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "run"))


def test_the_command_tells_what_it_proves(run: Path) -> None:
    both_say("complete", run)
    done = keyferry("verify", run)
    assert done.status == 0
    assert "complete and intact" in done.out
    assert f"head: {head_of(run)}" in done.out
    assert done.out.endswith("unsigned: whoever can rewrite everything can forge everything\n")
    assert "unsigned" not in keyferry("verify", run, "--head", head_of(run)).out


def test_the_command_names_what_is_wrong(run: Path) -> None:
    assert keyferry("verify", run, "--head", "0" * 64).status == 6
    edit(run / CKDEMO, event_edited)
    done = keyferry("verify", run)
    assert done.status == 6
    assert "003-ckdemo.cast: line 41" in done.err
    assert done.out == ""


def test_the_report_says_at_its_top_what_verifying_came_to(run: Path) -> None:
    found = keyferry("report", run, "--json").document["verification"]
    assert (found["intact"], found["what"].split(":")[0], found["signatures"]) == (True, "complete and intact", [])
    for form in ("html", "md"):
        page = keyferry("report", run, "--format", form).out
        assert page.index("complete and intact") < page.index("Who, when, where")
        assert "Unsigned: " in page


def test_the_report_names_the_keys_that_signed(run: Path, tmp_path: Path) -> None:
    keyferry("sign", "--rehearsal", run, "--key", make_key(tmp_path, "alice"), "--role", "witness")
    [[role, name, key]] = keyferry("report", run, "--json").document["verification"]["signatures"]
    assert (role, key.split(":")[0]) == ("witness", "SHA256")
    for form in ("html", "md"):
        page = html.unescape(re.sub("<[^>]*>|\\\\", "", keyferry("report", run, "--format", form).out))
        assert f"Signed as witness: {name}, by the key {key}" in page
        assert "Signatures: 1, valid over this head" in page


def test_the_report_of_a_changed_record_says_so_first(run: Path) -> None:
    edit(run / CKDEMO, event_edited)
    done = keyferry("report", run, "--json")
    assert (done.status, done.document["verification"]["intact"]) == (0, False)
    for form in ("html", "md"):
        told = keyferry("report", run, "--format", form)
        page = told.out
        assert (
            page.index("NOT INTACT")
            < page.index("not as it was written: ")
            < page.index("003-ckdemo.cast: line 41")
            < page.index("Who, when")
        )
        assert "warning: the record is not intact" in told.err


def _half(data: bytes) -> bytes:
    return data[: len(data) // 2]


@pytest.mark.parametrize("name", ["journal.jsonl", "run.json", "plan.json", "manifest.json", CKDEMO])
def test_the_report_of_a_damaged_record_ends_as_verifying_it_does(run: Path, name: str) -> None:
    file = run / name
    file.chmod(0o600)
    data = file.read_bytes()
    file.write_bytes(b"{\n" + data if name == CKDEMO else data.replace(b":", b"", 1))
    for command in (("verify",), ("report",), ("transcript", "diff", run), ("transcript", "diff", "--meaning", run)):
        done = keyferry(*command, run)
        assert (done.status, done.out) == (6, ""), command
        assert command == ("verify",) or f"error: the record is damaged: {file}: line 1: " in done.err
        assert command == ("verify",) or f"hint: `keyferry verify {run}` says what else" in done.err
        assert "keys: " in done.err


@pytest.mark.parametrize("line", [0, 7])
def test_a_damaged_recording_is_told_from_a_file_that_is_none(run: Path, line: int, tmp_path: Path) -> None:
    lines = (run / CKDEMO).read_bytes().splitlines(keepends=True)
    lines[line] = _half(lines[line]) + b"\n"
    (run / CKDEMO).chmod(0o600)
    (run / CKDEMO).write_bytes(b"".join(lines))
    for command in (("show",), ("play",), ("sanitize", "-o", tmp_path / "clean.cast")):
        done = keyferry("transcript", *command, run / CKDEMO)
        assert (done.status, done.out) == (6, "")
        assert f"error: the record is damaged: {run / CKDEMO}: line {line + 1}: " in done.err
        assert "hint: `keyferry verify" in done.err
        none = keyferry("transcript", *command, run / "journal.jsonl")
        assert (none.status, none.out) == (2, "")
        assert "hint: name a recording" in none.err


def test_the_half_line_of_a_killed_session_is_no_damage(run: Path, whole: Path, tmp_path: Path) -> None:
    (run / CKDEMO).chmod(0o600)
    (run / CKDEMO).write_bytes((run / CKDEMO).read_bytes()[:-9])
    done = keyferry("transcript", "show", run / CKDEMO)
    assert (done.status, "the last line is not whole" in done.err) == (0, True)
    assert "# tool: ckdemo" in done.out
    assert keyferry("transcript", "sanitize", run / CKDEMO, "-o", tmp_path / "clean.cast").status == 0
    for meaning in ((), ("--meaning",)):
        done = keyferry("transcript", "diff", *meaning, run, whole)
        assert (done.status, done.err) == (0, "")


@pytest.mark.parametrize("arguments", [(), ("nowhere",), (".", "--head", "12")])
def test_words_that_name_no_run(arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert keyferry("verify", *arguments).status == 2


@pytest.mark.parametrize("head", ["12", "", "0" * 63, "G" * 64, "A" * 64, "0" * 64 + "\n"])
def test_a_head_that_is_none_is_a_usage_error_of_the_script_too(tmp_path: Path, head: str) -> None:
    (tmp_path / "journal.jsonl").write_bytes(b"")
    done = subprocess.run([*_SCRIPT, tmp_path, "--head", head], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "a head is 64 lower-case hex digits; nothing was read" in done.stderr
    assert keyferry("verify", tmp_path, "--head", head).status == 2


def test_the_script_says_in_words_that_there_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_bytes(b"")
    for name in ("empty", "file", "nowhere", "x" * 5000):
        done = subprocess.run([*_SCRIPT, tmp_path / name], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (2, "")
        assert "holds no run: name the folder of one; nothing was read" in done.stderr
        assert "Errno" not in done.stderr
    (tmp_path / "empty/run.json").write_bytes(b"{}")
    done = subprocess.run([*_SCRIPT, tmp_path / "empty"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (6, "")
    assert done.stdout == f"WRONG: {tmp_path / 'empty/journal.jsonl'}: No such file or directory\n"


def test_the_script_is_in_every_run_and_the_package_gives_it(run: Path) -> None:
    assert (run / "verify.py").read_bytes() == SCRIPT.read_bytes()
    assert keyferry("verify", "--emit-script").out == SCRIPT.read_text()
    assert len(SCRIPT.read_text().splitlines()) <= 350
    digest = hashlib.sha256(SCRIPT.read_bytes()).hexdigest()
    assert digest in (Path(__file__).parents[2] / "docs" / "audit.md").read_text()


def test_a_single_action_has_a_record_too(tmp_path: Path) -> None:
    world = World.create(tmp_path / "hsm")
    done = keyferry("kmu", "list-users", "--config", world.config, KEYFERRY_RUN_DIRECTORY=str(tmp_path / "runs"))
    assert done.status == 0, done.err
    [run] = (tmp_path / "runs").iterdir()
    both_say("complete", run)
    told = keyferry("status", run, "--json").document
    assert (told["state"], told["next"]) == ("ended", None)
    with pytest.raises(MismatchError):
        verify(run, "0" * 64)


def test_the_stock_player_plays_every_file_of_a_run(whole: Path, tmp_path: Path) -> None:
    environment = {"LC_ALL": "C.UTF-8", "TERM": "xterm", "ASCIINEMA_CONFIG_HOME": str(tmp_path)}
    for path in sorted((whole / "sessions").iterdir()):
        command = [str(Path(sys.executable).with_name("asciinema")), "cat", str(path)]
        done = subprocess.run(command, capture_output=True, check=True, env=environment)
        events = [json.loads(line) for line in path.read_bytes().splitlines()[1:]]
        assert done.stdout.decode() == "".join(event[2] for event in events if event[1] == "o")


def test_the_script_knows_the_procedure_of_each_tool() -> None:
    assert COMMANDS.keys() == allowed_commands.MIGRATION.keys()
    for tool, pattern in COMMANDS.items():
        known = {verb for verb in allowed_commands.ACTION[tool] if re.fullmatch(pattern, verb)}
        assert known == allowed_commands.MIGRATION[tool]
