from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixture_files import Fixture, check, of_tool
from keyferry.errors import ToolRefusedError, UnknownScreenError
from keyferry.tools.cmu import screens

if TYPE_CHECKING:
    from collections.abc import Mapping

PASSWORD = "Please enter password for token in slot 1 : ****\r\n"


def _parsed(verb: str, text: str) -> Mapping[str, Any]:
    if verb == "list":
        return {"objects": [_object(one) for one in screens.listing(text)]}
    if verb == "getAttribute":
        return {"attributes": dict(screens.attributes(text))}
    screens.silence(text, verb)
    return {}


def _object(one: screens.CmuObject) -> dict[str, object]:
    name, number = ("ouid", one.ouid) if one.handle is None else ("handle", one.handle)
    return {name: number, "label": one.label}


@pytest.mark.parametrize("fixture", of_tool("cmu"))
def test_fixture(fixture: Fixture) -> None:
    check(fixture, lambda text: _parsed(fixture.verb, text))


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
