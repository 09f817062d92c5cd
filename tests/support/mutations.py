"""Damage to captured screens, one piece at a time."""

from __future__ import annotations

import random

from hypothesis import strategies as st

DAMAGE = st.tuples(
    st.sampled_from(["cut", "drop", "twice", "swap", "insert", "digit", "letter"]), st.integers(0, 2**32)
)
"""What happens to a text, and the seed that says where."""


def damaged(text: str, damage: str, seed: int) -> str:
    """The text with a part cut off, a line less, twice or in another place, or characters more or other."""
    dice = random.Random(seed)
    lines, place = text.splitlines(keepends=True), dice.randrange(len(text))
    one, two = dice.randrange(len(lines)), dice.randrange(len(lines))
    if damage == "cut":
        return text[:place]
    if damage == "drop":
        return "".join(lines[:one] + lines[one + 1 :])
    if damage == "twice":
        return "".join([*lines[: one + 1], *lines[one:]])
    if damage == "swap":
        lines[one], lines[two] = lines[two], lines[one]
        return "".join(lines)
    new = {"insert": "\x1b[0m\udcff", "digit": str(dice.randrange(10)), "letter": dice.choice("axZ:=-,")}[damage]
    return text[:place] + new + text[place + (damage != "insert") :]
