from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from keyferry.pkcs11 import DestinationHandle
from keyferry.tools.key_mgmt_util.reply_lines import ReplyLines

if TYPE_CHECKING:
    from collections.abc import Iterable

    from keyferry.tools.key_mgmt_util.result import Outcome

T = TypeVar("T")

LARGEST_HANDLE = 2**64 - 1
NUMBER = r"(\d{1,20})"
"""A decimal number in a pattern: a handle, an id, a count."""
LIST = r"((?:\d{1,20}(?: ?, ?|$))*)"
"""Decimal numbers with commas between; one more may end the line."""


@dataclass(frozen=True, slots=True)
class CommandReply(Generic[T]):
    """An outcome and the fields of the verb: always there unless the command failed."""

    outcome: Outcome
    fields: T | None


def whole(sheet: ReplyLines, outcome: Outcome, fields: T | None) -> CommandReply[T]:
    """The answer; UnknownScreenError for success without fields."""
    if outcome.refused is None and fields is None:
        raise sheet.unknown("success without the fields that prove it")
    return CommandReply(outcome, fields)


def plain(verb: str, text: str) -> CommandReply[Outcome]:
    """An answer whose result and cluster block are all that it has."""
    outcome = ReplyLines(verb, text).outcome()
    return CommandReply(outcome, None if outcome.refused else outcome)


def handle(sheet: ReplyLines, digits: str | int) -> DestinationHandle:
    """UnknownScreenError for a number of more than 64 bits."""
    number = int(digits)
    if number > LARGEST_HANDLE:
        raise sheet.unknown("a handle of more than 64 bits", str(digits))
    return DestinationHandle(number)


def numbers(row: str) -> Iterable[int]:
    return map(int, re.findall(r"\d+", row))
