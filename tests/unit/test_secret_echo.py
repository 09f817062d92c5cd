from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyferry.terminal.secret_echo import EchoMask

SECRET = b"pa*s w0rd"


def _masked(data: bytes, size: int) -> tuple[bytes, list[bool]]:
    noticed: list[bool] = []
    mask = EchoMask(SECRET, noticed.append)
    out = b"".join(mask.feed(data[start : start + size]) for start in range(0, len(data), size))
    return out + mask.flush(), noticed


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
@pytest.mark.parametrize(
    ("data", "left", "noticed"),
    [
        (b"\r\nrest", b"\r\nrest", []),
        (b"*********\r\nrest", b"\r\nrest", [False]),
        (SECRET + b"\r\nrest", b"\r\nrest", [True]),
        (SECRET + b"\r\r\nrest", b"\r\r\nrest", [True]),
        (SECRET + b"\r\n*********\r\nrest", b"\r\nrest", [True]),
        (b"\r\n*********\r\nrest", b"\r\nrest", []),
        (b"refused\r\nrest", b"refused\r\nrest", []),
        (b"pa*refused\r\n", b"pa*refused\r\n", []),
        (SECRET + b"!\r\n", SECRET + b"!\r\n", []),
    ],
)
def test_the_echo_goes_and_nothing_else(size: int, data: bytes, left: bytes, noticed: list[bool]) -> None:
    assert _masked(data, size) == (left, noticed)


@given(st.binary(max_size=40), st.integers(1, 9))
def test_what_is_no_echo_passes_whole(data: bytes, size: int) -> None:
    if data.startswith((b"*", b"\r", b"\n", SECRET)):
        return
    assert _masked(data, size) == (data, [])


def test_only_the_first_line_is_looked_at() -> None:
    assert _masked(b"\r\nrest\r\n" + SECRET + b"\r\n", 5)[0] == b"\r\nrest\r\n" + SECRET + b"\r\n"


def test_stars_without_an_end_are_given_out_at_the_end_of_the_stream() -> None:
    mask = EchoMask(SECRET, lambda _shown: None)
    assert mask.feed(b"***") == b""
    assert mask.flush() == b"***"
