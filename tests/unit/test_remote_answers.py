"""What another host's own programs print is read strictly, and their standard error is no part of it."""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyferry.errors import Exit, KeyferryError, UnknownScreenError, UnreachableError
from keyferry.recording.recorder import Recorder
from keyferry.terminal.console import Console
from keyferry.terminal.host import LocalHost
from keyferry.terminal.login_noise import LoginNoise
from keyferry.terminal.prompts import ENDED, InputLimits, Prompt
from keyferry.terminal.remote import answers, ssh
from keyferry.terminal.remote.host import RemoteHost
from keyferry.terminal.remote.shell import LOOP, RemoteShell
from programs import LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LOADER = "ERROR: ld.so: object '/nonexistent/x.so' from LD_PRELOAD cannot be preloaded (no such file): ignored."
HASH = "ab" * 32


class Front:
    """A host on whose PATH other programs stand before the system's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "front").mkdir()
        (folder / "bin").mkdir()
        self.tool("#!/bin/sh\necho hello\n")
        way = ssh.Route(prefix=("env", f"PATH={folder / 'front'}:/usr/bin:/bin", f"TMPDIR={folder}"))
        self.host = RemoteHost("far", way, str(folder / "bin"), limit=LIMIT)

    def tool(self, content: str) -> None:
        (self.folder / "bin/cmu").write_text(content)
        (self.folder / "bin/cmu").chmod(0o755)

    def put(self, program: str, script: str) -> None:
        path = self.folder / "front" / program
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    @property
    def private(self) -> Path:
        [found] = self.folder.glob("keyferry-*")
        return found


@pytest.fixture
def front(tmp_path: Path) -> Iterator[Front]:
    found = Front(tmp_path)
    with found.host:
        yield found


ACTS: dict[str, Callable[[Front], object]] = {
    "program": lambda front: front.host.program("cmu"),
    "put": lambda front: front.host.put(front.folder / "bin/cmu", "x"),
    "fetch": lambda front: front.host.fetch("file", front.folder / "out"),
    "collect": lambda front: front.host.collect("file", front.folder / "out"),
    "take": lambda front: front.host.take("file"),
    "size": lambda front: front.host.size("file"),
    "read": lambda front: front.host.read("file", 3),
    "glimpse": lambda front: front.host.read_prefix_and_erase("file", 3),
    "erase": lambda front: front.host.erase("file"),
    "df": lambda front: front.host.free_space(),
}
USES = {
    "sha256sum": ("program", "put", "fetch", "collect"),
    "wc": ("program", "size", "glimpse", "erase"),
    "od": ("program", "fetch", "collect", "take", "read", "glimpse"),
    "df": ("df",),
}
PAIRS = [(program, act) for program, acts in USES.items() for act in acts]


@pytest.mark.parametrize(("program", "act"), PAIRS)
def test_an_answer_is_understood_or_an_error_and_a_missing_program_is_another(
    front: Front, program: str, act: str
) -> None:
    def outcome(script: str) -> KeyferryError | None:
        front.host.write("file", b"secret")
        front.put(program, script)
        try:
            ACTS[act](front)
        except KeyferryError as error:
            return error
        return None

    real = f'PATH=/usr/bin:/bin exec {program} "$@"'
    assert outcome(f"echo a word of a wrapper >&2; {real}") is None
    for garbage in ("echo hello", f"echo note; {real}", "echo 1 2", "exit 0"):
        found = outcome(garbage)
        assert isinstance(found, UnknownScreenError), garbage
        assert (found.exit_code, found.host) == (Exit.UNKNOWN_SCREEN, "far")
    lost = outcome(f"echo {program}: not found >&2; exit 127")
    assert isinstance(lost, UnreachableError)
    assert "not found" in (lost.seen or "")
    assert "missing" in (lost.hint or "")


def test_a_secret_file_whose_size_is_not_understood_does_not_stay(front: Front) -> None:
    front.put("wc", "echo many")
    for act in ("glimpse", "erase"):
        front.host.write("file", b"zero block")
        with pytest.raises(UnknownScreenError):
            ACTS[act](front)
        assert os.listdir(front.private) == []


@pytest.mark.parametrize(
    "told",
    ["", "\n", "12", "Filesystem\n", "x\n/dev/sda 9 9 many 99% /\n", "x\n/dev/sda 9 9 12 99% /\nmore\n"],
)
def test_a_table_of_df_that_is_not_one(told: str) -> None:
    with pytest.raises(UnknownScreenError):
        answers.free_space(told)


@pytest.mark.parametrize("told", [f"{HASH}  -", f"{HASH} *-", HASH, f"SHA2-256(stdin)= {HASH}", f"(stdin)= {HASH}\n"])
def test_every_way_of_telling_a_hash(told: str) -> None:
    assert answers.digest("openssl", told) == HASH


@pytest.mark.parametrize("told", ["", HASH[:-1], f"{HASH} {HASH}", f"{HASH}0", HASH.upper(), f"{HASH}  file"])
def test_what_is_no_hash(told: str) -> None:
    with pytest.raises(UnknownScreenError):
        answers.digest("sha256sum", told)


@pytest.mark.parametrize("told", ["/opt/other/cmu\n", "note\n", "/opt/bin/cmx\n"])
def test_only_the_program_that_was_looked_at_is_found_in_a_folder_that_was_named(told: str) -> None:
    with pytest.raises(UnknownScreenError):
        answers.program_path(told, "cmu", ["/opt/bin/cmu"], elsewhere=False)
    assert answers.program_path("/opt/bin/cmu\n", "cmu", ["/opt/bin/cmu"], elsewhere=False) == "/opt/bin/cmu"
    assert answers.program_path("", "cmu", ["/opt/bin/cmu"], elsewhere=False) is None


def test_a_program_that_the_path_finds_is_taken_wherever_it_is() -> None:
    told = "a note\n/opt/other/cmu\n"
    assert answers.program_path(told, "cmu", ["/opt/bin/cmu"], elsewhere=True) == "/opt/other/cmu"


@pytest.mark.parametrize("told", ["", "root", "\ufffd\ufffd0\0\n", "0 0", "-1", "\u0663"])
def test_what_is_no_users_number(told: str) -> None:
    with pytest.raises(UnknownScreenError):
        answers.account(told)
    assert answers.account("1000\n") == 1000


@pytest.mark.parametrize("answer", ["", "no equal sign", "clock=x", "temporary=", "temporary=relative"])
def test_a_shell_that_tells_nothing_of_its_host(tmp_path: Path, answer: str) -> None:
    """Whatever it is, it is no POSIX shell: the answer is not understood, and no folder is made."""
    mock = (
        f"#!/bin/sh\nread -r line; set -- $line; m=${{3%;}}; printf '%s\\n{answer}\\n%s 0\\n\\n%s.\\n' $m $m $m; cat\n"
    )
    (tmp_path / "odd").write_text(mock)
    (tmp_path / "odd").chmod(0o755)
    with (
        pytest.raises(UnknownScreenError) as error,
        RemoteHost("far", ssh.Route(prefix=(str(tmp_path / "odd"),)), "", limit=LIMIT, start_limit=LIMIT),
    ):
        pass
    assert error.value.host == "far"


@pytest.mark.parametrize("way", [LOOP, f"exec 2>&1; {LOOP}"], ids=["apart", "joined"])
def test_standard_error_is_no_part_of_an_answer(way: str) -> None:
    far = RemoteShell(["/bin/sh", "-c", way], os.environ)
    told = far.ask("echo word >&2; echo out; echo more >&2; (exit 3)", LIMIT)
    assert (told.status, told.output, told.errors) == (3, b"out\n", "word\nmore")
    assert far.ask(":", LIMIT, then="kept='a b'").errors == ""
    assert far.ask("echo $kept; false", LIMIT, then="kept=lost").output == b"a b\n"
    assert far.ask("echo $kept", LIMIT).output == b"a b\n"
    far.close()


def test_what_is_printed_behind_an_answer_does_not_hide_its_end() -> None:
    more = "sed -u 's/^[0-9a-f]*[.]$/&\\nmore than a few bytes/'"
    far = RemoteShell(["/bin/sh", "-c", f"{{ {LOOP}; }} | {more}"], os.environ)
    assert [far.ask(f"echo {number}", LIMIT).output for number in (1, 2)] == [b"1\n", b"2\n"]
    far.close()


@pytest.mark.parametrize("size", [1, 5, 1000])
@pytest.mark.parametrize("lines", [0, 1, 3])
def test_the_loaders_words_are_no_part_of_a_tools_output(size: int, lines: int) -> None:
    noticed: list[int] = []
    mask = LoginNoise(b"feed5eed", noticed.append)
    said = f"{LOADER}\r\n".encode()
    stream = b"feed5eed /dev/pts/1\r\n" + said * lines + b"ERROR: token\r\n" + said
    parts = [stream[at : at + size] for at in range(0, len(stream), size)]
    assert b"".join(map(mask.feed, parts)) == b"ERROR: token\r\n" + said
    assert noticed == [len(said)] * lines


BROKEN = {
    "another architecture": b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\xff\xfe" + bytes(44),
    "no program at all": b"\x01\x02\x03",
    "no interpreter": b"#!/nonexistent/interpreter\n",
    "a wrapper of another architecture": b'#!/bin/sh\nexec "$(dirname "$0")/real"\n',
    "a library is missing": b"#!/bin/sh\necho 'cmu: error while loading shared libraries: libx.so: gone'; exit 127\n",
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("far", [False, True])
def test_a_tool_that_cannot_be_started_is_unreachable(tmp_path: Path, content: bytes, far: bool) -> None:
    (tmp_path / "bin").mkdir()
    for name, data in (("cmu", content), ("real", BROKEN["another architecture"])):
        (tmp_path / "bin" / name).write_bytes(data)
        (tmp_path / "bin" / name).chmod(0o755)
    host = RemoteHost("h", ssh.Route(prefix=("env",)), f"{tmp_path}/bin") if far else LocalHost("h", tmp_path / "bin")
    with (
        host,
        pytest.raises(UnreachableError, match="could not be started") as error,
        Console(host.program("cmu"), Recorder(tmp_path / "x.cast", {}), InputLimits()) as console,
    ):
        console.hear(Prompt(ENDED, b""), limit=LIMIT)
    assert "Errno" not in f"{error.value.what} {error.value.seen}"


@pytest.mark.parametrize("program", ["nosuchprogram", "/nonexistent/program", "damaged", "not-executable"])
@pytest.mark.parametrize("by", ["prefix", "ssh"])
def test_a_way_whose_program_cannot_be_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, by: str
) -> None:
    (tmp_path / "damaged").write_bytes(BROKEN["no program at all"])
    (tmp_path / "damaged").chmod(0o755)
    (tmp_path / "not-executable").write_text("#!/bin/sh\n")
    if (tmp_path / program).exists():
        program = str(tmp_path / program)
    way = ssh.Route(prefix=(program,)) if by == "prefix" else ssh.Route("somewhere")
    if by == "ssh":
        monkeypatch.setattr(ssh, "PROGRAM", program)
    with pytest.raises(UnreachableError, match="cannot be reached") as error, RemoteHost("far", way, ""):
        pass
    assert program in error.value.what
    assert "Errno" not in error.value.what
    assert error.value.keys == "nothing was changed"
    assert "`prefix`" in (error.value.hint or "")


BLOB = bytes(range(7, 250, 3))


@pytest.mark.parametrize(
    "dump",
    [
        " ".join(f"{byte:02x}" for byte in BLOB),
        "\n".join(" " + " ".join(f"{byte:02X}" for byte in BLOB[at : at + 16]) for at in range(0, 80, 16)),
        " ".join(f"{at:04x}" for at in range(300, 4000, 99)),
        "0000000 " + " ".join(f"{byte:03o}" for byte in BLOB),
        BLOB.hex(),
        base64.b64encode(BLOB).decode(),
        HASH,
    ],
)
@pytest.mark.parametrize("program", ["od", "wc", "sha256sum", "df"])
def test_bytes_in_any_spelling_are_counted_not_shown(program: str, dump: str) -> None:
    seen = answers.unknown(program, f"od: warning: no such option\n{dump}\nzz\n").seen or ""
    assert "od: warning: no such option" in seen
    assert not any(word in seen.split() for word in dump.split()[1:])
    assert dump not in seen
    assert len(seen) < 200


def test_readable_words_stay_readable() -> None:
    told = "Filesystem 1024-blocks Used\n/dev/sda1 10485760 5242880 5242880 50% /a bad bed fed\n"
    assert answers.readable(told) == told.strip()


def test_a_long_answer_is_bounded() -> None:
    seen = answers.unknown("df", "two words " * 900 + "\n" + "row\n" * 90).seen or ""
    assert len(seen) < 2000


@given(st.text(max_size=300))
def test_whatever_is_printed_can_be_shown(told: str) -> None:
    assert len(answers.readable(told)) <= 8 * 201


def test_another_number_of_bytes_is_told_as_a_number() -> None:
    with pytest.raises(UnknownScreenError) as error:
        answers.read_prefix_and_erase("40", " ab cd\n", 16)
    assert error.value.seen == "2 bytes of 16"
