"""For every verb of ckdemo: turns in the documented formats with other values and layouts, and damage to them."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keyferry.errors import UnknownScreenError
from keyferry.tools.ckdemo import dialect
from keyferry.tools.ckdemo.parsing import VERBS, parse
from mutations import DAMAGE, damaged

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import DrawFn

Json = dict[str, Any]
Piece = tuple[str, str, Json]
"""What is asked and typed before the work is done, what the work prints, and the fields that it must be read as."""

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
OK = "Doing great, no errors (CKR_OK)"
FAILED = ["CKR_KEY_UNEXTRACTABLE", "CKR_PIN_INCORRECT", "CKR_SESSION_HANDLE_INVALID", "CKR_UNKNOWN"]
FUNCTIONS = ["C_WrapKey", "C_Login", "C_OpenSession", "WriteBinaryFile", "Function in Descriptor Library"]
NUMBERS = st.integers(1, 99)
HANDLES = st.integers(0, 10_000)
LABELS = st.text(st.characters(min_codepoint=32, max_codepoint=0x24F, exclude_characters="\x7f"), max_size=32).map(
    lambda label: "".join(char for char in label if char.isprintable())
)
MENU = [name for name in dialect.MENU.values() if name != "Quit demo"]


def _slot(draw: DrawFn) -> str:
    if draw(st.booleans()):
        return ""
    rows = [f"\n\tslot#{number} - {'Net Token Slot':64}" for number in draw(st.lists(NUMBERS, min_size=2, unique=True))]
    return f"\nSlots available:{''.join(rows)}\nSelect a slot: {draw(NUMBERS)}\n"


def _session(draw: DrawFn) -> str:
    if draw(st.booleans()):
        return ""
    rows = [f"\n\tsession#{number} - slot {number + 1}" for number in draw(st.lists(NUMBERS, min_size=2, unique=True))]
    return f"\nSessions available:{''.join(rows)}\nSelect a session: {draw(NUMBERS)}\n"


def _object(draw: DrawFn, message: str) -> str:
    asked, listed = f"\n{message} (-1 to list available objects) : ", ""
    if draw(st.booleans()):
        rows = [f"\nHandle {draw(HANDLES)} -- label: {draw(LABELS)}" for _ in range(draw(st.integers(1, 3)))]
        listed = f"{asked}-1\n{''.join(rows)}\n"
    return f"{listed}{asked}{draw(HANDLES)}\n"


def _table(draw: DrawFn, *names: str) -> str:
    style = draw(st.sampled_from(["[{n:2}]{name:15}", "{n:2} - {name:14}", "({n:2}) {name:14}"]))
    width = draw(st.integers(1, 4))
    cells = [style.format(n=number, name=name) for number, name in enumerate(names, draw(NUMBERS))]
    return "\n".join("".join(cells[at : at + width]) for at in range(0, len(cells), width)) + "\n"


def _source(draw: DrawFn) -> str:
    return draw(st.sampled_from(["", "\nEnter filename of OAEP Source Data [0 for none]: 0\n"]))


def _startup(_draw: DrawFn) -> Piece:
    banner = (
        "Ckdemo is the property of somebody and is provided to our customers for \nnothing else\n\nCrystokiConnect()\n"
    )
    return f"{banner}\n*** CHRYSTOKI DEMO - SIMULATION LAB ***\n\n", "", {}


def _open(draw: DrawFn) -> Piece:
    audit = draw(st.sampled_from(["SO[0] or normal user[1]? ", "SO[0], normal user[1], or audit user[2]? "]))
    return f"{_slot(draw)}\n{audit}1\n", "", {}


def _login(draw: DrawFn) -> Piece:
    roles = draw(
        st.sampled_from(
            [
                "Security Officer[0]\nCrypto-Officer[1]\nCrypto-User[2]: ",
                "Security Officer[0]\nCrypto-Officer  [1]\nCrypto-User     [2]:\nAudit-User      [3]: ",
                "Security Officer [0]\nCrypto Officer [1]\nCrypto User [2]: ",
            ]
        )
    )
    pin = draw(st.sampled_from(["Enter PIN: ", "Enter password: "])) + "*" * draw(st.integers(0, 29))
    return f"{_session(draw)}{roles}1\n{pin}\n", "", {}


def _find(draw: DrawFn) -> Piece:
    kinds = [f"[{number}] {kind}\n" for number, kind in enumerate(["Data Object", "DES Key Object", "All Objects"], 1)]
    found = draw(st.lists(st.tuples(st.integers(0, 2**64 - 1), LABELS), max_size=6, unique_by=lambda one: one[0]))
    rows = [f"\nHandle {handle} -- label: {label}" for handle, label in found] or ["\nNo objects found"]
    asked = f"{_session(draw)}{''.join(kinds)}\nSelect object type to search: {draw(st.integers(1, 7))}\n"
    objects = [{"handle": handle, "label": label} for handle, label in found]
    return asked, "".join(rows) + "\n", {"objects": objects}


def _display(draw: DrawFn) -> Piece:
    handle, texts = draw(HANDLES), st.one_of(LABELS, st.binary(max_size=300).map(bytes.hex))
    names = draw(
        st.lists(st.sampled_from(["CKA_TOKEN", "CKA_LABEL", "CKA_ID", "CKA_MODULUS", "CKA_WRAP"]), unique=True)
    )
    values = {"CKA_CLASS": draw(st.sampled_from(["04000000", "0200000000000000"]))}
    values |= {name: draw(texts) for name in names}
    rows = "".join(f"{name}={value}\n" for name, value in values.items())
    asked = _session(draw) + _object(draw, "Enter handle of object to display")
    return asked, f"Object\nhandle={handle}\n{rows}", {"handle": handle, "attributes": values}


def _set(draw: DrawFn) -> Piece:
    value = draw(st.integers(0, 1))
    editor = "\n(1) Add Attribute   (2) Remove Attribute   (0) Accept Template "
    listed = "\n 0 - CKA_CLASS                  1 - CKA_TOKEN               \n15 - CKA_WRAP                \n"
    asked = f"{listed}\nSelect which one: 15\nEnter boolean value: {value}\n"
    first = _session(draw) + _object(draw, "Which object do you want to modify")
    last = f"\nCKA_WRAP=0{value}\n{editor}0\n"
    return f"{first}\nEdit template for set attribute operation.\n{editor}1\n{asked}{last}", "", {}


def _wrap(draw: DrawFn) -> Piece:
    table = _table(draw, "DES-ECB", "DES3-CBC-PAD", "AES-CBC", "RSA_OAEP", "SET_OAEP")
    keys = _object(draw, "Enter handle of wrapping key") + _object(draw, "Enter handle of key to wrap")
    asked = f"{_session(draw)}{table}{draw(NUMBERS)}\n{_source(draw)}{keys}"
    return asked, "Wrapped key was saved in file wrapped.key\0\n", {"file": "wrapped.key"}


def _encrypt(draw: DrawFn) -> Piece:
    table = _table(draw, "DES-CBC", "DES3-ECB", "AES-ECB", "RSA-PKCS", "RSA-OAEP")
    asked = f"{table}\nSelect mechanism for encryption: {draw(NUMBERS)}\nEnter name of file to encrypt: zero.bin\n"
    asked = f"{_session(draw)}{asked}{_source(draw)}{_object(draw, 'Enter key to use')}"
    return asked, "\nEncrypted data stored in file ENCRYPT.BIN\0", {"file": "ENCRYPT.BIN"}


def _token(draw: DrawFn) -> Piece:
    flags = draw(st.lists(st.sampled_from(["CKF_RNG", "CKF_LOGIN_REQUIRED", "CKF_USER_PIN_COUNT_LOW"]), unique=True))
    fields = {
        "Token label": draw(st.text("abc 019-", max_size=32)).strip(),
        "Token Serial Number": str(draw(st.integers(1, 10**13))),
        "PIN Length (min - max)": "4 - 255",
        "UTC Time": "",
    }
    rows = "".join(f"\tNAME -> {value}\n".replace("NAME", name) for name, value in fields.items())
    shown = "\tToken Flags -> \n" + "".join(f"\t\t{flag}\n" for flag in flags or ["None"])
    return (
        _slot(draw),
        f"Token Info:\n{rows}{shown}",
        {"attributes": {**fields, "Token Flags": " ".join(sorted(flags))}},
    )


def _options(draw: DrawFn) -> Piece:
    lines = "\nOptions:\n1 - Open Session Type: Always R/W and Serial\n2 - Display Help: Always\n0 - Finished\n"
    asked = f"{lines}\n\nEnter option to change: {{}}\n"
    return "".join(asked.format(number) for number in (*draw(st.lists(st.integers(1, 7), max_size=2)), 0)), "", {}


PIECES: dict[str, Callable[[DrawFn], Piece]] = {
    "startup": _startup,
    "openSession": _open,
    "login": _login,
    "findObject": _find,
    "displayObject": _display,
    "setAttribute": _set,
    "wrapKey": _wrap,
    "encryptFile": _encrypt,
    "tokenInfo": _token,
    "options": _options,
}


def _menu(draw: DrawFn) -> str:
    columns, names = draw(st.integers(1, 3)), draw(st.permutations(MENU))
    numbers = draw(st.lists(st.integers(1, 110), min_size=len(names), max_size=len(names), unique=True))
    cells = [f"({number:2}) {name:<18}" for number, name in zip(numbers, names, strict=True)]
    rows = ["".join(cells[at : at + columns]) for at in range(0, len(cells), columns)]
    return "\nTOKEN FUNCTIONS\n" + "\n".join(rows) + "\n\n(0) Quit demo\n\n"


@dataclass(frozen=True)
class Turn:
    verb: str
    text: str
    expected: Json


@st.composite
def turns(draw: DrawFn, *, refused: bool = False) -> Turn:
    verb = draw(st.sampled_from(sorted(VERBS)))
    asked, said, fields = PIECES[verb](draw)
    ckr, function = draw(st.sampled_from(FAILED)), draw(st.sampled_from(FUNCTIONS))
    expected: Json = {"ok": True, "error": None, "status": "CKR_OK"} | fields
    if refused:
        text = f"{function} returned error. ({ckr})"
        expected = {"ok": False, "error": {"code": ckr, "text": text}, "function": function, "status": ckr}
    status = f"{function} returned error. ({ckr})" if refused else OK
    menu = _menu(draw) if verb == "startup" else draw(st.sampled_from(["", _menu(draw)]))
    prompt = "Enter your choice : " if menu else "Enter your choice (99 for help): "
    choice = "" if verb == "startup" else draw(st.sampled_from(["", f"{prompt}{draw(NUMBERS)}\n"]))
    text = f"{choice}{asked}{'' if refused else said}\nStatus: {status}\n{menu}{prompt}"
    return Turn(verb, draw(layouts(text)), expected)


@st.composite
def layouts(draw: DrawFn, text: str) -> str:
    end, tab = draw(st.sampled_from(["\n", "\r\n", "\r\r\n", "\n\0"])), draw(st.sampled_from(["\t", "        ", "  "]))
    return text.replace("\t", tab).replace("\n", end)


@PATIENT
@given(st.one_of(turns(), turns(refused=True)))
def test_every_turn_is_read_as_it_was_printed(turn: Turn) -> None:
    found = parse(turn.verb, turn.text)
    assert {name: found[name] for name in found if name not in ("schema", "tool", "verb")} == turn.expected


@PATIENT
@given(st.one_of(turns(), turns(refused=True)), DAMAGE)
def test_a_damaged_turn_is_read_or_refused(turn: Turn, damage: tuple[str, int]) -> None:
    with contextlib.suppress(UnknownScreenError):
        found = parse(turn.verb, damaged(turn.text, *damage))
        assert found["ok"] is (found["error"] is None)


@PATIENT
@given(turns())
def test_two_turns_in_one_text_are_refused(turn: Turn) -> None:
    with pytest.raises(UnknownScreenError):
        parse(turn.verb, turn.text + turn.text)


@pytest.mark.parametrize("piece", ["[1] A ", "Select a slot: 1\n1\n", "A[1] ", "Status: (CKR_A) ", " "])
@pytest.mark.parametrize("verb", ["findObject", "login"])
def test_a_flood_comes_to_its_end(verb: str, piece: str) -> None:
    """Nothing is timed, but a parser that looks at a long line again for each entry would take minutes."""
    with contextlib.suppress(UnknownScreenError):
        parse(verb, piece * (1_000_000 // len(piece)) + f"\nStatus: {OK}\nEnter your choice (99 for help): ")
