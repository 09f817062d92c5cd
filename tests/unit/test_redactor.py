from __future__ import annotations

import base64
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyferry.recording.redactor import Redactor, forms
from keyferry.secrets import Secret

SECRETS = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=4, max_size=24).map(str.encode)
TEXTS = st.binary(max_size=60)


def _chunks(data: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(places)]


def _passed(secret: bytes, chunks: list[bytes]) -> bytes:
    redactor = Redactor([Secret("pin", secret)])
    return b"".join(map(redactor.feed, chunks)) + redactor.flush()


@given(SECRETS, TEXTS, TEXTS, st.integers(0, 3), st.lists(st.integers(0, 999), max_size=8))
def test_no_form_of_a_secret_passes_however_it_is_split(
    secret: bytes, before: bytes, after: bytes, which: int, cuts: list[int]
) -> None:
    form = sorted(forms(secret))[which % len(forms(secret))]
    out = _passed(secret, _chunks(before + form + after, cuts))
    # The name that stands in a secret's place may itself be part of what looks like one.
    assert b"[pin]" in out
    assert all(shape not in piece for shape in forms(secret) for piece in out.split(b"[pin]"))


@given(SECRETS, TEXTS, st.lists(st.integers(0, 999), max_size=8))
def test_other_text_comes_through_unchanged(secret: bytes, text: bytes, cuts: list[int]) -> None:
    if any(form in text for form in forms(secret)):
        return
    assert _passed(secret, _chunks(text, cuts)) == text


def test_one_secret_inside_another_is_named_by_the_longer() -> None:
    redactor = Redactor([Secret("short", b"abcd"), Secret("long", b"xabcdx")])
    assert redactor.text("1 xabcdx 2 abcd") == "1 [long] 2 [short]"


@given(st.lists(st.integers(0, 999), max_size=8))
def test_nothing_is_left_over_of_a_secret_that_begins_with_another(cuts: list[int]) -> None:
    redactor = Redactor([Secret("short", b"1234"), Secret("long", b"12345678")])
    out = b"".join(map(redactor.feed, _chunks(b"a 12345678 b 1234", cuts))) + redactor.flush()
    assert out == b"a [long] b [short]"


def test_the_beginning_of_a_secret_waits_and_is_given_out_when_nothing_comes_of_it() -> None:
    redactor = Redactor([Secret("pin", b"abcd")])
    assert redactor.feed(b"-abc") == b"-"
    assert redactor.feed(b"x") == b"abcx"
    assert redactor.feed(b"ab") == b""
    assert redactor.flush() == b"ab"


def test_a_whole_text_is_cleaned_of_every_form() -> None:
    redactor = Redactor([Secret("pin", b"tell-nobody")])
    shown = f"tell-nobody {b'tell-nobody'.hex()} {base64.b64encode(b'tell-nobody').decode()} \udcff"
    assert redactor.text(shown) == "[pin] [pin] [pin] \udcff"


def test_without_secrets_all_passes_at_once() -> None:
    assert Redactor([]).feed(b"anything") == b"anything"


@pytest.mark.parametrize(
    "text",
    [
        "Handle 12 -- label: my Xyzzy-77 key",
        "\thandle=5\tlabel=Xyzzy-77",
        "CKA_LABEL=Xyzzy-77",
        'CKA_ID = "Xyzzy-77',
        '  "label": "Xyzzy-77"',
        '"username": "Xyzzy-77"',
    ],
)
@pytest.mark.parametrize("size", [1, 5, 999])
def test_a_name_that_contains_a_secret_stays_whole(text: str, size: int) -> None:
    whole = f"label: x\n{text}, then Xyzzy-77?\nXyzzy-77\n" if '"' not in text else f"{text}\nXyzzy-77\n"
    chunks = [whole[place : place + size].encode() for place in range(0, len(whole), size)]
    out = _passed(b"Xyzzy-77", chunks).decode()
    assert text in out
    assert out.endswith("\n[pin]\n")
    assert text in Redactor([Secret("pin", b"Xyzzy-77")]).text(whole)


def test_a_secret_that_a_known_name_contains_is_sought_no_longer() -> None:
    redactor = Redactor([Secret("pin", b"Xyzzy-77"), Secret("password", b"Plugh-88")])
    held = redactor.feed(b"Xyzzy")
    redactor.spare("key Xyzzy-77 of ours", "other")
    assert held + redactor.feed(b"-77 Plugh-88") + redactor.flush() == b"Xyzzy-77 [password]"
    redactor.spare(b"Plugh-88".hex())
    assert redactor.text("Plugh-88") == "Plugh-88"


@given(st.lists(st.integers(0, 999), max_size=8))
def test_words_in_the_place_of_others_however_they_are_split(cuts: list[int]) -> None:
    redactor = Redactor.of(b"login -p user", b"login -p [pin]")
    out = b"".join(map(redactor.feed, _chunks(b"user: login -p user\r\nlogin user", cuts))) + redactor.flush()
    assert out == b"user: login -p [pin]\r\nlogin user"
