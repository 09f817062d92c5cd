from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyferry.terminal.value_filter import NAMES, ValueFilter


def _filtered(data: bytes, size: int) -> tuple[bytes, list[int]]:
    cuts: list[int] = []
    values = ValueFilter(cuts.append)
    out = b"".join(values.feed(data[start : start + size]) for start in range(0, len(data), size))
    return out + values.flush(), cuts


SIZES = st.integers(1, 40)
VALUES = st.binary(max_size=50).filter(lambda value: not set(value) & set(b"\r\n\t"))


@given(st.sampled_from(sorted(NAMES)), st.booleans(), st.sampled_from([b"=", b":"]), VALUES, SIZES)
def test_a_value_is_cut_to_the_end_of_its_column_at_every_chunk_size(
    name: bytes, upper: bool, sign: bytes, value: bytes, size: int
) -> None:
    shown = (name.upper() if upper else name) + sign
    data = b"label=x\r\n  " + shown + value + b"\tclass=3\r\n"
    assert _filtered(data, size) == (b"label=x\r\n  " + shown + b"\tclass=3\r\n", [len(value)])


@given(st.lists(st.sampled_from([b"label=", b"value", b"valuelen=32", b"\r\n", b"\t", b" ", b"x", b"\0"])), SIZES)
def test_what_holds_no_value_comes_through_unchanged(pieces: list[bytes], size: int) -> None:
    data = b"".join(pieces)
    assert _filtered(data, size) == (data, [])


@pytest.mark.parametrize(
    "data",
    [b"CKA_VALUE_LEN=20000000", b"my value=5", b"CKA_LABEL=value=5", b"handle=1\tlabel=value=5", b"values=5"],
)
def test_only_the_name_at_the_start_of_a_column_makes_a_value(data: bytes) -> None:
    assert _filtered(data, 3) == (data, [])


@pytest.mark.parametrize(
    ("data", "left"),
    [
        (b"CKA_VALUE=0011", b"CKA_VALUE="),
        (b"cka_private_exponent = 0011", b"cka_private_exponent ="),
        (b"PrivateExponent:0011", b"PrivateExponent:"),
        (b"CKA_PRIME_1=0011\nnext", b"CKA_PRIME_1=\nnext"),
        (b"label=x\tvalue=0011", b"label=x\tvalue="),
    ],
)
def test_known_ways_of_showing_a_value(data: bytes, left: bytes) -> None:
    assert _filtered(data, 2)[0] == left


def test_a_prompt_is_not_kept_back() -> None:
    values = ValueFilter(lambda _length: None)
    assert values.feed(b"\r\nEnter value: ") == b"\r\nEnter value: "
    assert values.feed(b"\n  ") == b"\n  "


def test_what_may_become_a_name_waits_for_what_follows() -> None:
    cuts: list[int] = []
    values = ValueFilter(cuts.append)
    assert values.feed(b"CKA_VAL") == b""
    assert values.feed(b"UE") == b""
    assert values.feed(b"=12") == b"CKA_VALUE="
    assert values.feed(b"34\n") == b"\n"
    assert cuts == [4]
