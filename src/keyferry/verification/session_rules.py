"""What a record must mean, besides being whole, by the tools' own words."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import re
from typing import TYPE_CHECKING, Protocol

from keyferry.errors import ToolRefusedError, UnknownScreenError
from keyferry.recording.chain_reader import wrong
from keyferry.tools.ckdemo import dialect as ckdemo
from keyferry.tools.ckdemo import screens
from keyferry.tools.cmu import screens as cmu
from keyferry.verification.allowed_commands import ACTION, MIGRATION

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from keyferry.recording.chain_reader import CheckedSession
    from keyferry.recording.reader import Event
    from keyferry.verification.evidence import Evidence
    from keyferry.verification.journal_rules import JournalRules

_FILE_TYPED = re.compile(r" (?:-f|--data-path) (\S+)")
_ONE_LINE = re.compile(r"[^\0-\x1f]*\r?")
_AROUND_MODULUS = 48
"""Bytes of an RSA public key's DER that are not its modulus, at most."""
_OF_THE_IMPORTED = (ckdemo.OBJECT_MODIFIED, ckdemo.WRAPPING_KEY)
_UNWRAPS = ("unWrapKey ", "key unwrap ")
_HELP = "unWrapKey -h"


def public_key(pem: Path, name: str, journaled: JournalRules) -> bytes:
    """The DER of the exported public key; MismatchError where its file is not the key that the journal names."""
    body = re.sub(rb"-----[A-Z ]+-----|\s", b"", pem.read_bytes())
    try:
        der = base64.b64decode(body, validate=True)
    except binascii.Error:
        der = b""
    if hashlib.sha256(der).hexdigest() != journaled.key:
        raise wrong(name, None, "not the public key that the journal says was exported")
    return der


def one_line(typed: str) -> bool:
    """Whether an `i` holds one line, or a part of one: no command hides behind another."""
    return _ONE_LINE.fullmatch(typed) is not None


class SessionRule(Protocol):
    """Listens to one session and raises MismatchError where what was typed may not be."""

    def hear(self, event: Event) -> None: ...

    def end(self) -> None: ...


class SessionRules:
    """What the tools themselves said, over all sessions of a run."""

    def __init__(self, journaled: JournalRules, der: bytes | None, evidence: Evidence) -> None:
        self._journaled, self._evidence = journaled, evidence
        self.der = der
        self._extractable: set[str] = set()
        self._imported: set[str] = set()

    def words(self, session: CheckedSession) -> SessionRule:
        tool = str(session.header.get("tool"))
        allowed = (MIGRATION if self._journaled.migration else ACTION).get(tool)
        if allowed is None:
            raise session.wrong("its header names no documented tool", 1)
        if tool == "ckdemo":
            return MenuRules(session, allowed, self)
        if tool in ("cmu", "vtl"):
            return OneShotRules(session, allowed, self)
        return CommandLineRules(session, allowed, self)

    def typed(self, session: CheckedSession, event: Event) -> None:
        """Each unwrap has its wrap: its file was moved here, and the journal intended it."""
        if event.data.strip() == _HELP:
            return
        if self._journaled.migration and event.data.lstrip().startswith(_UNWRAPS):
            found = set(_FILE_TYPED.findall(event.data)[:1])  # behind a label that is `-f` there is no file
            if not found or found - self._journaled.entering:
                raise session.wrong("it unwraps a file that was never wrapped and moved for that", event.line)

    def displayed(self, session: CheckedSession, handle: str, text: str, line: int) -> None:
        try:
            shown = screens.shown(screens.answer(text).body)
        except UnknownScreenError:
            return  # a refusal, or a screen that ended the run: nothing was learned of this key
        if str(shown.handle) != handle:
            return
        self._extractable.discard(handle)
        self._imported.discard(handle)
        extractable = shown.attributes.get("CKA_EXTRACTABLE")
        if extractable == "01":
            self._extractable.add(handle)
        if extractable is not None:
            self._evidence.displayed(handle, extractable=extractable == "01")
        modulus = shown.attributes.get("CKA_MODULUS")
        if (shown.attributes.get("CKA_CLASS") or "").startswith("02") and self._is_ours(modulus):
            self._imported.add(handle)
            self._evidence.imported(handle)
        self.public(session, shown.attributes.get("CKA_LABEL"), modulus, line)

    def public(self, session: CheckedSession, label: str | None, modulus: str | None, line: int) -> None:
        """Demand that the source shows the exported key under our label, unless the run itself saw another."""
        journaled = self._journaled
        if not journaled.compared or journaled.refused:
            return
        if modulus and label == journaled.label and not self._is_ours(modulus):
            raise session.wrong("the source HSM shows another public key than the one that was exported", line)

    def _is_ours(self, modulus: str | None) -> bool:
        """Whether this is the exported key's, or, where that is not here any more, may be."""
        if self.der is None:
            return True
        digits = (modulus or "").lower().lstrip("0")
        return len(digits) >= 2 * (len(self.der) - _AROUND_MODULUS) and digits in self.der.hex()

    def wraps(self, session: CheckedSession, event: Event) -> None:
        """In a migration; a single action asks for one key, and the tool refuses it."""
        journaled = self._journaled
        if journaled.migration and (handle := event.data.strip()) not in self._extractable:
            raise session.wrong(f"key {handle} is wrapped, but was not shown as extractable before", event.line)
        if journaled.migration and journaled.stable and int(handle) not in journaled.leaving:
            raise session.wrong(f"key {handle} is wrapped, but the journal has no intent of that", event.line)

    def uses(self, session: CheckedSession, event: Event) -> None:
        """SOURCE-READ-ONLY, WRAPPING-KEY-MATCH: what is set, and what wraps, is the imported public key."""
        if self._journaled.migration and (handle := event.data.strip()) not in self._imported:
            raise session.wrong(f"object {handle} was not shown to be the public key that was exported", event.line)


class CommandLineRules:
    """A tool whose every line is a command, but for an answer to a question of setAttribute.

    Of a tool that edits its lines the return that ends one is typed, and recorded, by itself.
    """

    def __init__(self, session: CheckedSession, allowed: AbstractSet[str], witness: SessionRules) -> None:
        self._session, self._allowed, self._witness = session, allowed, witness
        self._last = ""
        if session.header["argv"][1:] not in ([], ["interactive"]):
            raise session.wrong("the tool was started with another command", 1)

    def hear(self, event: Event) -> None:
        if event.code != "i":
            return
        line = event.data.strip()
        if not line or (self._last.startswith("setAttribute ") and line in ("0", "1")):
            return
        if not any(f"{line} ".startswith(f"{verb} ") for verb in self._allowed):
            word = line.partition(" ")[0]
            raise self._session.wrong(f"{word!r} is none of the documented commands of this run", event.line)
        self._witness.typed(self._session, event)
        self._last = line

    def end(self) -> None:
        """Nothing is left open."""


class OneShotRules:
    """A tool that does one thing and ends: its verb is its first argument. Nothing is typed but a token's number."""

    def __init__(self, session: CheckedSession, allowed: AbstractSet[str], witness: SessionRules) -> None:
        self._session, self._witness = session, witness
        self._screen, self._line = list[str](), 1
        self._verb = " ".join(session.header["argv"][1:2])
        if self._verb not in allowed:
            raise session.wrong(f"{self._verb!r} is none of the documented commands of this run", 1)

    def hear(self, event: Event) -> None:
        if event.code == "i" and not event.data.strip().isdecimal():
            raise self._session.wrong(f"{event.data.strip()!r} is none of the documented answers", event.line)
        if event.code == "o":
            self._screen.append(event.data)
            self._line = event.line

    def end(self) -> None:
        """Look at the key that cmu showed; a refusal, or a screen that ended the run, tells nothing of it."""
        if self._verb != "getAttribute":
            return
        with contextlib.suppress(UnknownScreenError, ToolRefusedError):
            shown = cmu.attributes("".join(self._screen))
            self._witness.public(self._session, shown.get("label"), shown.get("modulus"), self._line)


class MenuRules:
    """ckdemo: numbers of a menu that stands on its first screen, and answers to questions."""

    def __init__(self, session: CheckedSession, allowed: AbstractSet[str], witness: SessionRules) -> None:
        self._session, self._allowed, self._witness = session, allowed, witness
        if session.header["argv"][1:]:
            raise session.wrong("the tool was started with a command", 1)
        self._shown: list[str] = []
        self._menu: dict[int, str] = {}
        self._entry = self._handle = ""
        self._line = 1

    def hear(self, event: Event) -> None:
        if event.code == "o":
            self._shown.append(event.data)
        elif event.code == "i":
            screen = self._screen
            if not screen.strip():
                raise self._session.wrong("it was typed before anything was asked", event.line)
            question = screen.rpartition("\n")[2]
            typed = event.data.strip()
            if ckdemo.MAIN.ends(question):
                self._choose(typed, event.line)
            elif ckdemo.OBJECT_SHOWN.ends(question):
                self._handle, self._line = typed, event.line
            elif any(asked.ends(question) for asked in _OF_THE_IMPORTED):
                self._witness.uses(self._session, event)
            elif ckdemo.KEY_TO_WRAP.ends(question):
                self._witness.wraps(self._session, event)
            self._shown.clear()

    @property
    def _screen(self) -> str:
        """Everything the tool has printed since the last input."""
        return "".join(self._shown)

    def end(self) -> None:
        """The session may have ended behind a display."""
        self._answered()

    def _choose(self, typed: str, line: int) -> None:
        if not self._menu:
            self._menu = _numbered(self._screen, ckdemo.MENU)
            for verb, title in ckdemo.MORE.items():
                with contextlib.suppress(UnknownScreenError):  # not every menu has them
                    self._menu |= _numbered(self._screen, {verb: title})
        self._answered()
        self._entry = self._menu.get(int(typed), "") if typed.isdecimal() else ""
        if self._entry not in self._allowed:
            raise self._session.wrong(f"menu entry {typed} is none of the documented ones", line)

    def _answered(self) -> None:
        """Look at what the last entry of the menu came to."""
        if self._entry == ckdemo.MENU["display_object"]:
            echo, _, answer = self._screen.partition("\n")
            if echo.strip() == self._handle:
                self._witness.displayed(self._session, self._handle, answer, self._line)


def _numbered(screen: str, titles: Mapping[str, str]) -> dict[int, str]:
    numbers = screens.menu(screen, titles)
    return {numbers[verb]: title for verb, title in titles.items()}
