"""What an operator should know that stops nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyferry.pkcs11 import MODULUS_STRENGTH
from keyferry.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from keyferry.planning.evaluate import PlannedKey

_DES3_STRENGTH = 112  # bits (NIST SP 800-57 part 1)


def names(planned: Iterable[PlannedKey]) -> set[str]:
    """The labels and ids that a plan names: where a secret happens to occur in one, the record shows it as a name."""
    return {name for one in planned for name in (one.key.label, one.key.id_shown, one.new_label, one.new_id)}


def notices(crossing: Sequence[PlannedKey], modulus_bits: int, *, extractable: bool) -> Iterator[str]:
    """For the keys that will cross under an RSA key of so many bits."""
    if not extractable:
        yield "the wrapping pair is created non-extractable (AWS's document does not do this)"
    strength = MODULUS_STRENGTH[modulus_bits]
    stronger = sum(_strength(one) > strength for one in crossing)
    if stronger:
        yield (
            f"RSA {modulus_bits} has {strength} bits of strength, less than {_of_keys(stronger)} that it wraps;"
            " `[wrapping] bits` can be more"
        )
    if any(one.key.type == "DES3" for one in crossing):
        yield "a cluster in FIPS mode may refuse DES3 keys since 2024; the cluster's answer decides"
    if unproved := sum(one.kcv is None for one in crossing):
        has, their = ("has", "its") if unproved == 1 else ("have", "their")
        told = f"{counted(unproved, 'key')} {has} no check value on the source"
        yield f"{told}; {their} proof will be {their} length"


def _of_keys(count: int) -> str:
    return "one key" if count == 1 else f"{count} of the keys"


def _strength(planned: PlannedKey) -> int:
    return _DES3_STRENGTH if planned.key.type == "DES3" else planned.key.bits or 0
