from __future__ import annotations

import os
import random
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_HIGHEST_TYPEABLE = 10_000  # ckdemo takes no handle above


class VirtualHandles:
    """What an HA slot calls the objects of its members: names that hold for one process only."""

    def __init__(self) -> None:
        self._random = random.Random(f"{os.getpid()}:{time.time_ns()}")  # noqa: S311 - variety, not a secret
        self._last = self._random.randint(1, 400)
        self._virtual: dict[int, int] = {}
        self._real: dict[int, int] = {}

    def learn(self, handles: Iterable[int]) -> None:
        """Give a name to each handle that has none yet, in an order of this process' own."""
        new = [handle for handle in handles if handle not in self._virtual]
        self._random.shuffle(new)
        gap = max(1, min(9, (_HIGHEST_TYPEABLE - self._last) // (len(new) + 500)))
        for handle in new:
            self._last += self._random.randint(1, gap)
            self._virtual[handle] = self._last
            self._real[self._last] = handle

    def virtual(self, real: int) -> int:
        """The name of a handle that was learned."""
        return self._virtual[real]

    def real(self, virtual: int) -> int | None:
        return self._real.get(virtual)
