"""The procedure by hand: what a person types to a tool, and what the tools' answers say that was done."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from keyferry.errors import UnknownScreenError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from keyferry.tools.endpoints import UnwrapSpec

Json = dict[str, object]

SHELL = "$"
"""The prompt of whatever shell there is."""


@dataclass(frozen=True, slots=True)
class TypedLine:
    """One thing that is typed. prompt: what stands before the cursor.

    verbatim: `typed` is to be typed as it is, but for what stands in angle brackets; else it says what to type.
    """

    prompt: str
    typed: str
    verbatim: bool = True


@dataclass(frozen=True, slots=True)
class Instruction:
    """A piece of a step on one tool: what to type, what to expect, what to compare, what to note down."""

    tool: str
    turns: tuple[TypedLine, ...]
    expect: tuple[str, ...] = ()
    compare: tuple[str, ...] = ()
    note: tuple[str, ...] = ()


class DestinationWords(Protocol):
    """A destination's tool, as a person uses it."""

    tool: str

    def start(self) -> Instruction: ...

    def log_in(self, user: str) -> Instruction: ...

    def make_pair(self, label: str, bits: int, *, extractable: bool) -> Instruction: ...

    def export(self, file: str) -> Instruction: ...

    def unwrap(self, spec: UnwrapSpec) -> Instruction: ...

    def prove(self, spec: UnwrapSpec, kcv: str | None) -> Instruction: ...

    def leave(self) -> Instruction: ...


class ActionKind(StrEnum):
    """What an act was, in the procedure's words."""

    START = "start"
    LOG_IN = "log in"
    MAKE_PAIR = "make the pair"
    EXPORT = "export the public key"
    LIST_SLOTS = "list the slots"
    IMPORT = "import the public key"
    LIST = "list objects"
    OPEN = "open a session"
    ALLOW = "allow wrapping"
    DESCRIBE = "describe an object"
    WRAP = "wrap a key"
    UNWRAP = "unwrap a key"
    LOOK = "look"
    REMOVE = "remove a key"
    LEAVE = "leave"
    OTHER = "something else"


@dataclass(frozen=True, slots=True)
class RecordedAction:
    """One command or menu entry and its answer. told: what was typed and answered that matters for the step.

    refused: the tool's own refusal. unknown: why its screen is not understood; then nothing was told.
    """

    what: ActionKind
    tool: str
    verb: str
    place: str
    told: Mapping[str, str] = field(default_factory=dict)
    refused: str | None = None
    unknown: str | None = None

    @property
    def done(self) -> bool:
        return self.refused is None and self.unknown is None


@dataclass(frozen=True, slots=True)
class Line:
    """A line as it stood on a terminal in the end. ended: something came below it."""

    text: str
    place: str
    ended: bool = True


@dataclass(frozen=True, slots=True)
class ToolSession:
    """A tool from the command that started it to its end. words: the command's arguments."""

    tool: str
    words: tuple[str, ...]
    lines: Sequence[Line]
    place: str


@dataclass(frozen=True, slots=True)
class Answered:
    """What a parser made of a screen: its fields, or why there are none."""

    fields: Json = field(default_factory=dict)
    refused: str | None = None
    unknown: str | None = None

    def act(self, what: ActionKind, tool: str, verb: str, place: str, told: Mapping[str, object]) -> RecordedAction:
        """told: what is None was not said and is left out."""
        kept = {name: str(value) for name, value in told.items() if value is not None}
        return RecordedAction(what, tool, verb, place, kept, self.refused, self.unknown)


def answered(parse: Callable[[str, str], Json], verb: str, text: str) -> Answered:
    """One screen of one verb through the parser that `keyferry parse` uses."""
    try:
        fields = parse(verb, text)
    except UnknownScreenError as error:
        return Answered(unknown=error.what)
    if fields["ok"] is True:
        return Answered(fields)
    told = fields.get("error")
    return Answered(refused=str(told.get("text")) if isinstance(told, dict) else "not on every HSM")


def text_of(lines: Sequence[Line]) -> str:
    return "".join(f"{line.text}\n" if line.ended else line.text for line in lines)


PLACEHOLDER = 0
"""A handle that no key has: it is typed where a person fills in what the screen said."""


def filled(line: str, name: str, handle: str = str(PLACEHOLDER)) -> str:
    """A command that was made for PLACEHOLDER (`handle` is how the tool writes it), for a person to fill in `name`."""
    return re.sub(rf"(?<=[ =]){handle}(?= |$)", f"<{name}>", line, count=1)
