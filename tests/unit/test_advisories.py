from __future__ import annotations

from typing import TYPE_CHECKING

from keyferry.planning.advisories import notices
from keys import planned, source

if TYPE_CHECKING:
    from keyferry.planning.evaluate import PlannedKey


def told(*crossing: PlannedKey, bits: int = 2048, extractable: bool = True) -> str:
    return "\n".join(notices(crossing, bits, extractable=extractable))


def test_a_wrapping_key_weaker_than_what_it_wraps_is_named() -> None:
    assert "less than one key that it wraps" in told(planned())
    assert "less than 2 of the keys that it wraps" in told(planned(), planned())
    assert "strength" not in told(planned(source(type="AES", bits=128)), bits=4096)


def test_our_addition_to_the_document_is_named() -> None:
    assert "non-extractable" in told(planned(), extractable=False)
    assert "non-extractable" not in told(planned(), extractable=True)


def test_des3_may_be_refused_by_a_cluster() -> None:
    key = planned(source(type="DES3", bits=192))
    assert "FIPS" in told(key)
    assert "strength" not in told(key)


def test_keys_that_only_their_length_will_prove_are_counted() -> None:
    assert "1 key has no check value on the source; its proof" in told(planned(kcv=None), planned())
    assert "2 keys have no check value on the source; their proof" in told(*[planned(kcv=None)] * 2)
    assert "check value" not in told(planned())
