"""cmu's driver against small programs on a pty: what it types, when, and what it takes for a login's success."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Protocol

import pytest

from keyferry.errors import (
    CheckFailedError,
    KeyferryError,
    LoginRefusedError,
    MismatchError,
    ToolRefusedError,
    UnknownScreenError,
    UnreachableError,
    UsageError,
)
from keyferry.pkcs11 import Slot, SourceHandle
from keyferry.secrets import Secret
from keyferry.terminal.host import LocalHost
from keyferry.terminal.sessions import Sessions
from keyferry.tools.cmu.driver import Cmu
from keyferry.tools.limits import Limits
from keyferry.tools.logins import Logins

if TYPE_CHECKING:
    from collections.abc import Iterator
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


class Make(Protocol):
    """Makes a cmu of a script."""

    def __call__(self, script: str, *, ha: bool = False, token: str | None = None) -> Cmu: ...


@pytest.fixture
def typed(tmp_path: Path) -> Path:
    """The file that holds what the tool read."""
    path = tmp_path / "typed"
    path.touch()
    return path


@pytest.fixture
def cmu(tmp_path: Path, typed: Path) -> Iterator[Make]:
    """Makes a cmu of a script that has `ask(prompt)`; all share one memory of logins."""
    logins = Logins()
    folder = tmp_path / "bin"
    folder.mkdir()
    with LocalHost("source", folder) as host:
        sessions = Sessions(tmp_path, "run", [PIN])

        def make(script: str, *, ha: bool = False, token: str | None = None) -> Cmu:
            tool = folder / "cmu"
            tool.write_text(_TOOL.format(python=sys.executable, typed=str(typed), script=script))
            tool.chmod(0o755)
            return Cmu(sessions, host, LIMITS, Slot(1), PIN, logins, ha=ha, token=token)

        yield make
        sessions.close()


LISTS = f"ask({ASK!r})\nprint('handle=3\\tlabel=x')"


def test_the_pin_is_typed_at_its_prompt_and_an_understood_answer_allows_the_next(cmu: Make, typed: Path) -> None:
    tool = cmu(LISTS)
    for _ in range(2):
        assert [(one.handle, one.label) for one in tool.list()] == [(3, "x")]
    assert typed.read_bytes() == b"tell-nobody\n" * 2


def test_no_password_is_typed_where_none_is_asked(cmu: Make, typed: Path) -> None:
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
def test_the_pin_is_not_typed_at_another_prompt(cmu: Make, typed: Path, prompt: str, kind: type[KeyferryError]) -> None:
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
    cmu: Make, typed: Path, script: str, kind: type[KeyferryError]
) -> None:
    with pytest.raises(kind):
        cmu(f"ask({ASK!r})\n{script}").list()
    with pytest.raises(LoginRefusedError) as again:
        cmu(LISTS).list()
    assert again.value.rule == "LOGIN-ONCE"
    assert typed.read_bytes() == b"tell-nobody\n"


def test_a_tool_that_ends_before_it_asks_is_unreachable(cmu: Make) -> None:
    with pytest.raises(UnreachableError):
        cmu("sys.exit(1)").list()


SHOWS_ARGUMENTS = f"ask({ASK!r})\nopen('arguments', 'a').write(repr(sys.argv[1:]) + chr(10))\n"


@pytest.mark.parametrize("said", ["", "print('...The public key was successfully created -> handle(9)')"])
def test_an_import_has_the_slot_first_and_believes_no_words(cmu: Make, tmp_path: Path, said: str) -> None:
    script = SHOWS_ARGUMENTS.replace("'arguments'", repr(str(tmp_path / "arguments"))) + said
    cmu(script).import_public_key("key.pem", "classic wrap", "-pub=rsa")
    assert (tmp_path / "arguments").read_text() == (
        "['import', '-slot=1', '-inputFile=key.pem', '-label=classic wrap', '-pub=rsa']\n"
    )


@pytest.mark.parametrize(
    "script", ["print('Error: unknown option')", "print('usage: import x'); sys.exit(1)", "sys.exit(1)"]
)
def test_a_refused_import_names_the_setting(cmu: Make, script: str) -> None:
    with pytest.raises((ToolRefusedError, UnknownScreenError)) as refused:
        cmu(f"ask({ASK!r})\n{script}").import_public_key("key.pem", "classic_wrap")
    assert "`[source] cmu_public_key_option`" in (refused.value.hint or "")


def _holds(kind: str, folder: Path, *, gone: str = "5", then: str = "") -> str:
    """A partition of the objects 4 and 5; `delete` takes out `gone`. then: what is there from the second look on."""
    return (
        f"ask({ASK!r})\ndeleted, looked = ({str(folder)!r} + '/' + name for name in ('deleted', 'looked'))\n"
        "if sys.argv[1] == 'getAttribute':\n"
        f"    print('class=' + ({then!r} if {then!r} and os.path.exists(looked) else {kind!r}))\n"
        "    print('keytype=AES'); print('extractable=true'); open(looked, 'w')\n"
        "elif sys.argv[1] == 'list':\n"
        f"    left = set('45') - (set({gone!r}) if os.path.exists(deleted) else set())\n"
        "    print(*(f'handle={one}\\tlabel=x' for one in sorted(left)), sep=chr(10))\n"
        "else:\n    open(deleted, 'w').write(repr(sys.argv[1:]))\n"
    )


def test_a_public_key_is_deleted(cmu: Make, tmp_path: Path) -> None:
    tool = cmu(_holds("publicKey", tmp_path))
    tool.delete(SourceHandle(5), tool.public_key(SourceHandle(5)))
    assert (tmp_path / "deleted").read_text() == "['delete', '-slot=1', '-handle=5', '-force']"


@pytest.mark.parametrize("gone", ["", "4", "45"])
def test_silence_is_no_proof_that_a_key_was_deleted(cmu: Make, tmp_path: Path, gone: str) -> None:
    with pytest.raises(MismatchError, match="is gone"):
        cmu(_holds("publicKey", tmp_path, gone=gone)).delete(SourceHandle(5))


@pytest.mark.parametrize("kind", ["secretKey", "privateKey", "certificate", "data"])
def test_nothing_but_a_public_key_is_deleted(cmu: Make, tmp_path: Path, kind: str) -> None:
    with pytest.raises(CheckFailedError) as refused:
        cmu(_holds(kind, tmp_path)).delete(SourceHandle(5))
    assert refused.value.rule == "SOURCE-READ-ONLY"
    assert not (tmp_path / "deleted").exists()


@pytest.mark.parametrize("then", ["secretKey", "publicKey\nid=01"])
def test_a_handle_that_became_another_object_is_not_deleted(cmu: Make, tmp_path: Path, then: str) -> None:
    tool = cmu(_holds("publicKey", tmp_path, then=then))
    seen = tool.public_key(SourceHandle(5))
    with pytest.raises(CheckFailedError) as refused:
        tool.delete(SourceHandle(5), seen)
    assert refused.value.rule == "SOURCE-READ-ONLY"
    assert not (tmp_path / "deleted").exists()


def test_by_a_handle_nothing_of_an_ha_slot_is_read_or_changed(cmu: Make, tmp_path: Path, typed: Path) -> None:
    tool, handle = cmu(_holds("publicKey", tmp_path), ha=True), SourceHandle(5)
    for act in (
        lambda: tool.delete(handle),
        lambda: tool.set_attributes(handle, {"wrap": "1"}),
        lambda: tool.get_attributes(handle),
    ):
        with pytest.raises(CheckFailedError, match="HA slot") as refused:
            act()
        assert refused.value.rule == "SOURCE-READ-ONLY"
        assert "ckdemo" in (refused.value.hint or "")
    assert typed.read_bytes() == b""


def _keeps(kind: str, folder: Path, label: str = "a") -> str:
    """A tool that keeps what is set, `wrap` alone; with it the label may change."""
    return (
        f"ask({ASK!r})\npath = {str(folder / 'kept')!r}\n"
        "if sys.argv[1] == 'setAttribute':\n"
        "    open(path, 'w').write(repr(sys.argv[2:]))\n"
        "else:\n"
        f"    print('class={kind}'); print('keytype=DES3')\n"
        f"    print('label={label}' if os.path.exists(path) else 'label=a')\n"
        "    print('wrap=true' if os.path.exists(path) else 'wrap=false')\n"
    )


def test_an_attribute_is_set_and_read_back(cmu: Make, tmp_path: Path) -> None:
    after = cmu(_keeps("publicKey", tmp_path)).set_attributes(SourceHandle(5), {"wrap": "1"})
    assert after["wrap"] == "true"
    assert (tmp_path / "kept").read_text() == "['-slot=1', '-handle=5', '-wrap=1']"


def test_silence_is_no_proof_that_an_attribute_was_set(cmu: Make, tmp_path: Path) -> None:
    with pytest.raises(MismatchError, match="'wrap': 'true'"):
        cmu(_keeps("publicKey", tmp_path)).set_attributes(SourceHandle(5), {"wrap": "0"})


def test_what_was_not_to_be_set_must_not_change(cmu: Make, tmp_path: Path) -> None:
    with pytest.raises(MismatchError, match="'label': 'b'"):
        cmu(_keeps("publicKey", tmp_path, label="b")).set_attributes(SourceHandle(5), {"wrap": "1"})


@pytest.mark.parametrize("kind", ["secretKey", "privateKey", "certificate", "data"])
def test_nothing_but_a_public_key_is_set(cmu: Make, tmp_path: Path, kind: str) -> None:
    with pytest.raises(CheckFailedError) as refused:
        cmu(_keeps(kind, tmp_path)).set_attributes(SourceHandle(5), {"wrap": "1"})
    assert refused.value.rule == "SOURCE-READ-ONLY"
    assert not (tmp_path / "kept").exists()


def test_what_is_listed_can_be_narrowed(cmu: Make, tmp_path: Path) -> None:
    script = SHOWS_ARGUMENTS.replace("'arguments'", repr(str(tmp_path / "arguments")))
    script += "print('handle=3\\touid=0a0b\\tlabel=x'); print('handle=4\\touid=0a0c\\tlabel=x y')"
    found = cmu(script).list(label="x", object_class="public", ouids=True)
    assert [(one.handle, one.ouid, one.label) for one in found] == [(3, "0a0b", "x")]
    assert (tmp_path / "arguments").read_text() == (
        "['list', '-slot=1', '-label=x', '-class=public', '-display=handle,ouid,label']\n"
    )
    with pytest.raises(UsageError):
        cmu(script).list(object_class="publicKey")


TOKENS = "Select token\n [0] Token Label: tests\n [1] Token Label: payments\n \n Enter choice: "


def _chooses(tokens: str, slot: int) -> str:
    return (
        f"assert '-slot=1' not in sys.argv\nos.write(1, {tokens!r}.encode())\n"
        "open({typed}, 'ab').write(os.read(0, 99))\n"
        f"ask('Please enter password for token in slot {slot} : ')\nprint('handle=3\\tlabel=x')"
    )


def test_the_question_for_a_token_is_answered_by_its_label(cmu: Make, typed: Path) -> None:
    script = _chooses(TOKENS, 1).format(typed=repr(str(typed)))
    assert [one.label for one in cmu(script, token="payments").list()] == ["x"]
    assert typed.read_bytes() == b"1\ntell-nobody\n"


@pytest.mark.parametrize(
    ("tokens", "slot", "kind", "read"),
    [
        (TOKENS, 0, CheckFailedError, b"1\n"),
        (TOKENS.replace("payments", "else"), 1, UnknownScreenError, b""),
        (TOKENS.replace("tests", "payments"), 1, UnknownScreenError, b""),
        (TOKENS.replace(" [0]", "odd news\n [0]"), 1, UnknownScreenError, b""),
    ],
)
def test_a_token_that_is_not_surely_the_one_gets_no_pin(
    cmu: Make, typed: Path, tokens: str, slot: int, kind: type[KeyferryError], read: bytes
) -> None:
    with pytest.raises(kind):
        cmu(_chooses(tokens, slot).format(typed=repr(str(typed))), token="payments").list()
    assert typed.read_bytes() == read
