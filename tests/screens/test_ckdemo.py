from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from fixture_files import Fixture, of_tool
from hypothesis import given
from hypothesis import strategies as st

from keyferry.errors import UnknownScreenError
from keyferry.names import ClassicHandle, PublicKey
from keyferry.tools.ckdemo import dialect, screens
from keyferry.tools.ckdemo.screens import Shown
from keyferry.tools.text import unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DIALECTS = ("5", "7")
SILENT = ("openSession", "login", "setAttribute", "options")
SENTENCES = {
    "wrapKey": (dialect.WRAPPED, dialect.WRAPPED_FILE),
    "encryptFile": (dialect.ENCRYPTED, dialect.ENCRYPTED_FILE),
}
VERBS = ("startup", "findObject", "displayObject", "tokenInfo", *SILENT, *SENTENCES)


def document(verb: str, text: str) -> Mapping[str, Any]:
    """A whole turn as `keyferry.parse/1`: the shape that `keyferry parse ckdemo VERB` has."""
    answer = screens.answer(text)
    envelope = {"schema": "keyferry.parse/1", "tool": "ckdemo", "verb": verb, "ok": answer.ok, "status": answer.ckr}
    if not answer.ok:
        said = f"{answer.function} returned error. ({answer.ckr})"
        return envelope | {"error": {"code": answer.ckr, "text": said}, "function": answer.function}
    return envelope | {"error": None} | _fields(verb, text, answer.body)


def _fields(verb: str, text: str, body: str) -> dict[str, Any]:
    match verb:
        case "startup":
            assert screens.menu(text, dialect.MENU).keys() == dialect.MENU.keys()
            return {}
        case "findObject":
            return {"objects": [{"handle": one.handle, "label": one.label} for one in screens.listing(body)]}
        case "displayObject":
            shown = screens.shown(body)
            return {"handle": shown.handle, "attributes": dict(shown.attributes)}
        case "tokenInfo":
            token = screens.token(body)
            return {"attributes": {**token.fields, "Token Flags": " ".join(sorted(token.flags))}}
    return _sentence(verb, body)


def _sentence(verb: str, body: str) -> dict[str, Any]:
    """What is said, if anything may be, is one sentence; the driver holds the same."""
    sentence, file = SENTENCES.get(verb, ("", None))
    if body.strip() != sentence:
        raise unknown("ckdemo", verb, f"not {sentence!r}", body)
    return {"file": file} if file else {}


def _fixtures() -> list[tuple[str, Fixture]]:
    return [(parameter.id or "", fixture) for parameter in of_tool("ckdemo") for fixture in parameter.values]


@pytest.mark.parametrize("fixture", of_tool("ckdemo"))
def test_fixture(fixture: Fixture) -> None:
    if fixture.expected.get("exit") == 10:
        with pytest.raises(UnknownScreenError) as error:
            document(fixture.verb, fixture.text)
        assert fixture.expected["shows"] in f"{error.value.what}\n{error.value.seen}"
    else:
        assert document(fixture.verb, fixture.text) == fixture.expected


@pytest.mark.parametrize("version", DIALECTS)
@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_its_fixtures(version: str, verb: str) -> None:
    there = {name: one for name, one in _fixtures() if name.startswith(f"{version}-{verb}--")}
    assert {one.expected.get("ok") for one in there.values()} == {True, False, None}
    for case in ("empty", "truncated", "garbage"):
        assert there[f"{version}-{verb}--{case}"].expected["exit"] == 10


MENUS = {
    "5": {"login": 3, "token_info": 12, "set_attribute": 25, "find_object": 26, "display_object": 27, "wrap_key": 60},
    "7": {"login": 3, "token_info": 13, "set_attribute": 26, "find_object": 28, "display_object": 29, "wrap_key": 60},
}


@pytest.mark.parametrize("version", DIALECTS)
def test_the_menus_numbers(version: str) -> None:
    start = dict(_fixtures())[f"{version}-startup--menu"]
    same = {"open_session": 1, "encrypt_file": 40, "options": 98, "quit": 0}
    assert screens.menu(start.text, dialect.MENU) == MENUS[version] | same


# --- properties ------------------------------------------------------------------------------------------------

LINE_ENDS = st.sampled_from(["\n", "\r\n", "\r\r\n", "\0\r\n"])
LABELS = st.text(st.characters(exclude_characters="\r\n\0", codec="utf-8"), max_size=40)
HANDLES = st.lists(st.integers(0, 2**64 - 1), unique=True, max_size=8)
OBJECTS = HANDLES.flatmap(
    lambda handles: st.tuples(*(st.tuples(st.just(handle), LABELS) for handle in handles)),
)


@given(OBJECTS, LINE_ENDS, st.sampled_from([" ", "\t", "   "]))
def test_every_listing_is_read_as_it_was_printed(objects: tuple[tuple[int, str], ...], end: str, blank: str) -> None:
    lines = [f"Handle{blank}{handle} -- label: {label}" for handle, label in objects] or ["No objects found"]
    found = screens.listing(end + end.join(lines) + end + end)
    assert tuple((one.handle, one.label) for one in found) == objects


@given(st.dictionaries(st.from_regex(r"CKA_[A-Z_0-9]{1,20}", fullmatch=True), LABELS), st.integers(0, 2**64 - 1))
def test_every_display_is_read_as_it_was_printed(attributes: dict[str, str], handle: int) -> None:
    attributes |= {"CKA_CLASS": "04000000"}
    lines = "".join(f"{name}={value}\r\n" for name, value in attributes.items())
    assert screens.shown(f"Object\r\nhandle={handle}\r\n{lines}\r\n") == Shown(ClassicHandle(handle), attributes)


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
        assert document(fixture.verb, text[:start] + piece + text[end:])["verb"] == fixture.verb


@given(st.one_of(st.text(), st.text("[]()- \t\n0123456789ABCEAES_-RSAOP:Status=>,?", max_size=200)))
def test_any_text_gives_a_number_or_the_documented_error(text: str) -> None:
    readers: tuple[Callable[[], object], ...] = (
        lambda: screens.attribute_number(text, "CKA_WRAP"),
        lambda: screens.option_number(text, "Finished"),
        lambda: screens.choice(text, "Crypto-Officer", "login"),
        lambda: screens.table_number(text, "AES-ECB", "encryptFile"),
        lambda: screens.slots(text),
    )
    for reader in readers:
        with contextlib.suppress(UnknownScreenError):
            reader()


STYLES = ("[{n}]{name}", "{n} {name}", "{n} - {name}", "{name}[{n}]", "({n}) {name}", "[ {n} ] {name}", "{name} [{n}]")
WANTED = ("AES-ECB", "DES3-ECB", "RSA_OAEP", "SHA-256", "All Objects")
NEAR = (
    *("DES-ECB", "AES-ECB-PAD", "RAW-AES-ECB", "RSA", "RSA (PKCS#1 v1.5)", "SET_OAEP", "RSA_OAEP_2", "TRANSLA"),
    *("RC2", "RSA X9.31", "KCDSA-1024", "SHA-1", "SHA-2567", "Data Object", "All Objects (token)", "3DES-ECB", "X 9"),
)
NUMBERS = st.lists(st.integers(0, 500), unique=True, min_size=len(NEAR) + 1, max_size=len(NEAR) + 1)


def _in_columns(cells: list[str], columns: int, width: int) -> str:
    rows = [cells[at : at + columns] for at in range(0, len(cells), columns)]
    return "\r\n" + "\r\n".join("".join(f"{cell:<{width - 1}} " for cell in row) for row in rows) + "\r\n"


@given(
    st.sampled_from(WANTED), st.lists(st.sampled_from(NEAR), unique=True), NUMBERS, st.sampled_from(STYLES), st.data()
)
def test_a_tables_number_is_the_right_one_or_none(
    wanted: str, others: list[str], numbers: list[int], style: str, data: st.DataObject
) -> None:
    names = data.draw(st.permutations([wanted, *others]))
    cells = [style.format(n=number, name=name) for number, name in zip(numbers, names, strict=False)]
    table = _in_columns(cells, data.draw(st.integers(1, 5)), data.draw(st.integers(2, 30)))
    assert screens.table_number(table, wanted, "encryptFile") == numbers[names.index(wanted)]


@given(st.sampled_from(WANTED), st.lists(st.sampled_from(NEAR), unique=True), NUMBERS, st.sampled_from(STYLES))
def test_a_table_without_the_name_or_with_it_twice_gives_no_number(
    wanted: str, others: list[str], numbers: list[int], style: str
) -> None:
    for names in (others, [wanted, *others, wanted]):
        cells = [style.format(n=number, name=name) for number, name in zip(numbers, names, strict=False)]
        if len(cells) == len(names):
            with pytest.raises(UnknownScreenError):
                screens.table_number(_in_columns(cells, 3, 22), wanted, "encryptFile")


@pytest.mark.parametrize(
    "table",
    ["", "Select one of 3 mechanisms\n[27]AES-ECB\n", "[27]AES-ECB\nDES-ECB[5]\n", "AES-ECB\n", "[x]AES-ECB\n"],
)
def test_a_table_that_cannot_be_read_is_unknown(table: str) -> None:
    with pytest.raises(UnknownScreenError):
        screens.table_number(table, "AES-ECB", "encryptFile")


def test_hyphen_and_underscore_are_one() -> None:
    assert screens.table_number("[25]RSA-OAEP [26]SET-OAEP", dialect.RSA_OAEP, "unwrapKey") == 25
    for shown in ("SHA256", "SHA-256", "SHA_256", "sha256"):
        assert screens.table_number(f"[1]SHA1 [3]{shown}", dialect.HASHES["sha256"], "wrapKey") == 3


@given(st.permutations(["WRAP", "WRAP_WITH_TRUSTED", "UNWRAP", "CLASS", "EXTRACTABLE"]), st.integers(0, 90))
def test_an_attributes_number(names: list[str], first: int) -> None:
    cells = [f"{number:2d} - {'CKA_' + name:<23}   " for number, name in enumerate(names, first)]
    text = "\r\n" + "\r\n".join("".join(cells[at : at + 2]) for at in range(0, len(cells), 2)) + "\r\n"
    assert screens.attribute_number(text, "CKA_WRAP") == first + names.index("WRAP")


@pytest.mark.parametrize(
    "text", ["15 - CKA_UNWRAP", "15 - CKA_WRAP_X", "15 CKA_WRAP", "1 - CKA_WRAP\n2 - CKA_WRAP", ""]
)
def test_an_attribute_that_is_not_there_once_is_unknown(text: str) -> None:
    with pytest.raises(UnknownScreenError):
        screens.attribute_number(text, "CKA_WRAP")


@given(
    st.permutations(["Open Session Type: a", "Display Help: Always", "Displays: 2 - Display", "Finished"]), st.data()
)
def test_an_options_number(lines: list[str], data: st.DataObject) -> None:
    numbers = data.draw(st.lists(st.integers(0, 30), unique=True, min_size=4, max_size=4))
    text = "Options:\r\n" + "\r\n".join(f" {n} - {line}" for n, line in zip(numbers, lines, strict=True))
    assert screens.option_number(text, dialect.OPTION_HELP) == numbers[lines.index("Display Help: Always")]
    with pytest.raises(UnknownScreenError):
        screens.option_number(text, dialect.OPTION_HASH)


SESSIONS = (
    "SO[{so}] or normal user[{user}]? ",
    "SO[{so}], normal user[{user}], or audit user[7]? ",
    "normal user [{user}], SO [{so}]? ",
    "SO[{so}], limited normal users[9] or Normal User [ {user} ] ? ",
)


@given(st.sampled_from(SESSIONS), st.integers(0, 6), st.integers(0, 6))
def test_the_number_of_the_normal_user(question: str, so: int, user: int) -> None:
    assert screens.choice(question.format(so=so, user=user), "normal user", "openSession") == user


ROLES = ("Security Officer", "Crypto User", "Audit User", "Limited Crypto Officer", "Crypto Officers")


@given(
    st.permutations(["Crypto Officer", *ROLES]),
    st.sampled_from(["-", " "]),
    st.sampled_from(["[{}]", " [{}]", "\t[ {} ]", "     [{}]:"]),
    st.lists(st.integers(0, 9), unique=True, min_size=6, max_size=6),
    LINE_ENDS,
)
def test_the_number_of_the_crypto_officer(
    roles: list[str], joint: str, bracket: str, numbers: list[int], end: str
) -> None:
    lines = [role.replace(" ", joint) + bracket.format(n) for role, n in zip(roles, numbers, strict=True)]
    right = numbers[roles.index("Crypto Officer")]
    assert screens.choice(end + end.join(lines) + ": ", "Crypto-Officer", "login") == right


@pytest.mark.parametrize("text", ["Crypto-User[1]: ", "Crypto-Officer: ", "Crypto-Officer[1]\nCrypto Officer[2]: ", ""])
def test_a_role_that_is_not_offered_once_is_unknown(text: str) -> None:
    with pytest.raises(UnknownScreenError):
        screens.choice(text, "Crypto-Officer", "login")


TITLES = ["Wrap key", "Unwrap key", "Wrap key (ind)", "Wrap keys", "Simple Wrap key", "Login"]


@given(st.permutations(TITLES), st.lists(st.integers(0, 110), unique=True, min_size=6, max_size=6), st.integers(1, 3))
def test_a_menus_number_is_the_right_one(titles: list[str], numbers: list[int], columns: int) -> None:
    cells = [f"({number:2d}) {title}" for number, title in zip(numbers, titles, strict=True)]
    text = "KEY:" + _in_columns(cells, columns, 22)
    assert screens.menu(text, {"wrap": "Wrap key"}) == {"wrap": numbers[titles.index("Wrap key")]}


# --- single values ---------------------------------------------------------------------------------------------


def _shown(**attributes: str) -> Shown:
    return Shown(ClassicHandle(1), attributes)


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
