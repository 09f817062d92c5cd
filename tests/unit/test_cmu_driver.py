"""cmu's driver against small programs on a pty: what it types, when, and what it takes for a login's success."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from keyferry.errors import (
    CheckFailedError,
    KeyferryError,
    LoginRefusedError,
    ToolRefusedError,
    UnknownScreenError,
    UnreachableError,
)
from keyferry.names import ClassicHandle, Slot
from keyferry.secrets import Secret
from keyferry.terminal.host import LocalHost
from keyferry.terminal.sessions import Sessions
from keyferry.tools.cmu.driver import Cmu
from keyferry.tools.limits import Limits
from keyferry.tools.logins import Logins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PIN = Secret("pin", b"tell-nobody")
ASK = "Please enter password for token in slot 1 : "
LIMITS = Limits(start=20, answer=20, login=20)

_TOOL = """#!{python} -IS
import os, sys, termios
def ask(prompt):
    os.write(1, prompt.encode())
    mode = termios.tcgetattr(0)
    quiet = [*mode]
    quiet[3] &= ~termios.ECHO
    termios.tcsetattr(0, termios.TCSANOW, quiet)
    got = os.read(0, 4096)
    open({typed!r}, "ab").write(got)
    termios.tcsetattr(0, termios.TCSANOW, mode)
    os.write(1, b"*" * (len(got) - 1) + b"\\n")
{script}
"""


@pytest.fixture
def typed(tmp_path: Path) -> Path:
    """The file that holds what the tool read."""
    path = tmp_path / "typed"
    path.touch()
    return path


@pytest.fixture
def cmu(tmp_path: Path, typed: Path) -> Iterator[Callable[[str], Cmu]]:
    """Makes a cmu of a script that has `ask(prompt)`; all share one memory of logins."""
    logins = Logins()
    folder = tmp_path / "bin"
    folder.mkdir()
    with LocalHost("classic", folder) as host:
        sessions = Sessions(tmp_path, "run", [PIN])

        def make(script: str) -> Cmu:
            tool = folder / "cmu"
            tool.write_text(_TOOL.format(python=sys.executable, typed=str(typed), script=script))
            tool.chmod(0o755)
            return Cmu(sessions, host, LIMITS, Slot(1), PIN, logins)

        yield make
        sessions.close()


LISTS = f"ask({ASK!r})\nprint('handle=3\\tlabel=x')"


def test_the_pin_is_typed_at_its_prompt_and_an_understood_answer_allows_the_next(
    cmu: Callable[[str], Cmu], typed: Path
) -> None:
    tool = cmu(LISTS)
    for _ in range(2):
        assert [(one.handle, one.label) for one in tool.list()] == [(3, "x")]
    assert typed.read_bytes() == b"tell-nobody\n" * 2


def test_no_password_is_typed_where_none_is_asked(cmu: Callable[[str], Cmu], typed: Path) -> None:
    assert [one.label for one in cmu("print('handle=3\\tlabel=x')").list()] == ["x"]
    assert typed.read_bytes() == b""


@pytest.mark.parametrize(
    ("prompt", "kind"),
    [
        ("Please enter password for token in slot 2 : ", CheckFailedError),
        ("Select token\n [0] Token Label: x\n \n Enter choice: ", UnknownScreenError),
        ("odd news\n" + ASK, UnknownScreenError),
        ("Error: no library\n" + ASK, ToolRefusedError),
    ],
)
def test_the_pin_is_not_typed_at_another_prompt(
    cmu: Callable[[str], Cmu], typed: Path, prompt: str, kind: type[KeyferryError]
) -> None:
    with pytest.raises(kind) as refused:
        cmu(f"ask({prompt!r})").list()
    assert typed.read_bytes() == b""
    assert refused.value.record
    assert kind is not CheckFailedError or refused.value.rule == "SLOT-MATCH"


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        ("print('Error: CKR_PIN_INCORRECT'); sys.exit(1)", LoginRefusedError),
        ("print('login failed')", LoginRefusedError),
        (f"ask({ASK!r})", UnknownScreenError),
        ("sys.exit(2)", ToolRefusedError),
        ("os.kill(os.getpid(), 9)", UnreachableError),
        ("print('odd news')", UnknownScreenError),
        ("print('handle=3\\tlabel=x'); sys.exit(1)", ToolRefusedError),
        ("print('Error: CKR_DEVICE_ERROR'); sys.exit(1)", ToolRefusedError),
    ],
)
def test_after_a_login_that_was_not_proved_the_pin_is_not_typed_again(
    cmu: Callable[[str], Cmu], typed: Path, script: str, kind: type[KeyferryError]
) -> None:
    with pytest.raises(kind):
        cmu(f"ask({ASK!r})\n{script}").list()
    with pytest.raises(LoginRefusedError) as again:
        cmu(LISTS).list()
    assert again.value.rule == "LOGIN-ONCE"
    assert typed.read_bytes() == b"tell-nobody\n"


def test_a_tool_that_ends_before_it_asks_is_unreachable(cmu: Callable[[str], Cmu]) -> None:
    with pytest.raises(UnreachableError):
        cmu("sys.exit(1)").list()


SHOWS_ARGUMENTS = f"ask({ASK!r})\nopen('arguments', 'a').write(repr(sys.argv[1:]) + chr(10))\n"


@pytest.mark.parametrize("said", ["", "print('...The public key was successfully created -> handle(9)')"])
def test_an_import_has_the_slot_first_and_believes_no_words(
    cmu: Callable[[str], Cmu], tmp_path: Path, said: str
) -> None:
    script = SHOWS_ARGUMENTS.replace("'arguments'", repr(str(tmp_path / "arguments"))) + said
    cmu(script).import_public_key("key.pem", "classic wrap", "-pub=rsa")
    assert (tmp_path / "arguments").read_text() == (
        "['import', '-slot=1', '-inputFile=key.pem', '-label=classic wrap', '-pub=rsa']\n"
    )


@pytest.mark.parametrize(
    "script", ["print('Error: unknown option')", "print('usage: import x'); sys.exit(1)", "sys.exit(1)"]
)
def test_a_refused_import_names_the_setting(cmu: Callable[[str], Cmu], script: str) -> None:
    with pytest.raises((ToolRefusedError, UnknownScreenError)) as refused:
        cmu(f"ask({ASK!r})\n{script}").import_public_key("key.pem", "classic_wrap")
    assert "`[classic] cmu_public_key_option`" in (refused.value.hint or "")


def _holds(kind: str) -> str:
    shows = f"print('class={kind}'); print('keytype=AES'); print('extractable=true')"
    return (
        f"ask({ASK!r})\nif sys.argv[1] == 'getAttribute':\n    {shows}\n"
        "else:\n    open(os.environ['HOME'] + '/deleted', 'w').write(repr(sys.argv[1:]))\n"
    )


def test_a_public_key_is_deleted(cmu: Callable[[str], Cmu], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    cmu(_holds("publicKey")).delete(ClassicHandle(5))
    assert (tmp_path / "deleted").read_text() == "['delete', '-slot=1', '-handle=5', '-force']"


@pytest.mark.parametrize("kind", ["secretKey", "privateKey", "certificate", "data"])
def test_nothing_but_a_public_key_is_deleted(
    cmu: Callable[[str], Cmu], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(CheckFailedError) as refused:
        cmu(_holds(kind)).delete(ClassicHandle(5))
    assert refused.value.rule == "SOURCE-READ-ONLY"
    assert "deleted" not in os.listdir(tmp_path)
