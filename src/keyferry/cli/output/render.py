from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TextIO

from keyferry.errors import KeyferryError
from keyferry.recording.wordlist import spoken
from keyferry.text import printable

if TYPE_CHECKING:
    from rich.console import Console

    from keyferry.migration.results import RunResult

_WORDS = 6  # of a head in a line
_LONGEST = 400  # characters of a line that a tool showed
_NARROWEST = 120  # a pipe has no width; tables in it are for reading, so give them room


def console(*, stderr: bool = False) -> Console:
    from rich.console import Console  # noqa: PLC0415 - start-up

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else max(_NARROWEST, int(os.environ.get("COLUMNS", "0")))
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False)


def document(value: object) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=True) + "\n")


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table on stdout; cells are untrusted, so they are made harmless."""
    from rich.box import SIMPLE  # noqa: PLC0415 - start-up
    from rich.table import Table  # noqa: PLC0415 - start-up
    from rich.text import Text  # noqa: PLC0415 - start-up

    grid = Table(title=title or None, box=SIMPLE, title_justify="left")
    for column in columns:
        grid.add_column(column, overflow="fold", no_wrap=column == columns[-1])
    for row in rows:
        grid.add_row(*(Text(printable(_cell(cell))) for cell in row))
    console().print(grid)


def _cell(value: object) -> str:
    """A value as a reader expects it: nothing where there is none, no words of the programming language."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_cell(one)}" for name, one in value.items())
    return ", ".join(map(_cell, value)) if isinstance(value, list | tuple) else str(value)


def side_by_side(rows: Iterable[tuple[str, str | None, str | None, str]]) -> None:
    """Two columns on stdout, cut where they are too long, a line that differs marked with how; nothing is a dash."""
    width = max(24, (console().width - 22) // 2)
    for step, ours, theirs, differs in rows:
        left, right = ("-" if side is None else printable(side).replace("\t", " ") for side in (ours, theirs))
        sys.stdout.write(f"{step:>4}  {left[:width]:<{width}} {'|' if not differs else '!'} {right[:width]}")
        sys.stdout.write(f"  <- {differs}\n" if differs else "\n")


def report(error: KeyferryError) -> int:
    """Tell an error on stderr: what failed, where, what was seen, what it means, what to do. Gives the exit code."""
    lines = [f"error: {printable(error.what)}"]
    where = {"tool": error.tool, "host": error.host, "step": error.step, "rule": error.rule}
    if told := ", ".join(f"{name} {value}" for name, value in where.items() if value):
        lines.append(f"where: {told}")
    if error.seen:
        lines.append("seen:")
        lines += [f"  | {printable(line)[:_LONGEST]}" for line in error.seen.splitlines()]
    lines += [
        f"{name}: {printable(text)}"
        for name, text in (("keys", error.keys), ("hint", error.advice), ("record", error.record))
        if text
    ]
    sys.stderr.write("\n".join(lines) + "\n")
    return int(error.exit_code)


def run_result(result: RunResult) -> None:
    """The keys of a run as a table, and totals that balance."""
    rows = [
        (
            key["source_handle"],
            key["label"],
            key["type"],
            key["bits"],
            key["kcv"],
            key["destination_handle"],
            _verdict(key),
        )
        for key in (one.json() for one in result.keys)
    ]
    columns = ("Source", "Label", "Type", "Bits", "KCV", "Destination", "Verdict")
    table("Keys", columns, rows)
    sys.stdout.write(f"{totals(result.totals)}\n")
    for detail in dict.fromkeys(_advice(one.json()) for one in result.keys if one.rule):
        sys.stdout.write(f"  {printable(detail)}\n")


def head(value: str, stream: TextIO) -> None:
    """A run's head, also as words for reading aloud: whoever notes it down can prove the record later."""
    words = spoken(value)
    lines = [" ".join(words[place : place + _WORDS]) for place in range(0, len(words), _WORDS)]
    stream.write("head: " + value + "\n" + "".join(f"      {line}\n" for line in lines))


def totals(counts: Mapping[str, int]) -> str:
    parts = ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in counts.items() if state != "planned")
    left = counts["planned"] - sum(count for state, count in counts.items() if state != "planned")
    return f"{counts['planned']} planned = {parts}" + (f", {left} left" if left else "")


def _verdict(key: dict[str, object]) -> str:
    if key["state"] == "verified":
        return f"verified by {key['proof']}"
    return f"{key['state']}: {key['rule']}" if key["rule"] else str(key["state"])


def _advice(key: dict[str, object]) -> str:
    return f"{key['rule']} ({key['source_handle']}): {key['detail']}"


def action(tool: str, verb: str, fields: dict[str, object], *, as_json: bool) -> None:
    """What a single action gave: a document, or its fields and lists as tables."""
    if as_json:
        document({"schema": "keyferry.action/1", "tool": tool, "verb": verb, **fields})
        return
    for name, value in fields.items():
        if isinstance(value, dict):
            table(name, ("name", "value"), value.items())
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            columns = list(dict.fromkeys(column for row in value for column in row))
            table(name, columns, [[row.get(column) for column in columns] for row in value])
        else:
            sys.stdout.write(f"{name}: {printable(_cell(value) or 'none')}\n")
