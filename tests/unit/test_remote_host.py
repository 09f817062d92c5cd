"""A host behind a command prefix: everything of another host but ssh, which tests/hosts has."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from keyferry.errors import UnreachableError, UsageError
from keyferry.recording.recorder import Recorder
from keyferry.terminal.console import Console
from keyferry.terminal.login_noise import LoginNoise
from keyferry.terminal.prompts import ENDED, InputLimits, Prompt
from keyferry.terminal.remote import ssh
from keyferry.terminal.remote.host import RemoteHost
from keyferry.terminal.remote.shell import LOOP, BrokenShellError, RemoteShell
from programs import END, LIMIT, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

SHELLS = [path for path in ("/bin/dash", "/bin/bash") if Path(path).exists()]
BYTES = bytes(range(256)) * 2 + b"%d\\n'\"$(x)\0\n"
AWKWARD = "a 'b' \"c\" $d `e` \\ *"


@pytest.fixture(params=["sha256sum", "openssl", None])
def host(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RemoteHost]:
    """With each way of hashing that such a host may have."""
    (tmp_path / "tmp dir").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp dir"))
    with RemoteHost("far", ssh.Route(prefix=("env",)), str(tmp_path / "bin"), limit=LIMIT) as found:
        found.facts = {name: value for name, value in found.facts.items() if name != "hash"}
        if request.param:
            found.facts |= {"hash": request.param}
        yield found


def test_files_come_and_go_with_the_same_hash_and_in_private(host: RemoteHost, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(BYTES)
    digest = hashlib.sha256(BYTES).hexdigest()
    assert host.put(tmp_path / "in", AWKWARD) == digest
    [folder] = (tmp_path / "tmp dir").iterdir()
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, folder / AWKWARD)] == [0o700, 0o600]
    assert os.listdir(folder) == [AWKWARD]
    assert host.fetch(AWKWARD, tmp_path / "out") == digest
    assert (tmp_path / "out").read_bytes() == BYTES
    assert (host.size(AWKWARD), host.read(AWKWARD, 3)) == (len(BYTES), BYTES[:3])
    host.remove(AWKWARD)
    host.remove(AWKWARD)
    assert host.size(AWKWARD) is None


def test_many_files_move_in_one_transfer(host: RemoteHost, tmp_path: Path) -> None:
    contents = {f"{number}.wrapped": bytes([number, 0, 255]) * number for number in range(20)}
    for name, data in contents.items():
        (tmp_path / name).write_bytes(data)
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()}
    assert host.put_all({name: tmp_path / name for name in contents}) == hashes
    assert host.fetch_all({name: tmp_path / f"back-{name}" for name in contents}) == hashes
    assert {name: (tmp_path / f"back-{name}").read_bytes() for name in contents} == contents
    assert host.put_all({}) == host.fetch_all({}) == {}


def test_an_erased_file_is_overwritten_before_it_goes(host: RemoteHost, tmp_path: Path) -> None:
    host.write("zero", b"ciphertext of a zero block")
    [folder] = (tmp_path / "tmp dir").iterdir()
    (tmp_path / "kept").hardlink_to(folder / "zero")
    host.erase("zero")
    host.erase("zero")
    assert host.size("zero") is None
    assert b"ciphertext" not in (tmp_path / "kept").read_bytes()


@pytest.mark.parametrize("size", [0, 2, 16, 70000])
def test_a_glimpse_tells_size_and_beginning_and_leaves_nothing(host: RemoteHost, tmp_path: Path, size: int) -> None:
    host.write("secret", b"\xff\0x")
    [folder] = (tmp_path / "tmp dir").iterdir()
    (folder / "secret").write_bytes(BYTES[:size].ljust(size, b"x"))
    (tmp_path / "kept").hardlink_to(folder / "secret")
    assert host.read_prefix_and_erase("secret", 3) == (size, BYTES[: min(size, 3)])
    assert (tmp_path / "kept").read_bytes() == b"0" * size
    assert host.read_prefix_and_erase("secret", 3) is None
    assert os.listdir(folder) == []


def test_what_is_taken_or_collected_or_replaced_is_there_no_more(host: RemoteHost, tmp_path: Path) -> None:
    for name, data in (("some", BYTES), ("none", b"")):
        host.write(name, data)
        assert (host.take(name), host.take(name)) == (data, None)
    host.write("wrapped.key", BYTES)
    assert host.collect("wrapped.key", tmp_path / "out") == hashlib.sha256(BYTES).hexdigest()
    assert (tmp_path / "out").read_bytes() == BYTES
    host.write(AWKWARD, b"x")
    host.put_all({"new": tmp_path / "out"}, instead_of=[AWKWARD, "never there"])
    assert [os.listdir(folder) for folder in (tmp_path / "tmp dir").iterdir()] == [["new"]]


def test_a_room_has_files_of_its_own(host: RemoteHost, tmp_path: Path) -> None:
    room = host.room("2")
    host.write("x", b"1")
    room.write("x", b"22")
    assert (host.read("x"), room.take("x"), room.size("x")) == (b"1", b"22", None)
    with _console(room, tmp_path, "print(os.getcwd())") as console:
        [folder] = (tmp_path / "tmp dir").iterdir()
        assert shown(console.hear(END, limit=LIMIT)) == str(folder / "2")
    assert stat.S_IMODE((folder / "2").stat().st_mode) == 0o700


def test_a_file_that_is_not_there_is_an_error_with_the_hosts_words(host: RemoteHost, tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="cannot give nothing") as error:
        host.fetch("nothing", tmp_path / "out")
    assert "nothing" in (error.value.seen or "")
    assert not (tmp_path / "out").exists()


def test_the_private_folder_goes_with_the_host_and_was_on_record_before(tmp_path: Path) -> None:
    noted: list[tuple[str, bool]] = []
    way = ssh.Route(prefix=("env", f"TMPDIR={tmp_path}"))
    with RemoteHost("far", way, "", note=lambda where, folder: noted.append((where, Path(folder).exists()))):
        assert len(os.listdir(tmp_path)) == 1
    assert noted == [("far", False)]
    assert os.listdir(tmp_path) == []


def test_a_folder_that_a_killed_run_left_is_removed_and_no_other(host: RemoteHost, tmp_path: Path) -> None:
    left = tmp_path / "keyferry-0123456789abcdef"
    left.mkdir()
    host.remove_folder(str(left))
    assert not left.exists()
    for other in (tmp_path, tmp_path / "keyferry-x", tmp_path / "keyferry-0123456789abcdef/.."):
        with pytest.raises(UsageError):
            host.remove_folder(str(other))


TOOL = f"#!{sys.executable}\nimport os, sys\n"


def _console(host: RemoteHost, tmp_path: Path, script: str, *arguments: str) -> Console:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/cmu").write_text(TOOL + script)
    (tmp_path / "bin/cmu").chmod(0o755)
    return Console(host.program("cmu", *arguments), Recorder(tmp_path / "x.cast", {}), InputLimits())


def test_a_tool_gets_its_arguments_and_a_clean_place(host: RemoteHost, tmp_path: Path) -> None:
    script = "print(repr((sys.argv[1:], os.environ['LC_ALL'], os.environ['TERM'], os.getcwd(), oct(os.umask(0)))))"
    with _console(host, tmp_path, script, AWKWARD, "--", "") as console:
        heard = shown(console.hear(END, limit=LIMIT))
    [folder] = (tmp_path / "tmp dir").iterdir()
    assert heard == repr(([AWKWARD, "--", ""], "C", "dumb", str(folder), "0o77"))


@pytest.mark.parametrize(
    ("end", "status"), [("sys.exit(7)", 7), ("sys.exit(255)", 255), ("os.kill(os.getpid(), 15)", None)]
)
def test_how_a_tool_ended(tmp_path: Path, end: str, status: int | None) -> None:
    with (
        RemoteHost("far", ssh.Route(prefix=("env",)), str(tmp_path / "bin")) as host,
        _console(host, tmp_path, end) as console,
    ):
        console.hear(Prompt(ENDED, b""), limit=LIMIT)
        assert console.close() == status


def test_a_tool_that_ends_because_the_connection_is_gone_has_not_ended_by_itself(tmp_path: Path) -> None:
    with (
        RemoteHost("far", ssh.Route(prefix=("env",)), str(tmp_path / "bin")) as host,
        _console(host, tmp_path, "input('> ')") as console,
    ):
        console.hear(Prompt(">", b">.*"), limit=LIMIT)
        with pytest.raises(UnreachableError):
            host.ask("kill -KILL $$")
        console.say("x")
        with pytest.raises(UnreachableError, match="the connection to the far host was lost while cmu ran"):
            console.hear(END, limit=LIMIT)


def test_a_tool_that_is_not_there(host: RemoteHost) -> None:
    with pytest.raises(UnreachableError, match="vtl is not there or may not be run"):
        host.program("vtl")


def test_a_relative_folder_of_tools_means_nothing_on_another_host() -> None:
    with pytest.raises(UsageError, match="absolute"):
        RemoteHost("far", ssh.Route("host"), "bin")


def test_what_cannot_be_reached_says_why() -> None:
    with (
        pytest.raises(UnreachableError, match="the far host cannot be reached") as error,
        RemoteHost("far", ssh.Route(prefix=("/bin/sh", "-c", "echo no such container >&2; exit 1")), ""),
    ):
        pass
    assert error.value.seen == "no such container"


@pytest.mark.parametrize("shell", SHELLS)
def test_noise_never_gets_into_an_answer(shell: str) -> None:
    noise = "echo 'Welcome! 0123456789abcdef 0'; echo more >&2; "
    far = RemoteShell([shell, "-c", noise + LOOP], os.environ)
    for text in ("one", "", "x\\ny\\n"):
        assert far.ask(f"printf '{text}'; false", LIMIT).output == text.encode().replace(b"\\n", b"\n")
    assert far.ask("(exit 9)", LIMIT).status == 9
    far.close()


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("stop", [None, signal.SIGHUP, signal.SIGTERM], ids=str)
def test_a_shell_that_is_cut_off_in_mid_command_removes_its_folder(
    tmp_path: Path, shell: str, stop: signal.Signals | None
) -> None:
    for name in ("begun", "go"):
        os.mkfifo(tmp_path / name)
    go = os.open(tmp_path / "go", os.O_RDWR)  # neither waits for a reader nor ends
    ours, theirs = socket.socketpair()  # as under sshd: what is written behind the cut is a SIGPIPE
    end = theirs.detach()
    with ours, subprocess.Popen([shell, "-c", LOOP], cwd=tmp_path, stdin=end, stdout=end, stderr=end) as far:
        os.close(end)
        ours.sendall(b"mkdir keyferry-x && private=$PWD/keyferry-x; echo >begun; read -r go <go; echo an answer\n")
        (tmp_path / "begun").read_text()
        if stop:
            far.send_signal(stop)
        ours.close()
        os.write(go, b"\n")
        far.wait(LIMIT)
    os.close(go)
    assert not (tmp_path / "keyferry-x").exists()


@pytest.mark.parametrize("stop", [signal.SIGHUP, signal.SIGTERM], ids=str)
@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_that_is_told_to_stop_between_two_commands_removes_its_folder(
    tmp_path: Path, shell: str, stop: signal.Signals
) -> None:
    ours, theirs = socket.socketpair()
    end = theirs.detach()
    with ours, subprocess.Popen([shell, "-c", LOOP], cwd=tmp_path, stdin=end, stdout=end) as far:
        os.close(end)
        ours.sendall(b"mkdir keyferry-x && private=$PWD/keyferry-x; echo ready\n")
        assert ours.recv(10) == b"ready\n"
        far.send_signal(stop)
        ours.close()
        far.wait(LIMIT)
    assert not (tmp_path / "keyferry-x").exists()


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_removes_no_folder_that_only_the_account_calls_private(tmp_path: Path, shell: str) -> None:
    (tmp_path / "home").mkdir()
    RemoteShell([shell, "-c", LOOP], os.environ | {"private": str(tmp_path / "home"), "kf_over": "1"}).close()
    assert (tmp_path / "home").exists()


def test_a_shell_tries_again_where_a_tool_still_writes_into_its_folder(tmp_path: Path) -> None:
    (tmp_path / "rm").write_text('#!/bin/sh\n[ -e "$0.once" ] && exec /bin/rm "$@"\n: >"$0.once"; exit 1\n')
    (tmp_path / "rm").chmod(0o755)
    (tmp_path / "sleep").symlink_to("/bin/true")
    far = RemoteShell(["/bin/sh", "-c", LOOP], os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    assert far.ask(f"mkdir '{tmp_path}/x'", LIMIT, then=f"private='{tmp_path}/x'").status == 0
    far.close()
    assert (tmp_path / "rm.once").exists()
    assert not (tmp_path / "x").exists()


def test_a_shell_that_does_not_answer_in_time_is_never_asked_again() -> None:
    far = RemoteShell(["/bin/sh", "-c", LOOP], os.environ)
    with pytest.raises(BrokenShellError, match="in time"):
        far.ask("read -r more", 0.05)
    with pytest.raises(BrokenShellError, match="in time"):
        far.ask("echo late", LIMIT)
    far.close()


@pytest.mark.parametrize("host", ["-oProxyCommand=x", "a b", "a\nb"])
def test_what_ssh_would_take_for_an_option_is_no_host(host: str) -> None:
    with pytest.raises(UsageError, match="nothing that ssh can be told"):
        ssh.way(host, "", "", sudo=False)


@pytest.mark.parametrize("options", ["-v", "Port", "'x", "=5"])
def test_ssh_options_are_names_and_values(options: str) -> None:
    with pytest.raises(UsageError, match="ssh_options"):
        ssh.way("host", options, "", sudo=False)


def test_no_option_weakens_what_ssh_is_told_first() -> None:
    for option in ("StrictHostKeyChecking=no", "EscapeChar=~"):
        with pytest.raises(UsageError, match=option.partition("=")[0]):
            ssh.way("me@host", option, "", sudo=False)
    connection = ssh.Connection(ssh.way("me@host", "Port=22", "", sudo=False))
    for argv in (connection.shell(), connection.tool(["/opt/x y"])):
        options = [word.removeprefix("-o") for word in argv if word.startswith("-o")]
        first = {name: value for name, _, value in (option.partition("=") for option in reversed(options))}
        assert first["StrictHostKeyChecking"] == "yes"
        assert (first["EscapeChar"], first["ForwardAgent"], first["Port"]) == ("none", "no", "22")
        assert argv[-3:-1] == ["--", "me@host"]


def test_a_prefix_and_sudo_stand_before_every_command() -> None:
    connection = ssh.Connection(ssh.way("", "", "docker exec -it 'my box'", sudo=True))
    assert connection.tool(["x"]) == ["sudo", "-n", "docker", "exec", "-it", "my box", "x"]
    assert connection.shell()[:6] == ["sudo", "-n", "docker", "exec", "-i", "my box"]


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize("noise", [b"", b"Last login: today\r\n$ "])
def test_login_noise_goes_up_to_the_marker(size: int, noise: bytes) -> None:
    noticed: list[int] = []
    mask = LoginNoise(b"feed5eed", noticed.append)
    stream = noise + b"feed5eed\r\nCommand: feed5eed\r\n"
    parts = [stream[at : at + size] for at in range(0, len(stream), size)]
    assert b"".join(map(mask.feed, parts)) == b"Command: feed5eed\r\n"
    assert noticed == ([len(noise)] if noise else [])


def test_noise_without_a_marker_is_what_there_was_instead() -> None:
    mask = LoginNoise(b"feed5eed", lambda _length: None)
    assert mask.feed(b"no such file") == b""
    assert mask.flush() == b"no such file"
