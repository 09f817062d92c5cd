from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

from keyferry.errors import (
    CheckFailedError,
    KeyferryError,
    MismatchError,
    ToolRefusedError,
    UnknownScreenError,
    UnreachableError,
    UsageError,
)
from keyferry.text import last_lines
from keyferry.tools.cmu import dialect, screens
from keyferry.tools.one_shot import NOTHING_MORE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from keyferry.pkcs11 import Slot, SourceHandle
    from keyferry.secrets import Secret
    from keyferry.terminal.console import Console
    from keyferry.terminal.host import Host
    from keyferry.terminal.prompts import Reply
    from keyferry.terminal.sessions import Sessions
    from keyferry.tools.cmu.screens import CmuObject
    from keyferry.tools.limits import Limits
    from keyferry.tools.logins import Logins

T = TypeVar("T")


class Cmu:
    """cmu on one slot. It has no session: every call starts it and logs in once, so a run calls it rarely.

    A login counts as accepted only where the tool ended with status 0 after an answer that is understood.
    """

    def __init__(  # noqa: PLR0917 - what every call needs
        self,
        sessions: Sessions,
        host: Host,
        limits: Limits,
        slot: Slot,
        pin: Secret,
        logins: Logins,
        *,
        ha: bool = True,
        token: str | None = None,
        look_first: Callable[[], None] = lambda: None,
    ) -> None:
        """ha: handles mean nothing in the next process, so nothing is changed by one; False only for a known partition.

        look_first: called before each process, to make sure that the slot is still the one that was chosen.

        token: leave `-slot` out, and answer the tool's own question by this label or serial. The slot of its
        password prompt must still be this one.
        """
        self._sessions, self._host, self._limits = sessions, host, limits
        self._slot, self._pin, self._logins = slot, pin, logins
        self._ha, self._token = ha, token
        self._look_first = look_first
        self.broken: frozenset[tuple[str, ...]] = frozenset()
        """The lines of each label that is known to contain line breaks."""

    def list(
        self, *, label: str | None = None, object_class: str | None = None, ouids: bool = False
    ) -> tuple[CmuObject, ...]:
        """The objects of the partition that this login sees, in no order.

        label: only those with exactly this one. object_class: a word of CLASS_FILTERS. ouids: tell these too,
        where the version has them.
        """
        if object_class not in (None, *dialect.CLASS_FILTERS):
            raise UsageError(f"no class {object_class!r}", hint=f"one of {', '.join(dialect.CLASS_FILTERS)}")
        filters = {"-label": label, "-class": object_class}
        arguments = [f"{name}={value}" for name, value in filters.items() if value is not None]
        found = self._call("list", self._listing, *arguments, *[dialect.OUID_COLUMNS] * ouids)
        return tuple(one for one in found if label in (None, one.label))

    def _listing(self, text: str) -> tuple[CmuObject, ...]:
        return screens.listing(text, self.broken)

    def get_attributes(self, handle: SourceHandle) -> Mapping[str, str]:
        """What the HSM reads back of an object, by lower-case names; key values are cut.

        CheckFailedError on an HA slot, where the handle is another object in the next process.
        """
        self._demand_lasting()
        return self._call("getAttribute", screens.attributes, f"-handle={handle}")

    def import_public_key(self, file: str, label: str, option: str = dialect.IMPORT_OPTION) -> None:
        """Import a PEM file of the host's folder. Proves nothing: the caller looks for what came of it.

        ToolRefusedError where the tool visibly failed; it names the setting of the uncertain option.
        """
        try:
            self._call(
                "import",
                lambda text: screens.no_refusal(text, "import"),
                f"-inputFile={file}",
                f"-label={label}",
                option,
            )
        except (ToolRefusedError, UnknownScreenError) as error:
            error.hint = f"is {option!r} another word in this version? set `[source] cmu_public_key_option`"
            raise

    def set_attributes(self, handle: SourceHandle, values: Mapping[str, str]) -> Mapping[str, str]:
        """Set attributes of a public key by cmu's names (`wrap`: `1`); gives them all as read back (three calls).

        SOURCE-READ-ONLY: an object of any other class is refused, and so is every one of an HA slot.
        MismatchError where one is not what was set (cmu says nothing when it is done), or another has changed.
        """
        before = self.public_key(handle)
        arguments = [f"-{name}={value}" for name, value in values.items()]
        self._call("setAttribute", lambda text: screens.silence(text, "setAttribute"), f"-handle={handle}", *arguments)
        after = self.get_attributes(handle)
        set_now = {name.lower(): value for name, value in values.items()}
        wrong = {name: after.get(name) for name, value in set_now.items() if not _same(value, after, name)}
        others = (before.keys() | after.keys()) - set_now.keys()
        wrong |= {name: after.get(name) for name in others if after.get(name) != before.get(name)}
        if wrong:
            raise MismatchError(
                f"cmu setAttribute said nothing, but object {handle} has {wrong}",
                tool="cmu",
                keys="no key was touched; look at this public key before it is used",
            )
        return after

    def delete(self, handle: SourceHandle, expected: Mapping[str, str] | None = None) -> None:
        """Delete a public key, proved by looking: this object and no other is gone (four calls).

        expected: its attributes as somebody saw them before; an object that is another one by now is refused.
        SOURCE-READ-ONLY: as `set_attributes`.
        """
        self._demand_lasting()
        before = self._handles()
        found = self.public_key(handle)
        if expected is not None and found != expected:
            raise self._read_only(f"object {handle} is not what it was a moment ago")
        self._call("delete", lambda text: screens.silence(text, "delete"), f"-handle={handle}", "-force")
        if (gone := before - self._handles()) != {handle}:
            raise MismatchError(
                f"cmu delete said nothing, but of the partition's objects {sorted(gone) or 'none'} is gone",
                tool="cmu",
                keys=f"object {handle}, a public key, was to be deleted and no other",
                hint="see what is there: `keyferry cmu list`",
            )

    def _handles(self) -> set[SourceHandle]:
        return {one.handle for one in self.list() if one.handle is not None}

    def public_key(self, handle: SourceHandle) -> Mapping[str, str]:
        """The attributes of an object that may be changed; any other is refused (SOURCE-READ-ONLY)."""
        found = self.get_attributes(handle)
        if found["class"].lower() != "publickey":
            raise self._read_only(f"object {handle} is a {found['class']}, no public key")
        return found

    def _demand_lasting(self) -> None:
        if self._ha:
            error = self._read_only("on an HA slot a handle is another object in the next process of cmu")
            error.hint = "use `keyferry ckdemo` with label:TEXT, or a member's own slot: --slot serial:..."
            raise error

    @staticmethod
    def _read_only(why: str) -> CheckFailedError:
        return CheckFailedError(
            f"nothing is done: {why}", rule="SOURCE-READ-ONLY", tool="cmu", keys="nothing was changed"
        )

    def _call(self, verb: str, parse: Callable[[str], T], *arguments: str) -> T:
        """One process: the password where it is asked, the whole answer, the exit status, the verdict."""
        self._look_first()
        slot = [] if self._token else [f"-slot={self._slot}"]
        opened = self._sessions.open(self._host, "cmu", verb, *slot, *arguments, manners=dialect.MANNERS)
        with self._logins.turn, opened as console:
            try:
                heard, asked = self._converse(console)
                return self._judged(verb, parse, heard, console.close(), asked=asked)
            except KeyferryError as error:
                error.fill(host=self._host.name, record=console.recorder.place)
                raise

    def _converse(self, console: Console) -> tuple[Reply, bool]:
        # Where an application id is logged in already, no password is asked and the answer comes at once.
        choice = dialect.CHOICE if self._token else dialect.QUESTION
        heard = console.hear(dialect.PASSWORD, choice, NOTHING_MORE, limit=self._limits.start)
        if self._token and heard.prompt == dialect.CHOICE.name:
            console.say(str(screens.token_number(heard.text, self._token)))
            heard = console.hear(dialect.PASSWORD, dialect.QUESTION, NOTHING_MORE, limit=self._limits.start)
        if heard.prompt != dialect.PASSWORD.name:
            return heard, False
        self._same_slot(heard)
        self._logins.type(console, self._pin, hides=True)
        limit = self._limits.login + self._limits.answer
        return console.hear(NOTHING_MORE, dialect.PASSWORD_AGAIN, dialect.QUESTION, limit=limit), True

    def _same_slot(self, heard: Reply) -> None:
        screens.silence(heard.text, "login")
        if [int(number) for number in re.findall(r"\d+", heard.question)] != [self._slot]:
            raise CheckFailedError(
                f"cmu asks the password of another slot than {self._slot}",
                rule="SLOT-MATCH",
                tool="cmu",
                seen=heard.question,
                keys="the PIN was not typed",
            )

    def _judged(self, verb: str, parse: Callable[[str], T], heard: Reply, status: int | None, *, asked: bool) -> T:
        if status is None or (status and not asked and not heard.text.strip()):
            raise UnreachableError("cmu ended before it was done", tool="cmu", seen=last_lines(heard.text))
        try:
            result = parse(heard.text)
        except (ToolRefusedError, UnknownScreenError) as refusal:
            if asked and screens.about_the_pin(refusal):
                raise self._logins.refused(self._pin, "cmu", refusal.seen or "") from None
            raise
        if status:
            raise ToolRefusedError(
                f"cmu {verb} ended with status {status}",
                code=str(status),
                tool="cmu",
                seen=last_lines(heard.text),
            )
        if asked:
            self._logins.accepted(self._pin)
        return result


def _same(wanted: str, found: Mapping[str, str], name: str) -> bool:
    """Whether an attribute is what was set: a boolean in any of cmu's words for it."""
    value = found.get(name.lower())
    if name.lower() in dialect.BOOLEAN_NAMES and value is not None:
        return (wanted.lower() in dialect.TRUE) == (value.lower() in dialect.TRUE)
    return value == wanted
