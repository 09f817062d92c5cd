from __future__ import annotations

import functools
import hashlib
import sys
from pathlib import Path
from typing import Annotated

import typer

from keyferry.cli.migrate import (
    Again,
    All,
    Exclude,
    From,
    Globs,
    Json,
    Keys,
    NonExtractable,
    Reid,
    Relabel,
    RequireKcv,
    more_than_names,
    selected,
)
from keyferry.cli.options import with_settings
from keyferry.cli.output import progress, render
from keyferry.cli.output.documents import with_document
from keyferry.config import Config
from keyferry.events import Bus
from keyferry.migration import start
from keyferry.planning.selection import Selection
from keyferry.text import printable


@functools.partial(with_document, schema="keyferry.planned/1", plan=None, sha256=None)
@with_settings
def plan(
    settings: Config,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="PLAN", help="The new file; must not exist yet.")],
    every: All = False,
    key: Keys = None,
    label_glob: Globs = None,
    from_file: From = None,
    exclude: Exclude = None,
    relabel: Relabel = False,
    reid: Reid = False,
    again: Again = False,
    require_kcv: RequireKcv = False,
    non_extractable: NonExtractable = False,
    json: Json = False,
) -> None:
    """Evaluate keys, change nothing, and write the plan that `keyferry migrate PLAN` executes."""
    flags = (relabel, reid, again, require_kcv, non_extractable, False)
    chosen = Selection(tuple(key or ()), *flags, *more_than_names(label_glob, exclude, from_file))
    bus = Bus()
    with progress.shown(bus):
        result = start.plan(settings, selected(chosen, every=every), out, bus)
    digest = None if result.error else hashlib.sha256(out.read_bytes()).hexdigest()
    if json:
        made = {"schema": "keyferry.planned/1", "plan": str(out) if digest else None, "sha256": digest}
        render.document(result.json() | made)
    elif result.keys:
        render.run_result(result)
    if digest and not json:
        sys.stdout.write(f"plan: {printable(str(out))}\nsha256: {digest}\nrecord: {result.run_dir}\n")
    if result.error is not None:
        render.report(result.error)
    raise typer.Exit(int(result.exit_code))
