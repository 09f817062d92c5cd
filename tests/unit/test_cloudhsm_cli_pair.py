"""What CloudHSM CLI shows of a wrapping pair's private half proves what it may do, each time that it is shown."""

from __future__ import annotations

from unittest.mock import Mock

import pytest

from keyferry.errors import MismatchError
from keyferry.pkcs11 import DestinationHandle
from keyferry.tools.cloudhsm_cli.destination import CloudHsmCliDestination
from keyferry.tools.cloudhsm_cli.screens import ListedKey, ListedPair

PRIVATE: dict[str, str | bool | int] = {
    "label": "w",
    "class": "private-key",
    "local": True,
    "unwrap": True,
    "extractable": False,
}


def _key(attributes: dict[str, str | bool | int], number: int = 7) -> ListedKey:
    return ListedKey(DestinationHandle(number), attributes, covered=True, coverage=("full", "full"))


def _destination(private: ListedKey) -> CloudHsmCliDestination:
    destination = CloudHsmCliDestination.__new__(CloudHsmCliDestination)
    pair = ListedPair(_key({"label": "w", "class": "public-key"}, 6), private)
    destination._session = Mock(**{"key.return_value": private, "generate_pair.return_value": pair})
    return destination


LACKING: list[dict[str, str | bool | int]] = [
    *({name: value for name, value in PRIVATE.items() if name != lost} for lost in PRIVATE if lost != "label"),
    PRIVATE | {"unwrap": False},
    PRIVATE | {"local": False},
    PRIVATE | {"extractable": True},
]


@pytest.mark.parametrize("shown", LACKING)
def test_a_new_private_half_shows_all_that_was_asked_for(shown: dict[str, str | bool | int]) -> None:
    with pytest.raises(MismatchError) as error:
        _destination(_key(shown)).make_pair("w", 2048, extractable=False)
    assert error.value.rule == "WRAPPING-KEY-MATCH"


def test_an_extractable_half_that_was_asked_for_is_taken() -> None:
    made = _destination(_key(PRIVATE | {"extractable": True})).make_pair("w", 2048, extractable=True)
    assert made.private == 7


@pytest.mark.parametrize("shown", [one for one in LACKING if one.get("class") and one.get("extractable") is not True])
def test_every_listing_of_the_private_half_shows_what_it_may_do(shown: dict[str, str | bool | int]) -> None:
    with pytest.raises(MismatchError) as error:
        _destination(_key(shown)).coverage(DestinationHandle(7))
    assert error.value.rule == "WRAPPING-KEY-MATCH"


def test_a_private_half_that_may_unwrap_is_covered() -> None:
    assert _destination(_key(PRIVATE)).coverage(DestinationHandle(7)).words
