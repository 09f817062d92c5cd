from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixture_files import Fixture, check_cases, check_document, errors, of_tool
from keyferry.errors import ToolRefusedError, UnknownScreenError
from keyferry.tools.cmu import screens
from keyferry.tools.cmu.parsing import VERBS, parse

if TYPE_CHECKING:
    from collections.abc import Mapping

PASSWORD = "Please enter password for token in slot 1 : ****\r\n"


@pytest.mark.parametrize("fixture", of_tool("cmu"))
def test_fixture(fixture: Fixture) -> None:
    check_document(fixture, parse)


@pytest.mark.parametrize("version", ["5", "7"])
@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_its_fixtures(version: str, verb: str) -> None:
    check_cases("cmu", version, verb)


KNOWN_ERRORS = {
    "list": {"PIN_INCORRECT", "PIN_LOCKED", "PIN_EXPIRED", "USER_LOCKED_OUT", "TOKEN_NOT_PRESENT", "SLOT_ID_INVALID"},
    "getAttribute": {"OBJECT_HANDLE_INVALID"},
    "setAttribute": {"ATTRIBUTE_READ_ONLY", "OBJECT_READ_ONLY", "USER_NOT_AUTHORIZED"},
    "import": {"USER_NOT_AUTHORIZED", "DEVICE_ERROR"},
    "delete": {"USER_NOT_AUTHORIZED"},
}
"""The HSM answers of pitfalls-luna.md that each verb can get; those of the login stand for all under `list`."""


@pytest.mark.parametrize("version", ["5", "7"])
@pytest.mark.parametrize("verb", VERBS)
def test_every_known_error_has_its_fixture(version: str, verb: str) -> None:
    there = errors("cmu", version, verb)
    assert {f"CKR_{name}" for name in KNOWN_ERRORS[verb]} - there.codes == set()
    if verb in {"delete", "getAttribute"}:
        assert "Object not found" in there.lines


def test_further_columns_are_kept_by_name() -> None:
    (one,) = screens.listing("  3\thandle=9\tclass=publicKey\tkeyType=RSA\tlabel=a\tvalue=\n")
    assert one.columns == {"class": "publicKey", "keytype": "RSA", "value": ""}


LABELS = st.text(st.characters(exclude_characters="\r\n\0", codec="utf-8"), max_size=32)
HANDLES = st.lists(st.integers(0, 2**64 - 1), unique=True, max_size=8)


@given(HANDLES, st.data(), st.sampled_from(["\n", "\r\n", "\r\r\n"]))
def test_every_listing_is_read_as_it_was_printed(handles: list[int], data: st.DataObject, newline: str) -> None:
    labels = data.draw(st.lists(LABELS, min_size=len(handles), max_size=len(handles)))
    lines = [f"handle={handle}\tlabel={label}{newline}" for handle, label in zip(handles, labels, strict=True)]
    found = screens.listing(PASSWORD + "".join(lines))
    assert [(one.handle, one.label) for one in found] == list(zip(handles, labels, strict=True))


@given(st.lists(st.integers(0, 10**6), unique=True, min_size=1, max_size=5), st.data())
def test_a_damaged_listing_gives_objects_or_the_documented_error(handles: list[int], data: st.DataObject) -> None:
    text = PASSWORD + "".join(f"handle={handle}\tlabel=key {handle}\r\n" for handle in handles)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    damaged = text[:start] + data.draw(st.text(max_size=8)) + text[end:]
    with contextlib.suppress(UnknownScreenError, ToolRefusedError):
        assert all(isinstance(one, screens.CmuObject) for one in screens.listing(damaged))


HEX = st.binary(min_size=8, max_size=300).map(lambda data: "c3" + data.hex())


@given(
    st.dictionaries(st.sampled_from(["sensitive", "wrap", "extractable"]), st.sampled_from(["true", "F", "1"])),
    LABELS,
    HEX,
    st.integers(20, 200),
    st.sampled_from(["\n", "\r\n", "\r\r\n", "\0\r\n"]),
    st.sampled_from(["", "  ", "\t"]),
)
def test_every_public_key_is_read_as_it_was_printed(
    flags: dict[str, str], label: str, modulus: str, width: int, newline: str, indent: str
) -> None:
    whole = {"class": "publicKey", "label": label, "keytype": "RSA", **flags, "publicexponent": "010001"}
    wrapped = [modulus[at : at + width] for at in range(0, len(modulus), width)]
    lines = [f"{name}={value}" for name, value in whole.items()] + ["modulus=" + wrapped[0], *wrapped[1:]]
    text = PASSWORD + "".join(f"{indent}{line}{newline}" for line in lines)
    assert parse("getAttribute", text)["attributes"] == whole | {"modulus": modulus}


BANNERS = st.sampled_from(["", "Certificate Management Utility (64-bit) v10.5.0-470. Copyright (c) 2022 Somebody.\n\n"])
QUESTIONS = st.sampled_from(["", "Select token\n [0] Token Label: par-1\n [3] Token Label: a b\n \n Enter choice: 3\n"])
STARS = st.integers(0, 30).map(lambda count: f"Please enter password for token in slot {count} : {'*' * count}\n")
SAID = {
    "import": st.integers(0, 2**64 - 1).map(
        lambda one: (f"...The key was imported -> Handle ({one})\n", {"handle": one})
    ),
    "setAttribute": st.just(("", {})),
    "delete": st.just(("...The object was successfully deleted\n", {})),
}


@given(st.sampled_from(sorted(SAID)), BANNERS, QUESTIONS, STARS, st.data())
def test_every_change_is_read_as_it_was_printed(
    verb: str, banner: str, question: str, stars: str, data: st.DataObject
) -> None:
    said, fields = data.draw(st.one_of(st.just(("", {})), SAID[verb]))
    echo = data.draw(st.sampled_from(["", f"$ cmu {verb} -slot=1\n", f"[root@host ~]# ./cmu {verb} -slot 1\n"]))
    text = f"{echo}{banner}{question}{stars}{said}".replace("\n", data.draw(st.sampled_from(["\n", "\r\n", "\n\0"])))
    expected = {"schema": "keyferry.parse/1", "tool": "cmu", "verb": verb, "ok": True, "error": None}
    assert parse(verb, text) == expected | fields


@given(st.sampled_from([fixture for parameter in of_tool("cmu") for fixture in parameter.values]), st.data())
def test_a_damaged_screen_gives_a_document_or_the_documented_error(fixture: Fixture, data: st.DataObject) -> None:
    text = fixture.text
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    piece = data.draw(st.one_of(st.text(max_size=8), st.sampled_from(["9" * 5000, "\0", text[start:end] * 2])))
    with contextlib.suppress(UnknownScreenError):
        assert parse(fixture.verb, text[:start] + piece + text[end:])["verb"] == fixture.verb


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("piece", ["pin ", "login ", "fail ", "label=", "\t", " ", "$", "cmu/", "success", "handle=1"])
def test_a_flood_is_refused_or_read_in_linear_time(verb: str, piece: str) -> None:
    """A text that a quadratic parser would take minutes for; the suite's own time tells."""
    with contextlib.suppress(UnknownScreenError):
        parse(verb, PASSWORD + piece * (300_000 // len(piece)))


SECRET = "7e11-n0b0dy"


@pytest.mark.parametrize(
    "text",
    [
        f"Please enter password for token in slot 1 : {SECRET}\nnews\n",
        f"cmu list -password={SECRET}\nnews\n",
        f"  1\thandle=5\tlabel=x\tvalue={SECRET}\nnews\n",
        f"  1  handle=5  class=secretKey  label=x  value={SECRET}\nnews\n",
    ],
)
@pytest.mark.parametrize("verb", VERBS)
def test_no_secret_is_shown(verb: str, text: str) -> None:
    with pytest.raises(UnknownScreenError) as refused:
        parse(verb, text)
    assert SECRET not in f"{refused.value.what}{refused.value.seen}"


@pytest.mark.parametrize(
    "line",
    [
        "handle=18446744073709551616\tlabel=x",
        "handle=1f\tlabel=x",
        "handle=\tlabel=x",
        "label=x",
        "handle=3",
        "ouid=xyz\tlabel=x",
    ],
)
def test_a_line_without_a_handle_or_a_label_is_unknown(line: str) -> None:
    with pytest.raises(UnknownScreenError) as unknown:
        screens.listing(line + "\n")
    assert line in unknown.value.what


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("Error: CKR_PIN_INCORRECT", True),
        ("CKR_PIN_LOCKED (0xA4)", True),
        ("The password is incorrect", True),
        ("login failed", True),
        ("Error 0x000000a0", True),
        ("Object not found", False),
        ("Error: CKR_OBJECT_HANDLE_INVALID", False),
        ("Error: unknown option -pin", False),
    ],
)
def test_a_refused_pin_is_told_from_other_refusals(text: str, *, about: bool) -> None:
    with pytest.raises(ToolRefusedError) as refused:
        screens.silence(PASSWORD + text, "import")
    assert screens.about_the_pin(refused.value) is about


@pytest.mark.parametrize(
    "change",
    [
        {"class": ""},
        {"keytype": ""},
        {"modulus": ""},
        {"modulus": "xyz"},
        {"publicexponent": ""},
        {"modulusbits": "7"},
        {"wrap": "perhaps"},
    ],
)
def test_attributes_that_lack_what_they_must_have_are_unknown(change: dict[str, str]) -> None:
    whole = {
        "class": "publicKey",
        "keytype": "RSA",
        "label": " x ",
        "wrap": "false",
        "modulus": "c5",
        "modulusbits": "8",
        "publicexponent": "03",
    }
    assert screens.attributes(_lines(whole)) == whole
    with pytest.raises(UnknownScreenError):
        screens.attributes(_lines(whole | change))


def _lines(attributes: Mapping[str, str]) -> str:
    return "".join(f"{name}={value}\r\n" for name, value in attributes.items())


def test_stars_behind_a_password_that_was_echoed_mean_nothing() -> None:
    prompt = "Please enter password for token in slot 3 : "
    assert parse("list", f"{prompt}s3cret\n******\nhandle=7\tlabel=x\n")["objects"] == [{"handle": 7, "label": "x"}]
    with pytest.raises(UnknownScreenError):
        parse("list", f"{prompt}s3cret\n******\n******\nhandle=7\tlabel=x\n")
