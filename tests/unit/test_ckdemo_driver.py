"""What the driver does when ckdemo behaves as no emulator would: a scripted program on a real pty."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from keyferry.errors import (
    CheckFailedError,
    KeyferryError,
    LoginRefusedError,
    MismatchError,
    ToolRefusedError,
    UnknownScreenError,
    UnreachableError,
)
from keyferry.pkcs11 import Slot, SourceHandle
from keyferry.recording.reader import read
from keyferry.secrets import Secret
from keyferry.terminal.host import LocalHost
from keyferry.terminal.sessions import Sessions
from keyferry.tools.ckdemo import dialect
from keyferry.tools.ckdemo.driver import Ckdemo
from keyferry.tools.limits import Limits
from keyferry.tools.logins import Logins

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PIN = Secret("partition-pin", b"correct-horse")
KEY, WRAPPING = SourceHandle(9), SourceHandle(149)

PRELUDE = """
import os, select, sys
def out(text):
    os.write(1, text.encode())
def ask(question):
    out(question)
    return sys.stdin.buffer.raw.readline().decode().rstrip()
def status(text="Doing great, no errors (CKR_OK)", before=""):
    return ask(before + "\\nStatus: " + text + "\\nEnter your choice (99 for help): ")
def failed(function, ckr):
    return status(f"{function} returned error. ({ckr})")
def display(number, kind, wrap="00", more=""):
    ask("\\nEnter handle of object to display (-1 to list available objects) : ")
    return status(before=f"Object\\nhandle={number}\\nCKA_CLASS={kind}000000\\nCKA_WRAP={wrap}\\n{more}")
MENU = '''
( 1) Open Session  ( 3) Login         (12) Token Info
(25) Set attribute (26) Find object   (27) Display Object
(40)  Encrypt file (60) Wrap key      (98) Options
(0) Quit demo
'''
def start():
    return ask("\\nStatus: Doing great, no errors (CKR_OK)\\n" + MENU + "\\nEnter your choice : ")
"""


class Stage:
    """Where a script plays ckdemo."""

    def __init__(self, directory: Path) -> None:
        self.tools, self.record = directory / "bin", directory / "record"
        self.tools.mkdir()
        self.record.mkdir()
        self.host = LocalHost("source", self.tools)
        self.sessions = Sessions(self.record, "run", [PIN])

    def open(self, script: str, answer: float = 20.0) -> Ckdemo:
        tool = self.tools / "ckdemo"
        tool.write_text(f"#!{sys.executable} -IS\n{PRELUDE}{script}")
        tool.chmod(0o700)
        return Ckdemo.open(self.sessions, self.host, Limits(start=20.0, answer=answer))

    def play(self, script: str, answer: float = 20.0) -> Ckdemo:
        return self.open("start()\n" + script, answer)

    @property
    def typed(self) -> list[str]:
        """What was typed, secrets by their names."""
        (path,) = self.record.glob("*.cast")
        return [event.data.rstrip("\r") for event in read(path).events if event.code in "is"]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path)
    with made.host:
        yield made
        made.sessions.close()


# --- start-up --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "seen"),
    [
        ("out('ckdemo: Can not load library. Error follows:\\nckdemo: no such file\\n')", "no such file"),
        ("ask('too old\\nProgram will terminate.\\nEnter 0 to end.')", "Program will terminate."),
        ("ask('Error code: 5\\nEnter 0 to end. ')", "Error code: 5"),
    ],
)
def test_a_tool_that_cannot_start_is_unreachable(stage: Stage, script: str, seen: str) -> None:
    with pytest.raises(UnreachableError) as error:
        stage.open(script)
    assert seen in (error.value.seen or "")
    assert stage.typed == []


def test_a_slot_list_that_could_not_be_read_ends_it_at_once(stage: Stage) -> None:
    with pytest.raises(ToolRefusedError, match="C_GetSlotList: CKR_DEVICE_ERROR"):
        stage.open("status('C_GetSlotList returned error. (CKR_DEVICE_ERROR)', MENU)")
    assert stage.typed == []


# --- questions -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "again", ["The acceptable range is from -1 and 10000: ", "You must enter a number between -1 and 10000: "]
)
def test_a_question_that_comes_again_is_never_answered(stage: Stage, again: str) -> None:
    tool = stage.play(f"ask('\\nEnter handle of object to display (-1 to list) : ')\nask('\\n{again}')")
    with pytest.raises(UnknownScreenError):
        tool.display_object(KEY)
    with pytest.raises(UnreachableError, match="is over"):
        tool.display_object(KEY)
    assert stage.typed == ["27", "9"]


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("Which colour is the key? ", UnknownScreenError),
        ("\nEnter handle of object to display : ", UnknownScreenError),
        ("\nThe HSM is thinking\n", UnreachableError),
    ],
)
def test_what_is_not_known_or_comes_twice_is_not_answered(stage: Stage, said: str, error: type[KeyferryError]) -> None:
    known = "\\nEnter handle of object to display (-1 to list) : "
    tool = stage.play(f"ask('{known}')\nask({said!r})", answer=0.3)
    with pytest.raises(error) as ended:
        tool.display_object(KEY)
    assert said.strip() in (ended.value.seen or "")
    assert stage.typed == ["27", "9"]


def test_more_than_one_status_is_not_understood(stage: Stage) -> None:
    tool = stage.play("status(before='\\nStatus: Doing great, no errors (CKR_OK)\\n')")
    with pytest.raises(UnknownScreenError, match="2 Status lines"):
        tool.open_session(Slot(1))


def test_an_object_that_was_not_asked_for_is_not_taken(stage: Stage) -> None:
    tool = stage.play("display(10, '04')")
    with pytest.raises(UnknownScreenError, match="asked for 9, got 10"):
        tool.display_object(KEY)


def test_a_handle_that_cannot_be_typed_is_not(stage: Stage) -> None:
    tool = stage.play("line = status()")
    with pytest.raises(CheckFailedError, match="above 10000"):
        tool.display_object(SourceHandle(10_001))
    assert stage.typed == []


SLOTS = "\\nSlots available:\\n\\tslot#1 - LunaNet Slot\\n\\tslot#3 - LunaNet Slot\\n\\nSelect a slot: "


def test_a_slot_that_ckdemo_does_not_list_is_not_opened(stage: Stage) -> None:
    tool = stage.play(f"ask('{SLOTS}')")
    with pytest.raises(CheckFailedError) as refused:
        tool.open_session(Slot(2))
    assert refused.value.rule == "SLOT-MATCH"
    assert "slot#3" in (refused.value.seen or "")
    assert stage.typed == ["1"]


@pytest.mark.parametrize(("slots", "typed"), [(f"ask('{SLOTS}')", ["1", "3", "1"]), ("", ["1", "1"])])
def test_the_slot_is_told_only_where_it_is_asked(stage: Stage, slots: str, typed: list[str]) -> None:
    stage.play(f"{slots}\nask('\\nSO[0] or normal user[1]? ')\nstatus()").open_session(Slot(3))
    assert stage.typed == typed


# --- login -----------------------------------------------------------------------------------------------------

ROLES = "ask('Security Officer[0]\\nCrypto-Officer[4]\\nCrypto-User[2]: ')\n"


def test_a_refused_pin_is_typed_once(stage: Stage) -> None:
    again = "ask('Enter PIN: ')\nfailed('C_Login', 'CKR_PIN_INCORRECT')\n" + ROLES
    tool = stage.play(ROLES + again + again)
    logins = Logins()
    with pytest.raises(LoginRefusedError, match="refused the partition-pin"):
        tool.login(PIN, logins)
    with pytest.raises(LoginRefusedError, match="not typed again"):
        tool.login(PIN, logins)
    assert stage.typed == ["3", "4", "partition-pin", "3", "4"]


def test_a_pin_for_nobody_knows_whom_is_not_typed(stage: Stage) -> None:
    tool = stage.play("ask('Enter PIN: ')")
    with pytest.raises(UnknownScreenError, match="not whose"):
        tool.login(PIN, Logins())
    assert stage.typed == ["3"]


@pytest.mark.parametrize("role", ["Security Officer[0]: ", "Limited Crypto Officer[1]: "])
def test_no_other_role_is_taken(stage: Stage, role: str) -> None:
    tool = stage.play(f"ask('{role}')")
    with pytest.raises(UnknownScreenError, match="Crypto-Officer does not stand exactly once"):
        tool.login(PIN, Logins())
    assert stage.typed == ["3"]


def test_a_login_without_a_pin_proves_nothing(stage: Stage) -> None:
    tool = stage.play(ROLES + "status()")
    with pytest.raises(UnknownScreenError, match="no PIN was asked for"):
        tool.login(PIN, Logins())


# --- what changes something ------------------------------------------------------------------------------------

EDITOR = """
ask('\\nWhich object do you want to modify (-1 to list available objects) : ')
ask('Edit template for set attribute operation.\\n\\n(1) Add Attribute   (2) Remove Attribute   (0) Accept Template ')
ask(' 4 - CKA_CLASS                16 - CKA_WRAP                 \\n17 - CKA_UNWRAP\\nSelect which one: ')
ask('Enter boolean value: ')
"""
ACCEPT = "\\n(1) Add Attribute   (2) Remove Attribute   (0) Accept Template "


@pytest.mark.parametrize("kind", ["00", "01", "03", "04", "05"])
def test_source_read_only(stage: Stage, kind: str) -> None:
    tool = stage.play(f"display(9, '{kind}')")
    with pytest.raises(CheckFailedError) as refused:
        tool.set_attribute(KEY, "CKA_WRAP", value=True)
    assert refused.value.rule == "SOURCE-READ-ONLY"
    assert stage.typed == ["27", "9"]


SET = f"display(149, '02')\n{EDITOR}\nask('CKA_WRAP=01\\n{ACCEPT}')\nstatus()\n"


def test_a_public_keys_attribute_is_set(stage: Stage) -> None:
    tool = stage.play(f"{SET}display(149, '02', '01')")
    assert tool.set_attribute(WRAPPING, "CKA_WRAP", value=True).flag("CKA_WRAP")
    assert stage.typed == ["27", "149", "25", "149", "1", "16", "1", "0", "27", "149"]


def test_an_attribute_counts_as_set_only_when_it_is_read_back(stage: Stage) -> None:
    tool = stage.play(f"{SET}display(149, '02')")
    with pytest.raises(MismatchError, match="CKA_WRAP of object 149 is not 1"):
        tool.set_attribute(WRAPPING, "CKA_WRAP", value=True)


@pytest.mark.parametrize(
    ("kind", "more", "name"),
    [
        ("02", "CKA_LABEL=other\\nCKA_VERIFY=01", "CKA_LABEL"),
        ("02", "CKA_LABEL=k\\nCKA_VERIFY=21", "CKA_VERIFY"),
        ("12", "CKA_LABEL=k\\nCKA_VERIFY=01", "CKA_CLASS"),
    ],
)
def test_setting_an_attribute_changes_no_other(stage: Stage, kind: str, more: str, name: str) -> None:
    before = "display(149, '02', more='CKA_LABEL=k\\nCKA_VERIFY=01')"
    changing = SET.partition("\n")[2]
    tool = stage.play(f"{before}\n{changing}display(149, '{kind}', '01', '{more}')")
    with pytest.raises(MismatchError, match=f"object 149 shows another {name} since its CKA_WRAP was set"):
        tool.set_attribute(WRAPPING, "CKA_WRAP", value=True)


@pytest.mark.parametrize("template", ["", "CKA_WRAP={wrap}", "CKA_UNWRAP=01"])
def test_a_template_that_shows_something_else_is_not_accepted(stage: Stage, template: str) -> None:
    tool = stage.play(f"display(149, '02')\n{EDITOR}\nask('{template}\\n{ACCEPT}')\nstatus()")
    with pytest.raises(UnknownScreenError, match="does not show CKA_WRAP=01"):
        tool.set_attribute(WRAPPING, "CKA_WRAP", value=True)
    assert stage.typed[-1] == "1"


HALF = "[1]DES-ECB         [9]RSA            \\n[25]SEED-ECB      [26]RSA_OAEP       "
REST = "[27]SET_OAEP      [28]NEVER_SEEN   \\n"
QUESTIONS = """
def rest(written=256):
    ask('\\nEnter filename of OAEP Source Data [0 for none]: ')
    ask('\\nEnter handle of wrapping key (-1 to list available objects) : ')
    ask('\\nEnter handle of key to wrap (-1 to list available objects) : ')
    if written:
        open('wrapped.key', 'wb').write(bytes(written))
    status(before='Wrapped key was saved in file wrapped.key\\0\\n')
"""
WRAP_TYPED = ["60", "26", "0", "149", "9"]


def test_a_table_without_a_prompt_is_known_by_its_end_the_second_time(stage: Stage) -> None:
    # The second table stops in the middle for longer than the silence that ended the first one.
    script = f"""{QUESTIONS}
ask('{HALF}{REST}')
rest()
out('{HALF}')
if select.select([0], [], [], {4 * dialect.QUIET})[0]:
    sys.exit('typed into half a table')
ask('{REST}')
rest(384)
"""
    tool = stage.play(script)
    assert tool.wrap_key(WRAPPING, KEY, "sha1") == 256
    assert tool.wrap_key(WRAPPING, KEY, "sha1") == 384
    assert stage.typed == WRAP_TYPED * 2


def test_the_file_of_an_earlier_wrap_is_never_taken_for_this_ones(stage: Stage) -> None:
    stage.host.write(dialect.WRAPPED_FILE, b"old")
    tool = stage.play(f"{QUESTIONS}\nask('{HALF}{REST}')\nrest(0)")
    with pytest.raises(MismatchError) as mismatch:
        tool.wrap_key(WRAPPING, KEY, "sha1")
    assert mismatch.value.rule == "BLOB-SIZE"


@pytest.mark.parametrize("end", ["failed('C_EncryptFinal', 'CKR_DEVICE_ERROR')", "status()", "sys.exit()"])
def test_zero_block_erased_also_where_the_encryption_failed(stage: Stage, end: str) -> None:
    script = f"""
ask('\\nDES-ECB[1] AES-ECB[5]\\nSelect mechanism for encryption: ')
ask('Enter name of file to encrypt: ')
ask('Enter key to use (-1 to list available objects) : ')
open('ENCRYPT.BIN', 'wb').write(b'sixteen bytes...')
{end}
"""
    tool = stage.play(script)
    with pytest.raises((ToolRefusedError, UnknownScreenError, UnreachableError)):
        tool.check_value(KEY, "AES")
    assert stage.typed == ["40", "5", "zero.bin", "9"]
    assert [path.name for path in stage.host.directory.iterdir()] == ["zero.bin"]  # only zeros
