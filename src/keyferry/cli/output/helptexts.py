"""Help texts in the words of a manual: some versions of Typer show the names of Python's types."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typer import core

if TYPE_CHECKING:
    from collections.abc import Callable

_WORDS = {"<str>": "TEXT", "<int>": "N", "<int range>": "N", "<float>": "N", "<path>": "PATH", "<file>": "FILE"}
_KINDS = ("<bool>", "<list[", "<tuple[")


def name_values() -> None:
    """Have Typer name the kinds of values as a manual does. Versions that do so by themselves stay as they are."""
    for parameter in (core.TyperArgument, core.TyperOption):
        if shown := getattr(parameter, "display_type", None):
            setattr(parameter, "display_type", _named(shown))  # noqa: B010 - not every version has it


def _named(shown: Callable[..., str]) -> Callable[..., str]:
    def named(parameter: object, *arguments: object, **options: object) -> str:
        text = shown(parameter, *arguments, **options)
        return "" if text.startswith(_KINDS) else _WORDS.get(text, text.strip("<>"))

    return named
