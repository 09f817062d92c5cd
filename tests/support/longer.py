"""Long matrices: the default run samples them by a stride, `KEYFERRY_LONG=1` runs them whole."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")

LONG = os.environ.get("KEYFERRY_LONG") == "1"


def every(stride: int, cases: Sequence[T]) -> list[T]:
    """All cases in a long run, else one of each `stride`."""
    return list(cases if LONG else cases[::stride])
