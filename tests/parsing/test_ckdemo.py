from __future__ import annotations

import contextlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fixture_files import Fixture, check_cases, check_document, errors, of_tool
from keyferry.errors import UnknownScreenError
from keyferry.pkcs11 import PublicKey, SourceHandle
from keyferry.tools.ckdemo import dialect, screens
from keyferry.tools.ckdemo.parsing import VERBS, parse
from keyferry.tools.ckdemo.screens import Shown

DIALECTS = ("5", "7")


def _fixtures() -> list[tuple[str, Fixture]]:
    return [(parameter.id or "", fixture) for parameter in of_tool("ckdemo") for fixture in parameter.values]


@pytest.mark.parametrize("fixture", of_tool("ckdemo"))
def test_fixture(fixture: Fixture) -> None:
    check_document(fixture, parse)


@pytest.mark.parametrize("version", DIALECTS)
@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_its_fixtures(version: str, verb: str) -> None:
    check_cases("ckdemo", version, verb)


KNOWN_CODES = {
    f"CKR_{name}"
    for name in (
        *("SLOT_ID_INVALID", "ATTRIBUTE_READ_ONLY", "ATTRIBUTE_SENSITIVE", "ATTRIBUTE_TYPE_INVALID"),
        *("ATTRIBUTE_VALUE_INVALID", "DATA_LEN_RANGE", "DEVICE_ERROR", "KEY_HANDLE_INVALID"),
        *("KEY_FUNCTION_NOT_PERMITTED", "KEY_NOT_WRAPPABLE", "KEY_UNEXTRACTABLE", "MECHANISM_INVALID"),
        *("MECHANISM_PARAM_INVALID", "OBJECT_HANDLE_INVALID", "PIN_INCORRECT", "PIN_LEN_RANGE", "PIN_EXPIRED"),
        *("PIN_LOCKED", "SESSION_HANDLE_INVALID", "TOKEN_NOT_PRESENT", "USER_ALREADY_LOGGED_IN"),
        *("USER_NOT_LOGGED_IN", "USER_PIN_NOT_INITIALIZED", "USER_TYPE_INVALID", "WRAPPING_KEY_HANDLE_INVALID"),
        *("WRAPPING_KEY_SIZE_RANGE", "WRAPPING_KEY_TYPE_INCONSISTENT", "USER_LOCKED_OUT", "WRAPPING_ERROR"),
        *("USER_NOT_AUTHORIZED", "KEY_EXTRACTABLE", "OBJECT_READ_ONLY", "KEY_SIZE_RANGE", "CANCEL", "UNKNOWN"),
    )
}
"""Every name of the reference: ckdemo.md, 2, 12 and 14, and the HSM answers of pitfalls-luna.md."""
FUNCTIONS = {
    *("ReadBinaryFile", "WriteBinaryFile", "MemoryAllocation", "Function in Descriptor Library", "Unknown function"),
    *("C_Login", "C_OpenSession", "C_SetAttributeValue", "C_GetObjectSize", "C_WrapKey", "C_EncryptInit"),
    *("C_EncryptUpdate", "C_EncryptFinal", "C_FindObjectsInit", "C_GetSlotList", "C_GetSlotInfo", "C_Initialize"),
}
"""Every name that may stand before `returned error.` in what we choose (1 and 2)."""
SAID = (
    r"Error trying to list all available objects\.",
    r"You must enter a number between \d+ and \d+:",
    r"You must enter an even number of hexadecimal digits\.",
    r"You must enter an hexadecimal number of digits from 0 to f\.",
    r"Invalid input \(\d+\)\.",
)
"""Errors of the reference (2, 4 and 5) that no table of the dialect has in these words."""


@pytest.mark.parametrize("version", DIALECTS)
def test_every_known_error_has_its_fixture(version: str) -> None:
    there = errors("ckdemo", version)
    in_tables = {*dialect.CKR_NAMES.values(), *dialect.PIN_REFUSED, *dialect.ADVICE, dialect.ALREADY_IN}
    assert (KNOWN_CODES | in_tables) - there.codes == set()
    assert FUNCTIONS - there.functions == set()
    starts = (dialect.CANNOT_LOAD, dialect.CANNOT_INITIALIZE, dialect.ERROR_CODE, dialect.WRONG_VERSION)
    asked_again = [prompt.pattern.decode() for prompt in dialect.NOT_TAKEN]
    assert not there.without((*SAID, *dialect.REFUSALS, dialect.NO_SESSION_LEFT, *starts, *asked_again))


MENUS = {
    "5": {"login": 3, "token_info": 12, "set_attribute": 25, "find_object": 26, "display_object": 27, "wrap_key": 60},
    "7": {"login": 3, "token_info": 13, "set_attribute": 26, "find_object": 28, "display_object": 29, "wrap_key": 60},
}


@pytest.mark.parametrize("version", DIALECTS)
def test_the_menus_numbers(version: str) -> None:
    start = dict(_fixtures())[f"{version}-startup--menu"]
    same = {"open_session": 1, "encrypt_file": 40, "options": 98, "quit": 0}
    assert screens.menu(start.text, dialect.MENU) == MENUS[version] | same


def test_a_menu_with_a_name_at_two_numbers_is_unknown() -> None:
    start = dict(_fixtures())["7-startup--menu"]
    with pytest.raises(UnknownScreenError, match="Wrap key does not stand exactly once"):
        screens.menu(start.text + "(61) Wrap key\r\n", dialect.MENU)


# --- properties ------------------------------------------------------------------------------------------------

# The first run in a clean checkout builds hypothesis' table of unicode: slow once, and no failure.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
LINE_ENDS = st.sampled_from(["\n", "\r\n", "\r\r\n", "\0\r\n"])
LABELS = st.text(st.characters(exclude_characters="\r\n\0", codec="utf-8"), max_size=40)
HANDLES = st.lists(st.integers(0, 2**64 - 1), unique=True, max_size=8)
OBJECTS = HANDLES.flatmap(
    lambda handles: st.tuples(*(st.tuples(st.just(handle), LABELS) for handle in handles)),
)


@PATIENT
@given(OBJECTS, LINE_ENDS, st.sampled_from([" ", "\t", "   "]))
def test_every_listing_is_read_as_it_was_printed(objects: tuple[tuple[int, str], ...], end: str, blank: str) -> None:
    lines = [f"Handle{blank}{handle} -- label: {label}" for handle, label in objects] or ["No objects found"]
    found = screens.listing(end + end.join(lines) + end + end)
    assert tuple((one.handle, one.label) for one in found) == objects


@PATIENT
@given(st.dictionaries(st.from_regex(r"CKA_[A-Z_0-9]{1,20}", fullmatch=True), LABELS), st.integers(0, 2**64 - 1))
def test_every_display_is_read_as_it_was_printed(attributes: dict[str, str], handle: int) -> None:
    attributes |= {"CKA_CLASS": "04000000"}
    lines = "".join(f"{name}={value}\r\n" for name, value in attributes.items())
    assert screens.shown(f"Object\r\nhandle={handle}\r\n{lines}\r\n") == Shown(SourceHandle(handle), attributes)


@PATIENT
@given(st.sampled_from(_fixtures()), st.data())
def test_a_damaged_screen_gives_a_document_or_the_documented_error(
    named: tuple[str, Fixture], data: st.DataObject
) -> None:
    _name, fixture = named
    text = fixture.text
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    piece = data.draw(st.one_of(st.text(max_size=8), st.sampled_from(["9" * 5000, "\0", text[start:end] * 2])))
    with contextlib.suppress(UnknownScreenError):
        assert parse(fixture.verb, text[:start] + piece + text[end:])["verb"] == fixture.verb


# --- single values ---------------------------------------------------------------------------------------------


def _shown(**attributes: str) -> Shown:
    return Shown(SourceHandle(1), attributes)


@pytest.mark.parametrize(("value", "number"), [("1f00000000000000", 31), ("1f000000", 31), ("00010000", 256)])
def test_numbers_are_in_memory_order(value: str, number: int) -> None:
    assert _shown(CKA_KEY_TYPE=value).number("CKA_KEY_TYPE") == number


@pytest.mark.parametrize("value", ["", "1f", "1f00000000", "1F000000", "0x1f0000", "001f", "1f000000 "])
def test_a_number_of_another_form_is_unknown(value: str) -> None:
    with pytest.raises(UnknownScreenError, match="4 or 8 bytes"):
        _shown(CKA_KEY_TYPE=value).number("CKA_KEY_TYPE")


def test_what_an_object_does_not_show_is_none() -> None:
    assert _shown().number("CKA_KEY_TYPE") is None
    assert _shown().flag("CKA_WRAP") is None
    assert _shown(CKA_MODULUS="c3").public_key() is None


def test_booleans_are_two_digits() -> None:
    assert _shown(CKA_WRAP="01").flag("CKA_WRAP") is True
    assert _shown(CKA_WRAP="00").flag("CKA_WRAP") is False
    for value in ("", "1", "true", "02", "0100"):
        with pytest.raises(UnknownScreenError, match="not a boolean"):
            _shown(CKA_WRAP=value).flag("CKA_WRAP")


def test_a_public_key_is_read_by_its_numbers() -> None:
    shown = _shown(CKA_MODULUS="00c35b", CKA_PUBLIC_EXPONENT="010001")
    assert shown.public_key() == PublicKey(0xC35B, 65537)
    with pytest.raises(UnknownScreenError, match="not a public key"):
        _shown(CKA_MODULUS="modulus", CKA_PUBLIC_EXPONENT="010001").public_key()


@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\t"])
def test_a_modulus_that_a_terminal_wrapped_is_joined(end: str) -> None:
    modulus = "c35b" * 128
    rows = [f"CKA_MODULUS={modulus}"[at : at + 80] for at in range(0, 524, 80)]
    shown = ["Object", "handle=7", "CKA_CLASS=02000000", *rows, "CKA_LABEL=cafe"]
    assert screens.shown(end.join(shown)).attributes["CKA_MODULUS"] == modulus
    with pytest.raises(UnknownScreenError, match=r"no attribute: \s*c35b"):
        screens.shown(end.join([*shown, "c35b"]))


@pytest.mark.parametrize("last", ["Program will terminate.", "Version 2 is needed. Program will terminate."])
def test_a_library_of_another_version_is_a_refusal(last: str) -> None:
    found = parse("startup", f"CrystokiConnect()\nWrong Cryptoki version.\nIt is 1.\n{last}\nEnter 0 to end.")
    assert (found["ok"], str(found["error"]).count(last)) == (False, 1)


@pytest.mark.parametrize("typed", ["x", "", "0"])
def test_a_question_that_is_asked_again_is_no_other_screen(typed: str) -> None:
    failed = f"Error during C_Initialize(). Terminate Program.\nError code: 48\nEnter 0 to end.{typed}\n"
    again = "\nYou must enter a number between 0 and 110: 999\n\nThe acceptable range is from 0 and 110: 0\n"
    assert parse("startup", failed + again)["status"] == "CKR_DEVICE_ERROR"
    with pytest.raises(UnknownScreenError):
        parse("startup", failed + again + "what?\n")
    with pytest.raises(UnknownScreenError):
        parse("startup", failed.replace("end.", "end. what?"))


@pytest.mark.parametrize("shown", ["", "****", "s3cret", "s3cret\n******", "\n******", "s3cret\ns3cret"])
@pytest.mark.parametrize("choice", ["3\n", "3\n3\n", "Enter your choice : 3\n3\n"])
def test_what_was_echoed_at_a_login_means_nothing(shown: str, choice: str) -> None:
    roles = "Security Officer[0]\nCrypto-Officer[1]\nCrypto-User[2]: 1\n"
    status = "\nStatus: Doing great, no errors (CKR_OK)\nEnter your choice : "
    assert parse("login", f"{choice}{roles}Enter PIN: {shown}\n{status}")["ok"] is True


@pytest.mark.parametrize("label", ["x", "a b", "a: b", "12"])
def test_what_the_editor_repeats_means_nothing(label: str) -> None:
    editor = "(1) Add Attribute   (2) Remove Attribute   (0) Accept Template "
    names = "\n 0 - CKA_CLASS                  3 - CKA_LABEL                 \n"
    added = f"\n{editor}1\n1\n{names}\nSelect which one: 3\n3\nEnter string value: {label}\n{label}\n"
    asked = f"25\n25\n\nWhich object do you want to modify (-1 to list available objects) : 7\n7\n{added}"
    status = "\nStatus: Doing great, no errors (CKR_OK)\nEnter your choice : "
    whole = f"{asked}\nCKA_LABEL={label}\n\n{editor}0\n0\n{status}"
    assert parse("setAttribute", whole)["ok"] is True
    with pytest.raises(UnknownScreenError):
        parse("setAttribute", whole.replace(f"\n{label}\n", f"\nnot {label}\n"))


@pytest.mark.parametrize("words", ["", "(99 for help)", "(99 or 'FULL' for help)"])
def test_how_help_is_offered_means_nothing(words: str) -> None:
    prompt = f"Enter your choice {words}: "
    assert dialect.MAIN.compiled().search(f"\n{prompt}".encode())
    asked = f"{prompt}26\n\nSelect object type to search: 7\n\nHandle 7 -- label: x\n"
    found = parse("findObject", f"{asked}\nStatus: Doing great, no errors (CKR_OK)\n{prompt}")
    assert found["objects"] == [{"handle": 7, "label": "x"}]


def test_slots_are_read_with_tabs_or_blanks() -> None:
    text = (
        "\r\nSlots available:\r\n\tslot#1 - LunaNet Slot      \r\n  slot #  7 - \r\n\tslot#500 - HA Virtual - Card\r\n"
    )
    assert screens.slots(text) == {1: "LunaNet Slot", 7: "", 500: "HA Virtual - Card"}
    with pytest.raises(UnknownScreenError, match="slot 8"):
        screens.slots(text + "slot 8 - LunaNet Slot\r\n")


@pytest.mark.parametrize(
    "status",
    [
        "Status: C_WrapKey returned error. (CKR_OK)",
        "Status: Doing great, no errors (CKR_DEVICE_ERROR)",
        "Status: Doing great, no errors",
        "Status: Doing great, no errors (0x0)",
        "no Status: Doing great, no errors (CKR_OK)",
        "Status: Doing great, no errors (CKR_OK) and more",
    ],
)
def test_a_status_that_proves_nothing_is_unknown(status: str) -> None:
    with pytest.raises(UnknownScreenError):
        screens.answer(f"\r\n{status}\r\n")


@pytest.mark.parametrize(
    "function", ["C_WrapKey", "ReadBinaryFile", "Function in Descriptor Library", "Unknown function"]
)
def test_the_function_that_failed(function: str) -> None:
    answer = screens.answer(f"said\r\n\r\nStatus: {function} returned error. (CKR_UNKNOWN)\r\n")
    assert (answer.function, answer.ckr, answer.ok, answer.body) == (function, "CKR_UNKNOWN", False, "said\n\n")


def test_no_function_of_that_number_is_a_success_that_says_so() -> None:
    answer = screens.answer("\r\nInvalid input (30).\r\nStatus: Doing great, no errors (CKR_OK)\r\n")
    assert (answer.ok, answer.body) == (True, "\nInvalid input (30).\n")
