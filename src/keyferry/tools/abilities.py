"""CLIENT-ABILITY: the client knows every command and flag that a run will type, by its own help text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keyferry.errors import CheckFailedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from collections.abc import Set as AbstractSet


@dataclass(frozen=True, slots=True)
class Needs:
    """What a run will ask of the destination's tool.

    extractable_pair: the private half of the wrapping pair stays extractable. non_extractable: at least one new key
    must not be extractable. holding: at least one new key is shared, or needs a quorum.
    """

    extractable_pair: bool = False
    non_extractable: bool = False
    holding: bool = False


@dataclass(frozen=True, slots=True)
class Usage:
    """What the help text of one command shows. flags: None if the text was not understood."""

    known: bool = True
    flags: frozenset[str] | None = None


def check(tool: str, needed: Mapping[str, AbstractSet[str]], ask: Callable[[str], Usage]) -> tuple[str, ...]:
    """Compare what will be typed with the help text of each command.

    needed: the flags of each command. ask: prints a command's help text, which does not need a login.

    Returns:
        A warning for each command whose help text was not understood.

    Raises:
        CheckFailedError: the tool does not know a command, or its syntax lacks a flag.
    """
    shown = {command: ask(command) for command in needed}
    faults = [fault for command, usage in shown.items() if (fault := _fault(command, needed[command], usage))]
    if faults:
        raise CheckFailedError(
            f"this {tool} is not able to do what the run needs: {faults[0]}",
            rule="CLIENT-ABILITY",
            tool=tool,
            seen="\n".join(faults),
            keys="no secret was typed, nothing was changed",
            hint="install a newer client; if this one only uses another word for a flag, set that word in [dialect]",
        )
    return tuple(
        f"{tool}: the help text of `{command}` is not understood, so its flags were not probed"
        for command, usage in shown.items()
        if usage.flags is None
    )


def by_command(lines: Iterable[str], parted: Callable[[str], tuple[str, str]]) -> dict[str, frozenset[str]]:
    """The flags of lines as they are typed. parted: a line's command, and the rest of the line."""
    found: dict[str, frozenset[str]] = {}
    for line in lines:
        command, rest = parted(line)
        flags = frozenset(word for word in rest.split() if word.startswith("-"))
        found[command] = found.get(command, frozenset()) | flags
    return found


def _fault(command: str, needed: AbstractSet[str], usage: Usage) -> str | None:
    if not usage.known:
        return f"there is no command `{command}`"
    if usage.flags is None or not (missing := sorted(needed - usage.flags)):
        return None
    return f"`{command}` does not know {', '.join(missing)}"
