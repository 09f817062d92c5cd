"""Captured screens as `keyferry.parse/1` (contracts.md). Verbs are the tool's words joined by hyphens."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import TYPE_CHECKING

from keyferry.errors import ToolRefusedError
from keyferry.terminal.screen_row import UnknownSequenceError, drawn
from keyferry.text import printable
from keyferry.tools.cloudhsm_cli import screens, users
from keyferry.tools.cloudhsm_cli.dialect import TOOL
from keyferry.tools.lines import unknown
from keyferry.tools.parse_output import SCHEMA, Json, hidden

if TYPE_CHECKING:
    from collections.abc import Callable

    from keyferry.tools.cloudhsm_cli.screens import ListedKey

_BROKEN = re.compile(r'(?m)^(?P<begin>[ \t]*"modulus": "0x[0-9a-fA-F]+)(?P<rest>(?:[ \t]*\n[ \t]*[0-9a-fA-F]+)+)')


def parse(verb: str, text: str) -> Json:
    """One screen of one verb. KeyError for a verb that is not known, UnknownScreenError for the text."""
    found: Json = {"schema": SCHEMA, "tool": TOOL, "verb": verb, "ok": True, "error": None}
    try:
        return found | VERBS[verb](_captured(verb, text))
    except ToolRefusedError as refused:
        return found | {"ok": False, "error": {"code": int(refused.code), "text": printable(refused.text)}}


def _captured(verb: str, text: str) -> str:
    """As a terminal shows it in the end; a modulus that it broke is joined."""
    try:
        text = drawn(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")
    except UnknownSequenceError as error:
        raise unknown(TOOL, verb, f"an escape sequence that is not known: {error}", text) from None
    return _BROKEN.sub(lambda match: match["begin"] + re.sub(r"\s+", "", match["rest"]), hidden(text))


def _keys(text: str) -> Json:
    page = screens.keys(text)
    found: Json = {
        "total": page.total,
        "handles": [key.handle for key in page.keys],
        "objects": [{"handle": key.handle, "label": key.label} for key in page.keys],
    }
    if page.next_token is not None:
        found["next_token"] = page.next_token
    if page.keys and page.keys[0].covered is not None:
        found["keys"] = [{"handle": key.handle, **_whole(key)} for key in page.keys]
    return found


def _whole(key: ListedKey) -> Json:
    return {
        "owners": list(key.owners),
        "shared": list(key.shared),
        "covered": key.covered,
        "attributes": dict(key.attributes),
    }


def _pair(text: str) -> Json:
    pair = screens.key_pair(text)
    return {
        "public_handle": pair.public.handle,
        "private_handle": pair.private.handle,
        "keys": [{"handle": key.handle, **_whole(key)} for key in (pair.public, pair.private)],
    }


def _unwrapped(text: str) -> Json:
    key = screens.unwrapped(text)
    return {"handle": key.handle, **_whole(key)}


def _said(verb: str) -> Callable[[str], Json]:
    return lambda text: {"info": {"message": screens.said(verb, text)}}


def _users(text: str) -> Json:
    found = users.users(text)
    if any(None in (one.name, one.role, one.locked) for one in found):  # a run needs its own user only
        raise unknown(TOOL, screens.USERS, "a user without a name, a role, or a known value of `locked`", text)
    return {"users": [one.json() for one in found]}


def _login(text: str) -> Json:
    return {"info": asdict(screens.login(text))}


def _hsms(text: str) -> Json:
    return {"hsms": [dict(one) for one in screens.hsms(text)]}


VERBS: dict[str, Callable[[str], Json]] = {
    verb.replace(" ", "-"): read
    for verb, read in {
        screens.LOGIN: _login,
        screens.LOGOUT: _said(screens.LOGOUT),
        screens.PAIR: _pair,
        screens.FILE: _said(screens.FILE),
        screens.UNWRAP: _unwrapped,
        screens.LIST: _keys,
        screens.DELETE: _said(screens.DELETE),
        screens.HSM_INFO: _hsms,
        screens.USERS: _users,
        "key set-attribute": _said("key set-attribute"),
        "cluster activate": _said("cluster activate"),
    }.items()
}
