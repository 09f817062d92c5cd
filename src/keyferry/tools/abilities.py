"""CLIENT-ABILITY: the client knows every command and flag that a run will type, by its own help text."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
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
    sharing: bool = False


@dataclass(frozen=True, slots=True)
class Usage:
    """What the help text of one command shows. flags: None if the text was not understood."""

    known: bool = True
    flags: frozenset[str] | None = None


def check(
    tool: str,
    needed: Mapping[str, AbstractSet[str]],
    ask: Callable[[str], Usage],
    typed: Callable[[str], str] = str,
    hints: Mapping[str, str] = MappingProxyType({}),
) -> tuple[str, ...]:
    """Compare what will be typed with the help text of each command.

    needed: the documented flags of each command. ask: prints a command's help text, which does not need a login.
    typed: the word that this site's client has for a documented flag. hints: what else helps if a flag is missing.

    Returns:
        A warning for each command or flag that was not probed: the help text is not understood, or shows the documented
        word of a flag for which [dialect] sets another one.

    Raises:
        CheckFailedError: the tool does not know a command, or its syntax lacks a flag.
    """
    warnings: list[str] = []
    faults: list[str] = []
    helpful = ["install a newer client; if this one only uses another word for a flag, set that word in [dialect]"]
    for command, flags in needed.items():
        usage = ask(command)
        if not usage.known:
            faults.append(f"there is no command `{command}`")
        elif usage.flags is None:
            warnings.append(f"{tool}: the help text of `{command}` is not understood, so its flags were not probed")
        else:
            unseen = {flag for flag in flags if typed(flag) not in usage.flags}
            if missing := sorted(unseen - usage.flags):
                faults.append(f"`{command}` does not know {', '.join(map(typed, missing))}")
                helpful += [hints[flag] for flag in missing if flag in hints]
            warnings += [
                f"{tool}: the help text of `{command}` shows {flag}, but [dialect] sets {typed(flag)}: not probed"
                for flag in sorted(unseen & usage.flags)
            ]
    if faults:
        raise CheckFailedError(
            f"this {tool} cannot do what the run needs: {faults[0]}",
            rule="CLIENT-ABILITY",
            tool=tool,
            seen="\n".join(faults),
            keys="no secret was typed, nothing was changed",
            hint="; ".join(helpful),
        )
    return tuple(warnings)


def by_command(lines: Iterable[str], parted: Callable[[str], tuple[str, str]]) -> dict[str, frozenset[str]]:
    """The flags of lines as they are typed. parted: a line's command, and the rest of the line."""
    found: dict[str, frozenset[str]] = {}
    for line in lines:
        command, rest = parted(line)
        flags = frozenset(word for word in rest.split() if word.startswith("-"))
        found[command] = found.get(command, frozenset()) | flags
    return found
