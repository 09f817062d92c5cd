from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from keyferry.emulator.classic.ckdemo.menu import Menu
from keyferry.emulator.classic.ckdemo.tables import Table, cipher_table, key_type_table, wrap_table
from keyferry.emulator.classic.ckdemo.template import attribute_names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from keyferry.emulator.jitter import Jitter

_LICENCE = (
    "ckdemo as Keyferry emulates it: no HSM stands behind these menus, only a file.\n"
    "Nothing typed here reaches a vendor's product, and nothing of one is inside.\n"
    "Keys made or shown here protect nothing: use them for rehearsal and for no other end.\n"
    "Apache-2.0; see the LICENSE of the project.\n"
)
_VERSION = "ckdemo (64-bit) v10.3.0-275. An emulation.\n\n"
_NOTICE = "Notice: rehearsal in progress.\n"


class Roles(NamedTuple):
    """Who may log in: the open-session question and its highest answer, the login list and its roles."""

    open_question: str
    open_last: int
    login_list: str
    names: tuple[str, ...]


_OLD = Roles(
    "\nSO[0] or normal user[1]? ",
    1,
    "Security Officer[0]\nCrypto-Officer[1]\nCrypto-User[2]: ",
    ("SO", "CO", "CU"),
)
_AUDITED = Roles(
    "\nSO[0], normal user[1], or audit user[2]? ",
    2,
    "Security Officer[0]\nCrypto-Officer  [1]\nCrypto-User     [2]:\nAudit-User      [3]: ",
    ("SO", "CO", "CU", "AU"),
)
_SPACED = Roles(
    _AUDITED.open_question,
    2,
    "Security Officer [0]\nCrypto Officer [1]\nCrypto User [2]\nAudit User [3]: ",
    _AUDITED.names,
)


class Options(NamedTuple):
    """Menu 98: titles by number, each with its two states, the first at start; no state, no toggle."""

    titles: Mapping[int, str]
    states: Mapping[str, tuple[str, str]]


_STATES = {
    "Open Session Type": ("Always R/W and Serial", "User selectable"),
    "Display Help": ("Always", "On Demand"),
    "PIN path": ("user supplies ASCII password", "selectable"),
    "Echo input": ("Disabled", "On all commands and data"),
    "OAEP Hash Params": ("Default (SHA-1)", "Selectable"),
}
_OLD_OPTIONS = {
    1: "Open Session Type",
    2: "Display Help",
    3: "PIN path",
    4: "Echo input",
    5: "Sleep",
    6: "KCV Default",
    7: "MofN path",
}
_OPTIONS = {"5": _OLD_OPTIONS, "7": _OLD_OPTIONS | {17: "OAEP Hash Params"}}
_ROLES = {"5": (_OLD, _AUDITED), "7": (_SPACED, _AUDITED)}
_BUILD_DATE = {
    "5": ("", " (modified on Jan 02 2012 at 03:04:05)"),
    "7": (" (modified on Jan 02 2020 at 03:04:05)", ""),
}
_BANNER = {"5": _LICENCE, "7": _VERSION + _LICENCE}
_ASKS_EXTRACTABLE = {"5": (False, True), "7": (True, False)}
_MASKED = {"5": (False, True), "7": (True, False)}


class Dialect(NamedTuple):
    """The screens of one client (reference, section 15); what the reference is unsure of, jitter varies."""

    banner: str
    menu: Menu
    roles: Roles
    pin_prompt: str
    masked: bool
    wrap: Table
    ciphers: Table
    key_types: Table
    asks_extractable: bool  # menu 45 does so only in some builds
    attributes: tuple[str, ...]
    options: Options


def dialect(luna: str, jitter: Jitter) -> Dialect:
    """`luna` is "5" or "7"."""
    return Dialect(
        banner=_banner(luna, jitter),
        menu=Menu(luna, jitter),
        roles=jitter.pick("roles", *_ROLES[luna]),
        pin_prompt=jitter.pick("PIN prompt", "Enter PIN: ", "enter PIN: ", "Enter password: "),
        masked=jitter.pick("PIN masked", *_MASKED[luna]),
        wrap=wrap_table(luna, jitter),
        ciphers=cipher_table(luna, jitter),
        key_types=key_type_table(jitter),
        asks_extractable=jitter.pick("extractable asked", *_ASKS_EXTRACTABLE[luna]),
        attributes=attribute_names(luna, jitter),
        options=_options(luna, jitter),
    )


def _banner(luna: str, jitter: Jitter) -> str:
    build = jitter.pick("build date", *_BUILD_DATE[luna])
    notice = jitter.pick("banner line", "", _NOTICE)
    return f"{_BANNER[luna]}{notice}\nCrystokiConnect(){build}\n\n*** CHRYSTOKI DEMO - SIMULATION LAB ***\n\n"


def _options(luna: str, jitter: Jitter) -> Options:
    """Of the numbers only 17 is confirmed; the others may trade places and be joined by one."""
    old = dict(zip(_OLD_OPTIONS, jitter.shuffled("option numbers", list(_OLD_OPTIONS.values())), strict=True))
    extra = jitter.pick("option added", {}, {8: "Key Cache"})
    numbered = old | extra | {number: title for number, title in _OPTIONS[luna].items() if number not in old}
    order = jitter.shuffled("option order", list(numbered))
    return Options({number: numbered[number] for number in order}, _STATES)
