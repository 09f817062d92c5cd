from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

T = TypeVar("T")


class Jitter:
    """Varies what the reference marks inferred or unverified, the same way each time for one seed.

    Without a seed everything keeps the form the reference thinks likeliest.
    """

    def __init__(self, seed: str) -> None:
        self._seed = seed

    @property
    def on(self) -> bool:
        return self._seed != ""

    def pick(self, what: str, usual: T, *others: T) -> T:
        """`usual` without a seed; with one, any of them, fixed by the seed and the name `what`."""
        return self._random(what).choice((usual, *others)) if self.on else usual

    def number(self, what: str, usual: int, low: int, high: int) -> int:
        return self._random(what).randint(low, high) if self.on else usual

    def shuffled(self, what: str, items: Sequence[T]) -> list[T]:
        """The items in another order (the given one without a seed)."""
        mixed = list(items)
        if self.on:
            self._random(what).shuffle(mixed)
        return mixed

    def _random(self, what: str) -> random.Random:
        import random  # noqa: PLC0415 - without a seed there is no need to load it

        return random.Random(f"{self._seed}:{what}")  # noqa: S311 - repeatable variation, not a secret
