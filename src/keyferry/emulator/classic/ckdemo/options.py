from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keyferry.emulator.classic.ckdemo.state import Demo

_FINISHED = "0 - Finished"


def change_options(demo: Demo) -> None:
    """Each choice toggles one option until 0; what has no two states ignores it (reference, section 13)."""
    titles = demo.dialect.options.titles
    while choice := demo.ask.number(_screen(demo), 0, max(titles)):
        title = titles.get(choice, "")
        if title in demo.dialect.options.states:
            demo.toggled ^= {title}
        demo.ask.echo = "Echo input" in demo.toggled


def _screen(demo: Demo) -> str:
    lines = (f"{number} - {title}{_state(demo, title)}" for number, title in demo.dialect.options.titles.items())
    return "\n".join(("Options:", *lines, _FINISHED)) + "\n\nEnter option to change: "


def _state(demo: Demo, title: str) -> str:
    states = demo.dialect.options.states.get(title)
    return f": {states[title in demo.toggled]}" if states else ""
