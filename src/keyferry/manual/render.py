"""The runbook as a page: Markdown, or HTML that needs nothing from outside and prints on A4.

Labels and ids are untrusted: every text is made harmless (`printable`), then escaped for where it stands.
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

from keyferry.text import printable, typed_html

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from keyferry.manual.runbook import Runbook, RunbookStep
    from keyferry.tools.manual import Instruction, TypedLine

TITLE = "Runbook: symmetric keys from CloudHSM Classic to AWS CloudHSM"
RULES = (
    "Numbers are the document's (AWS, 25 September 2019). Do the steps in order; tick and initial each one.",
    "What stands in angle brackets is filled in from what was noted down. Nothing secret is written on this page.",
    "Anything on a screen that is not expected here: stop, and type nothing more.",
    "The first key is proved in step 7.2 before step 5.2 of the second.",
)
REHEARSAL = "REHEARSAL: this plan was made with emulated tools. It is not a plan for real HSMs."
SIGNED = "Initials ______  Time ____________"

_SPECIAL = re.compile(r"([\\`*_\[\]<>#|&~])")
_CODE = re.compile(r"`([^`]+)`")

STYLE = """
body{font:15px/1.45 system-ui,sans-serif;max-width:50em;margin:1.5em auto;padding:0 1em;color:#111;background:#fff}
h1{font-size:1.5em}h2{font-size:1.1em;margin:1.6em 0 .3em;border-top:1px solid #999;padding-top:.6em}
code,kbd{font-family:ui-monospace,monospace;font-size:.92em;overflow-wrap:anywhere}
.w{white-space:nowrap}kbd{background:#eee;padding:.1em .3em}
th,td{text-align:left;vertical-align:top;padding:.15em .8em .15em 0;overflow-wrap:anywhere}
th{white-space:nowrap}p{margin:.5em 0}ul,ol{margin:.2em 0}
.box{display:inline-block;width:.9em;height:.9em;border:1px solid #111;margin-right:.5em}
ul{list-style:none;padding-left:0}.host{color:#444;margin:.2em 0}.sign{margin:.6em 0}
@page{size:A4;margin:16mm}
@media print{body{font-size:10.5pt;margin:0;padding:0}section{break-inside:avoid}kbd{background:none}}
"""

# A fixed element is repeated on each printed page, and so is the margin's text where the browser knows it.
REHEARSAL_STYLE = """
@page{@top-center{content:"REHEARSAL";color:#a51d1d;font:bold 9pt sans-serif}}
.rehearsal{position:sticky;top:0;padding:.3em .6em;background:#fff}
.rehearsal{border:2px solid #a51d1d;color:#a51d1d;font-weight:700}
.watermark{display:none}
@media print{.rehearsal{position:static}.watermark{display:block;position:fixed;inset:40% 0 auto;text-align:center;
transform:rotate(-30deg);color:#a51d1d;opacity:.15;font:700 60pt sans-serif}}
"""


def markdown(book: Runbook) -> str:
    return "\n".join(_markdown(book)) + "\n"


def _markdown(book: Runbook) -> Iterator[str]:
    yield f"# {TITLE}\n"
    label = f"**{REHEARSAL}**\n"
    yield from [label] * book.rehearsal
    yield from (f"* {_md(name)}: {_md(value)}" for name, value in book.facts)
    yield from ("", *(f"* {_md(rule)}" for rule in RULES))
    for entry in book.entries:
        yield f"\n## {_md(_heading(entry))}\n"
        yield from [label] * book.rehearsal
        yield f"On {_md(entry.host)}."
        for part in entry.parts:
            yield from _md_part(part)
        yield f"\n- [ ] step {entry.number} done    {_md(SIGNED)}"
    if book.stay:
        yield "\n## Keys that stay\n"
        yield from [label] * book.rehearsal
        yield from (f"* {_md(name)}: {_md(why)}" for name, why in book.stay)


def _md_part(part: Instruction) -> Iterator[str]:
    yield f"\n**{_md(part.tool)}**\n"
    for number, turn in enumerate(part.turns, start=1):
        if turn.verbatim:
            # An indented block takes any text as it is, as long as it is one line.
            yield f"{number}. at {_md(turn.prompt)} type\n\n        {printable(turn.typed)}\n"
        else:
            yield f"{number}. at {_md(turn.prompt)} type {_md(turn.typed)}"
    yield from _md_list("Expect", (f"* {_md(text)}" for text in part.expect))
    yield from _md_list("Compare", (f"- [ ] {_md(text)}" for text in part.compare))
    yield from _md_list("Note down", (f"* {_md(f'{text}: __________')}" for text in part.note))


def _md_list(title: str, lines: Iterable[str]) -> Iterator[str]:
    found = list(lines)
    if found:
        yield f"\n{title}:\n"
        yield from found


def _md(text: str) -> str:
    """Text in a paragraph: what stands between backquotes is code, all else is no markup."""
    pieces = _CODE.split(printable(text))
    return "".join(f"`{piece}`" if odd else _SPECIAL.sub(r"\\\1", piece) for odd, piece in _in_turn(pieces))


def _in_turn(pieces: list[str]) -> Iterator[tuple[bool, str]]:
    return ((place % 2 == 1, piece) for place, piece in enumerate(pieces))


def page(book: Runbook) -> str:
    """One HTML page: no script, nothing from outside."""
    return "".join(_page(book))


def _page(book: Runbook) -> Iterator[str]:
    yield '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width,initial-scale=1">'
    style = STYLE + (REHEARSAL_STYLE if book.rehearsal else "")
    yield f"<title>{TITLE}</title><style>{style}</style></head><body>\n"
    if book.rehearsal:
        yield f'<p class="rehearsal">{REHEARSAL}</p><div class="watermark" aria-hidden="true">REHEARSAL</div>\n'
    yield f"<h1>{TITLE}</h1>\n<table>"
    yield from (f"<tr><th>{_html(name)}</th><td>{_html(value)}</td></tr>" for name, value in book.facts)
    yield f"</table>\n<p>{'<br>'.join(map(_html, RULES))}</p>\n"
    yield from map(_section, book.entries)
    if book.stay:
        yield "<h2>Keys that stay</h2>\n<table>"
        yield from (f"<tr><th>{_html(name)}</th><td>{_html(why)}</td></tr>" for name, why in book.stay)
        yield "</table>"
    yield "</body></html>\n"


def _section(entry: RunbookStep) -> str:
    parts = "".join(map(_html_part, entry.parts))
    heading = f'<h2>{_html(_heading(entry))}</h2><p class="host">On {_html(entry.host)}.</p>'
    sign = f'<p class="sign"><span class="box"></span>step {entry.number} done &nbsp; {SIGNED}</p>'
    return f"<section>{heading}{parts}{sign}</section>\n"


def _html_part(part: Instruction) -> str:
    typed = "".join(f"<li>{_html_turn(turn)}</li>" for turn in part.turns)
    box = '<span class="box"></span>'
    return "".join(
        (
            f"<p><b>{_html(part.tool)}</b></p><ol>{typed}</ol>",
            _html_list("Expect", part.expect),
            _html_list("Compare", part.compare, before=box),
            _html_list("Note down", part.note, after=": ______________"),
        )
    )


def _html_turn(turn: TypedLine) -> str:
    typed = f"<kbd>{typed_html(turn.typed)}</kbd>" if turn.verbatim else _html(turn.typed)
    return f"at <code>{html.escape(printable(turn.prompt))}</code> type {typed}"


def _html_list(title: str, texts: Iterable[str], before: str = "", after: str = "") -> str:
    items = "".join(f"<li>{before}{_html(text)}{after}</li>" for text in texts)
    return f"<p>{title}:</p><ul>{items}</ul>" if items else ""


def _html(text: str) -> str:
    return _CODE.sub(r"<code>\1</code>", html.escape(printable(text)))


def _heading(entry: RunbookStep) -> str:
    return f"{entry.number} {entry.title}" + (f": {entry.key}" if entry.key else "")
