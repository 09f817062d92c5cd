"""The screens, byte by byte as the reference (ckdemo.md) has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ckdemo_talk import LONG_PROMPT, PIN, PROMPT, Talk, World, found

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OK = "\nStatus: Doing great, no errors (CKR_OK)\n"
DIALECTS = pytest.mark.parametrize("luna", ["5", "7"])
ROLES = {
    "5": ("SO[0] or normal user[1]? ", "Security Officer[0]\nCrypto-Officer[1]\nCrypto-User[2]: "),
    "7": (
        "SO[0], normal user[1], or audit user[2]? ",
        "Security Officer [0]\nCrypto Officer [1]\nCrypto User [2]\nAudit User [3]: ",
    ),
}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.make(tmp_path / "hsm", "7")


@pytest.fixture
def talk(world: World, tmp_path: Path) -> Iterator[Talk]:
    """A quiet conversation of dialect 7 with its only slot, nobody logged in."""
    with Talk(world, tmp_path) as conversation:
        yield conversation.quiet()


def failed(function: str, ckr: str) -> str:
    return f"\nStatus: {function} returned error. ({ckr})\n{PROMPT}"


@DIALECTS
def test_start_up(tmp_path: Path, luna: str) -> None:
    with Talk(World.make(tmp_path / "hsm", luna), tmp_path) as talk:
        screen = talk.hear(LONG_PROMPT)
    built = {"5": "", "7": " (modified on Jan 02 2020 at 03:04:05)"}[luna]
    middle = f"\n\nCrystokiConnect(){built}\n\n*** CHRYSTOKI DEMO - SIMULATION LAB ***\n\n{OK}TOKEN"
    assert middle in screen
    assert screen.startswith("ckdemo (64-bit) v10.3.0" if luna == "7" else "ckdemo as")
    assert screen.endswith(f"\n\n(0) Quit demo\n\n{LONG_PROMPT}")
    gap = " " if luna == "7" else "  "
    for entry in (
        "( 1) Open Session ",
        "( 3) Login\n",
        f"(40){gap}Encrypt file",
        "(60) Wrap key ",
        "(98) Options\n",
    ):
        assert entry in screen


def test_quit_and_end_of_input(world: World, tmp_path: Path) -> None:
    for last in ("0\n", "\4"):
        with Talk(world, tmp_path) as talk:
            talk.hear(LONG_PROMPT)
            talk.child.send(last)
            assert talk.rest() == ("\nExiting GESC SIMULATION LAB\n\n" if last == "0\n" else "")
            assert talk.child.exitstatus == 0


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("30", f"\nInvalid input (30).{OK}{PROMPT}"),
        ("  30abc", f"\nInvalid input (30).{OK}{PROMPT}"),
        ("# a comment\n30", f"\nInvalid input (30).{OK}{PROMPT}"),
        ("", "\nYou must enter a number between 0 and 110: "),
        ("abc", "\nYou must enter a number between 0 and 110: "),
        ("-", "\nYou must enter a number between 0 and 110: "),
        ("111", "\nThe acceptable range is from 0 and 110: "),
        ("-1", "\nThe acceptable range is from 0 and 110: "),
    ],
)
def test_numbers(talk: Talk, line: str, answer: str) -> None:
    talk.child.sendline(line)
    assert talk.hear(answer) == answer
    assert talk.say("30", PROMPT).startswith("\nInvalid input (30).")


def test_help_on_demand(talk: Talk) -> None:
    screen = talk.say("99", PROMPT)
    assert screen.startswith(f"{OK}TOKEN:\n( 1) Open Session")
    assert talk.say("30", PROMPT) == f"\nInvalid input (30).{OK}{PROMPT}"


@DIALECTS
def test_open_session_and_login(tmp_path: Path, luna: str) -> None:
    question, roles = ROLES[luna]
    with Talk(World.make(tmp_path / "hsm", luna, partitions=2), tmp_path) as talk:
        talk.quiet()
        name, first, count = {"5": ("LunaNet Slot", 1, 5), "7": ("Net Token Slot", 0, 2)}[luna]
        slots = "".join(f"\n\tslot#{slot} - {name:<64}" for slot in range(first, first + count))
        assert talk.say("1", "Select a slot: ") == f"\nSlots available:{slots}\nSelect a slot: "
        assert talk.say(str(first), "? ") == f"\n{question}"
        assert talk.say("1", PROMPT) == f"{OK}{PROMPT}"
        assert talk.say("3", roles) == roles
        assert talk.say("1", "PIN: ") == "Enter PIN: "
        stars = "*" * len(PIN) + "\n" if luna == "7" else ""
        assert talk.say(PIN, PROMPT) == f"{stars}{OK}{PROMPT}"


@pytest.mark.parametrize(("luna", "shown"), [("5", PIN), ("7", "*" * len(PIN))])
def test_pin_echo(tmp_path: Path, luna: str, shown: str) -> None:
    with Talk(World.make(tmp_path / "hsm", luna), tmp_path, echo=True) as talk:
        screen = talk.quiet().log_in()
    assert screen.startswith(f"{shown}\n{OK}")


@pytest.mark.parametrize(("slot", "ckr"), [("5", "CKR_TOKEN_NOT_PRESENT"), ("77", "CKR_SLOT_ID_INVALID")])
def test_slots_that_hold_nothing(tmp_path: Path, slot: str, ckr: str) -> None:
    with Talk(World.make(tmp_path / "hsm", "5"), tmp_path) as talk:
        talk.quiet().choose("Open Session", "slot: ")
        talk.say(slot, "? ")
        assert talk.say("1", PROMPT) == failed("C_OpenSession", ckr)


def test_wrong_pin_is_counted(talk: Talk) -> None:
    assert "CKF_USER_PIN_COUNT_LOW" not in talk.choose("Token Info", PROMPT)
    assert talk.log_in("not the pin").endswith(failed("C_Login", "CKR_PIN_INCORRECT"))
    assert "\n\t\tCKF_USER_PIN_COUNT_LOW\n" in talk.choose("Token Info", PROMPT)


def test_too_long_pin_jams_the_reader(talk: Talk) -> None:
    talk.choose("Open Session", "? ")
    talk.say("1", PROMPT)
    talk.say("3", "[3]: ")
    talk.say("1", "PIN: ")
    talk.child.sendline("x" * 30)
    assert 100 < talk.rest().count("\nYou must enter a number between 0 and 110: ") <= 2000


def test_without_session(talk: Talk) -> None:
    talk.choose("Login", "[3]: ")
    talk.say("1", "PIN: ")
    assert talk.say(PIN, PROMPT).endswith(failed("C_Login", "CKR_SESSION_HANDLE_INVALID"))
    listing = talk.choose("Display Object", "objects) : ")
    assert listing == "\nEnter handle of object to display (-1 to list available objects) : "
    refused = "\nError trying to list all available objects.\nError: CKR_SESSION_HANDLE_INVALID\n"
    assert talk.say("-1", "objects) : ") == refused + listing


def test_session_question_and_close(talk: Talk) -> None:
    for _ in range(2):
        talk.choose("Open Session", "? ")
        talk.say("1", PROMPT)
    question = "\nSessions available:\n\tsession#1 - slot 0\n\tsession#2 - slot 0\nSelect a session: "
    assert talk.choose("Session Info", "session: ") == question
    info = "\tHandle -> 2\n\tSlot Id -> 0\n\tState -> CKS_RW_PUBLIC_SESSION\n\tDevice Error -> 0\n\tFlags:\n"
    assert info in talk.say("2", PROMPT)
    closing = "Close a single session[0]\nClose all sessions[1]: "
    assert talk.choose("Close Session", "[1]: ") == closing
    assert talk.say("0", "session: ") == question
    assert talk.say("1", PROMPT) == f"{OK}{PROMPT}"
    assert "Handle -> 2" in talk.choose("Session Info", PROMPT)


def test_token_info(talk: Talk) -> None:
    screen = talk.choose("Token Info", PROMPT)
    assert screen.startswith(f"Token Info:\n\tToken label -> {'par1':<32}\n\tToken Manufacturer -> ")
    assert "\n\tToken Serial Number -> 156908041\n\tToken Flags -> \n\t\tCKF_RNG\n" in screen


def test_objects_are_listed_and_displayed(world: World, tmp_path: Path) -> None:
    key = world.add_key(bytes(range(0x41, 0x51)), SENSITIVE=b"\0", ID=b"\x01\xff")
    other = world.add_key(bytes(32), LABEL=b"")
    with Talk(world, tmp_path) as talk:
        talk.quiet().log_in()
        both = f"\nHandle {key} -- label: key\nHandle {other} -- label: \n"
        question = talk.choose("Display Object", "objects) : ")
        assert talk.say("-1", "objects) : ") in (both + question, _upside_down(both) + question)
        screen = talk.say(str(key), PROMPT)
        assert screen.startswith(f"Object\nhandle={key}\nCKA_CLASS=0400000000000000\nCKA_TOKEN=01\n")
        assert "\nCKA_LABEL=key\nCKA_VALUE=ABCDEFGHIJKLMNOP\nCKA_KEY_TYPE=1f00000000000000\n" in screen
        assert "\nCKA_ID=01ff\nCKA_SENSITIVE=00\n" in screen
        talk.choose("Display Object", "objects) : ")
        sensitive = talk.say(str(other), PROMPT)
        assert "CKA_VALUE=" not in sensitive
        assert "\nCKA_LABEL=\n" in sensitive
        talk.choose("Display Object", "objects) : ")
        missing = "ERROR: Can not find object with handle 9999\n"
        assert talk.say("9999", PROMPT) == missing + failed("C_GetObjectSize", "CKR_OBJECT_HANDLE_INVALID")


def _upside_down(listing: str) -> str:
    first, second = listing.splitlines()[1:]
    return f"\n{second}\n{first}\n"


def test_find(world: World, tmp_path: Path) -> None:
    world.add_key(bytes(16))
    public = world.add_rsa((1 << 2047) + 1)
    with Talk(world, tmp_path) as talk:
        talk.quiet().log_in()
        table = talk.choose("Find object", "search: ")
        assert table.startswith("[1] Data Object\n[2] DES Key Object\n")
        assert table.endswith("[8] Search on user specified template\n\nSelect object type to search: ")
        refused = "\nThe acceptable range is from 1 and 7: "
        assert talk.say("8", refused) == refused
        assert talk.say("4", PROMPT) == f"\nHandle {public} -- label: classic_wrap\n{OK}{PROMPT}"
        talk.choose("Find object", "search: ")
        assert talk.say("1", PROMPT) == f"\nNo objects found\n{OK}{PROMPT}"


EDIT = "\n(1) Add Attribute   (2) Remove Attribute   (0) Accept Template "


@pytest.mark.parametrize(("luna", "wrap"), [("5", "15"), ("7", "17")])
def test_set_attribute(tmp_path: Path, luna: str, wrap: str) -> None:
    world = World.make(tmp_path / "hsm", luna)
    handle = world.add_rsa((1 << 2047) + 1)
    session = world.session()
    with Talk(world, tmp_path) as talk:
        talk.quiet().log_in()
        assert "Which object do you want to modify (-1" in talk.choose("Set attribute", ") : ")
        title = "\nEdit template for set attribute operation."
        assert talk.say(str(handle), "Template ") == f"{title}\n{EDIT}"
        names = talk.say("1", "which one: ")
        assert names.startswith(f"\n 0 - {'CKA_CLASS':<23}    1 - {'CKA_TOKEN':<23}   \n")
        assert found(r"(\d+) - CKA_WRAP\b", names) == wrap
        assert talk.say(wrap, ": ") == "Enter boolean value: "
        assert talk.say("1", "Template ") == f"\nCKA_WRAP=01\n{EDIT}"
        assert "CKA_WRAP " not in talk.say("1", "which one: ")
        assert talk.say("0", ": ") == "Enter value: "
        assert talk.say("4", "Template ") == f"\nCKA_WRAP=01\nCKA_CLASS=0400000000000000\n{EDIT}"
        assert talk.say("2", "which one: ").count(" - ") == 2
        assert talk.say("1", "Template ") == f"\nCKA_WRAP=01\n{EDIT}"
        assert talk.say("0", PROMPT) == f"{OK}{PROMPT}"
    assert session.get(handle).is_set("CKA_WRAP")


def test_editor_readers(talk: Talk, tmp_path: Path) -> None:
    talk.log_in()
    talk.choose("Set attribute", ") : ")
    talk.say("77", "Template ")
    names = talk.say("1", "which one: ")
    assert talk.say(found(r"(\d+) - CKA_MODULUS ", names), ": ") == "Enter large number in hexadecimal: "
    odd = "\nYou must enter an even number of hexadecimal digits.\n>"
    assert talk.say("abc", odd) == odd
    not_hex = "\nYou must enter an hexadecimal number of digits from 0 to f.\n>"
    assert talk.say("xy", not_hex) == not_hex
    assert talk.say("0aFF", "Template ") == f"\nCKA_MODULUS=0aff\n{EDIT}"
    names = talk.say("1", "which one: ")
    assert talk.say(found(r"(\d+) - CKA_VALUE ", names), "data: ") == "Enter name of binary file with value data: "
    assert talk.say("nowhere", "Template ") == f"Error with binary file\nCKA_MODULUS=0aff\n{EDIT}"
    talk.say("1", "which one: ")
    talk.say(found(r"(\d+) - CKA_VALUE ", names), "data: ")
    assert talk.say("a\0b", "Template ") == f"Error with binary file\nCKA_MODULUS=0aff\n{EDIT}"
    (tmp_path / "value").write_bytes(b"\0")
    talk.say("1", "which one: ")
    talk.say(found(r"(\d+) - CKA_VALUE ", names), "data: ")
    assert talk.say("value", "Template ") == f"\nCKA_MODULUS=0aff\nCKA_VALUE=00\n{EDIT}"
    assert talk.say("0", PROMPT) == failed("C_SetAttributeValue", "CKR_OBJECT_HANDLE_INVALID")


def test_options(talk: Talk) -> None:
    screen = talk.choose("Options", "change: ")
    assert screen.startswith("Options:\n1 - Open Session Type: Always R/W and Serial\n2 - Display Help: On Demand\n")
    assert screen.endswith("\n0 - Finished\n\nEnter option to change: ")
    assert "4 - Echo input: On all commands and data\n" in talk.say("4", "change: ")
    assert "1 - Open Session Type: User selectable\n" in talk.say("1", "change: ")
    talk.say("0", PROMPT)
    assert talk.choose("Open Session", "user[2]? ").startswith("1\n\n")
    assert talk.say("1", "Type? ") == "1\n\nReadOnly[0] Read/Write[1] Type? "
    assert talk.say("1", "Type? ") == "1\n\nParallel[0] Serial[1] Type? "
    assert talk.say("1", "No[0]  ") == "1\n\nExclusive session? Yes[1] No[0]  "
    assert talk.say("0", PROMPT) == f"0\n{OK}{PROMPT}"


def test_slot_screens(tmp_path: Path) -> None:
    with Talk(World.make(tmp_path / "hsm", "5"), tmp_path) as talk:
        talk.quiet()
        question = "\nReport only slots with token present? Yes[1] No[0]"
        assert talk.choose("Get Slot List", "No[0]") == question
        assert talk.say("1", PROMPT) == f"\nSlot #1{OK}{PROMPT}"
        talk.choose("Get Slot List", "No[0]")
        assert talk.say("0", PROMPT).count("\nSlot #") == 5
        talk.choose("Slot Info", "slot: ")
        empty = talk.say("2", PROMPT)
        assert empty.startswith("Slot Info\n\tSlot ID: 2\n\tDescription: LunaNet Slot\n\tManufacturer: ")
        assert "\tFlags: \n\t\tNone\n" in empty


def test_selectable_pin_path_and_logout(talk: Talk) -> None:
    talk.choose("Options", "change: ")
    talk.say("3", "change: ")
    talk.say("0", PROMPT)
    talk.choose("Open Session", "? ")
    talk.say("1", PROMPT)
    talk.choose("Login", "[3]: ")
    path = "*For PIN*\nPIN path:  [0] user provided   [1] PIN-pad  > "
    assert talk.say("1", path) == path
    assert talk.say("0", "  > ") == "Format:  [0] ASCII  [1] Hexadecimal  > "
    assert talk.say("1", "PIN: ") == "Enter PIN: "
    assert talk.say(PIN.encode().hex(), PROMPT) == f"{OK}{PROMPT}"
    assert talk.choose("Logout", PROMPT) == f"{OK}{PROMPT}"
    assert talk.choose("Logout", PROMPT) == failed("C_Logout", "CKR_USER_NOT_LOGGED_IN")
    assert talk.choose("Get attribute", PROMPT) == f"{OK}{PROMPT}"


def test_no_more_than_twenty_sessions(talk: Talk) -> None:
    for _ in range(20):
        talk.choose("Open Session", "? ")
        talk.say("1", PROMPT)
    full = "\nMaximum number of opened sessions is already reached. 20 sessions are presently opened."
    assert talk.choose("Open Session", PROMPT) == f"{full}{OK}{PROMPT}"
    talk.choose("Close Session", "[1]: ")
    assert talk.say("1", PROMPT) == f"{OK}{PROMPT}"
    assert talk.choose("Session Info", PROMPT) == failed("C_GetSessionInfo", "CKR_SESSION_HANDLE_INVALID")
