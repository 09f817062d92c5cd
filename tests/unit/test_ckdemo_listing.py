"""A listing in which labels contain line breaks: every line must be accounted for by an object's own display."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyferry.errors import UnknownScreenError
from keyferry.pkcs11 import SourceHandle
from keyferry.tools.ckdemo import screens
from keyferry.tools.cmu import screens as cmu
from keyferry.tools.lines import clean

PIECES = st.sampled_from(["a", "b c", "\n", "\r", "\0", "Handle 7 -- label: x", "handle=7\tlabel=x", " ", "é"])
LABELS = st.dictionaries(st.integers(1, 60), st.lists(PIECES, max_size=6).map("".join), min_size=1, max_size=5)


def shown(label: str) -> str:
    """As Display Object prints it."""
    data = label.encode()
    return label if all(0x20 <= byte <= 0x7E for byte in data) else data.hex()


def lines_of(label: str) -> list[str]:
    first, *more = (line.rstrip() for line in clean(label).split("\n"))
    return [first, *filter(None, more)]


@given(LABELS, st.booleans())
def test_any_label_is_read_back(labels: dict[int, str], cut: bool) -> None:
    printed = {handle: label.partition("\0")[0] if cut else label for handle, label in labels.items()}
    body = "".join(f"\nHandle {handle} -- label: {label}" for handle, label in printed.items()) + "\n"
    try:
        screens.listing(body)
    except UnknownScreenError:  # not every line is an object of its own
        found = screens.listing(body, lambda handle: shown(labels[handle]))
        read = {one.handle: [line.rstrip() for line in one.label.split("\n")] for one in found}
        assert read == {handle: lines_of(label) for handle, label in printed.items()}


@pytest.mark.parametrize("line", ["garbage", "Handle 9 -- label: other\ngarbage", "Handle 4 -- label: till"])
def test_a_line_that_no_label_accounts_for_is_not_understood(line: str) -> None:
    body = f"\nHandle 4 -- label: till\n{line}\nHandle 5 -- label: last\n"
    with pytest.raises(UnknownScreenError):
        screens.listing(body, lambda handle: {4: "till", 5: "last", 9: "other"}[handle])


def test_a_line_in_a_label_is_no_object() -> None:
    label = "a\nHandle 5 -- label: b"
    body = f"\nHandle 4 -- label: {label}\nHandle 5 -- label: real\n"
    found = screens.listing(body, lambda handle: {4: shown(label), 5: "real"}[handle])
    assert [(one.handle, one.label) for one in found] == [(4, label), (5, "real")]
    with pytest.raises(UnknownScreenError):
        screens.listing(body)


def test_cmu_lists_what_is_known_to_contain_line_breaks() -> None:
    text = "handle=4\tlabel=a\nhandle=5\tlabel=b\nhandle=6\tlabel=c\n"
    known = frozenset({("a", "handle=5\tlabel=b")})
    assert [(one.handle, one.label) for one in cmu.listing(text, known)] == [
        (SourceHandle(4), "a"),
        (SourceHandle(6), "c"),
    ]
    with pytest.raises(UnknownScreenError):
        cmu.listing("handle=4\tlabel=a\nother\n", known)
