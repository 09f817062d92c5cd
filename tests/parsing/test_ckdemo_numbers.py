"""The numbers that are read from ckdemo's tables, lists and menus, in every style that the reference leaves open."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keyferry.errors import UnknownScreenError
from keyferry.tools.ckdemo import dialect, screens

if TYPE_CHECKING:
    from collections.abc import Callable

# The first run in a clean checkout builds hypothesis' table of unicode: slow once, and no failure.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
LINE_ENDS = st.sampled_from(["\n", "\r\n", "\r\r\n", "\0\r\n"])


@PATIENT
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


@PATIENT
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


@PATIENT
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


@PATIENT
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


@PATIENT
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


@PATIENT
@given(st.sampled_from(SESSIONS), st.integers(0, 6), st.integers(0, 6))
def test_the_number_of_the_normal_user(question: str, so: int, user: int) -> None:
    assert screens.choice(question.format(so=so, user=user), "normal user", "openSession") == user


ROLES = ("Security Officer", "Crypto User", "Audit User", "Limited Crypto Officer", "Crypto Officers")


@PATIENT
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


@PATIENT
@given(st.permutations(TITLES), st.lists(st.integers(0, 110), unique=True, min_size=6, max_size=6), st.integers(1, 3))
def test_a_menus_number_is_the_right_one(titles: list[str], numbers: list[int], columns: int) -> None:
    cells = [f"({number:2d}) {title}" for number, title in zip(numbers, titles, strict=True)]
    text = "KEY:" + _in_columns(cells, columns, 22)
    assert screens.menu(text, {"wrap": "Wrap key"}) == {"wrap": numbers[titles.index("Wrap key")]}
