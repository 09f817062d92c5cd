from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Annotated

import typer

from keyferry.cli.output.render import document
from keyferry.errors import UsageError
from keyferry.recording.captured_bytes import decoded

TOOLS = ("vtl", "cmu", "ckdemo", "key_mgmt_util", "cloudhsm-cli")


def parse(
    tool: Annotated[str, typer.Argument(metavar="TOOL", help=f"One of {', '.join(TOOLS)}.")],
    verb: Annotated[
        str,
        typer.Argument(metavar="VERB", help="The tool's command, such as listSlots; join several words with hyphens."),
    ],
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="A captured screen. Default: standard input.")
    ] = None,
) -> None:
    """Make JSON (`keyferry.parse/1`) of a captured screen; exit 10 where it is not understood."""
    if tool not in TOOLS:
        raise UsageError(f"no tool {tool}", hint=f"known: {', '.join(TOOLS)}")
    parsing = importlib.import_module(f"keyferry.tools.{tool.replace('-', '_')}.parsing")
    verb = verb.replace(" ", "-")
    if verb not in parsing.VERBS:
        raise UsageError(f"{tool} has no verb {verb}", hint=f"known: {', '.join(parsing.VERBS)}")
    try:
        data = file.read_bytes() if file else sys.stdin.buffer.read()
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from error
    document(parsing.parse(verb, decoded(data)))
