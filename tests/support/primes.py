"""RSA pairs of emulated HSMs from a few primes that are made once in a test run.

To find two primes takes longer than all else that an emulated tool does. Each pair is a product of its own, so that no
two HSMs of a test have the same one; that pairs of different tests share a prime matters to nobody.
"""

from __future__ import annotations

import fcntl
import functools
import itertools
import json
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import rsa

import shared

if TYPE_CHECKING:
    from pathlib import Path

_BITS, _EXPONENT = 2048, 65537
_PAIRS = 16  # 32 primes, 496 products
_generate = rsa.generate_private_key


def install() -> None:
    """Let `rsa.generate_private_key` take its primes from those of this test run, in this process and its forks."""
    pool()
    rsa.generate_private_key = _private_key


@functools.cache
def pool() -> tuple[Path, list[int]]:
    """The file that counts the pairs given out, and the primes."""
    folder = shared.once("primes", _make)
    return folder / "count", json.loads((folder / "primes.json").read_text())


def _make(folder: Path) -> None:
    numbers = [_generate(_EXPONENT, _BITS).private_numbers() for _ in range(_PAIRS)]
    (folder / "primes.json").write_text(json.dumps([prime for key in numbers for prime in (key.p, key.q)]))
    (folder / "count").write_text("0")


def _private_key(public_exponent: int, key_size: int, backend: object = None) -> rsa.RSAPrivateKey:
    if (public_exponent, key_size) != (_EXPONENT, _BITS):
        return _generate(public_exponent, key_size, backend)
    p, q = _next_primes()
    d = pow(_EXPONENT, -1, (p - 1) * (q - 1))
    numbers = rsa.RSAPrivateNumbers(
        p, q, d, d % (p - 1), d % (q - 1), rsa.rsa_crt_iqmp(p, q), rsa.RSAPublicNumbers(_EXPONENT, p * q)
    )
    return numbers.private_key(unsafe_skip_rsa_key_validation=True)


def _next_primes() -> tuple[int, int]:
    counter, primes = pool()
    with counter.open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        count = int(file.read())
        file.seek(0)
        file.write(str(count + 1))
    pairs = list(itertools.combinations(primes, 2))
    return pairs[count % len(pairs)]
