"""A report as a document. Everything in it came from outside, so all of it passes one filter on its way."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keyferry.errors import UsageError
from keyferry.report import diagram
from keyferry.report.model import SCHEMA, Place
from keyferry.text import printable, typed_html

if TYPE_CHECKING:
    from collections.abc import Callable

    from keyferry.report.model import Report

SHOWN = 12
"""Commands of one act that a page shows; the record has them all."""
REHEARSAL = "at least one tool of this run was emulated, or `keyferry rehearse` started it"
_MARKDOWN = re.compile(r"([\\`*_\[\]<>#!|~&$])")


def to_json(report: Report) -> str:
    """`keyferry.report/2`: the model as it is; a place is `file:first-last`."""
    value = {"schema": SCHEMA, **_plain(report)}
    return json.dumps(value, indent=1, ensure_ascii=True) + "\n"


def to_html(report: Report) -> str:
    """One page that needs nothing from outside and runs nothing."""
    return _rendered("report.html.j2", report, printable_html)


def to_markdown(report: Report) -> str:
    return _rendered("report.md.j2", report, _markdown)


FORMATS: dict[str, Callable[[Report], str]] = {"html": to_html, "md": to_markdown, "json": to_json}


def _plain(value: Any) -> Any:  # noqa: ANN401 - any field of the model
    if isinstance(value, Place):
        return str(value)
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return [_plain(one) for one in value] if isinstance(value, tuple) else value


def _rendered(name: str, report: Report, shown: Callable[[object], object]) -> str:
    try:
        import jinja2  # noqa: PLC0415 - an extra
        import markupsafe  # noqa: PLC0415 - comes with it
    except ModuleNotFoundError as error:
        raise UsageError(
            "a report as html or md needs Jinja2, which is not installed",
            hint="pip install 'keyferry[report]'; --format json needs nothing",
        ) from error
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=jinja2.select_autoescape(["html.j2"]),
        finalize=shown,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(clock=_clock, moment=_moment, signed=_signed)
    environment.filters["typed"] = lambda text: markupsafe.Markup(typed_html(text))  # noqa: S704 - it escapes
    return environment.get_template(name).render(r=report, picture=diagram, shown=SHOWN, rehearsal=REHEARSAL)


def printable_html(value: object) -> object:
    """What an expression of the page shows: no control character, nothing that turns the direction of reading."""
    if hasattr(value, "__html__"):
        return value
    return "" if value is None else printable(str(value))


def _markdown(value: object) -> str:
    """Text that is nothing but text, also in a table's cell."""
    told = "" if value is None else printable(str(value)).replace("\t", " ")
    return _MARKDOWN.sub(r"\\\1", told)


def _signed(report: Report) -> str:
    signatures = report.verification.signatures if report.verification else ()
    if not signatures:
        return (
            "Unsigned: whoever can rewrite everything can forge everything. Compare the head with one noted elsewhere."
        )
    state = "valid over this head" if all(key for *_of, key in signatures) else "not checked, for want of ssh-keygen"
    return f"Signatures: {len(signatures)}, {state}; whose they are keyferry verify --allowed-signers tells."


def _moment(moment: str | None) -> str:
    """An RFC 3339 time as a person writes it."""
    return (moment or "").replace("T", " ").replace("Z", " UTC")


def _clock(moment: str | None) -> str:
    """The time of day of an RFC 3339 time."""
    return (moment or "")[11:].removesuffix("Z")
