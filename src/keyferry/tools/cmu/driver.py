from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from keyferry.errors import (
    CheckFailedError,
    KeyferryError,
    ToolRefusedError,
    UnknownScreenError,
    UnreachableError,
)
from keyferry.text import last_lines
from keyferry.tools.cmu import dialect, screens
from keyferry.tools.shell import NOTHING_MORE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from keyferry.names import ClassicHandle, Slot
    from keyferry.secrets import Secret
    from keyferry.terminal.console import Console
    from keyferry.terminal.host import Host
    from keyferry.terminal.prompts import Heard
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
        self, sessions: Sessions, host: Host, limits: Limits, slot: Slot, pin: Secret, logins: Logins
    ) -> None:
        self._sessions, self._host, self._limits = sessions, host, limits
        self._slot, self._pin, self._logins = slot, pin, logins

    def list(self) -> tuple[CmuObject, ...]:
        """Every object of the partition that this login sees, in no order."""
        return self._call("list", screens.listing)

    def get_attributes(self, handle: ClassicHandle) -> Mapping[str, str]:
        """What the HSM reads back of an object, by lower-case names; key values are cut."""
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
            error.hint = f"is {option!r} another word in this version? set `[classic] cmu_public_key_option`"
            raise

    def delete(self, handle: ClassicHandle) -> None:
        """Delete a public key (two calls). SOURCE-READ-ONLY: an object of any other class is refused.

        Not for an HA slot: there the same handle is another object in the next process.
        """
        kind = self.get_attributes(handle)["class"]
        if kind.lower() != "publickey":
            raise CheckFailedError(
                f"object {handle} is a {kind}, no public key: it is not deleted",
                rule="SOURCE-READ-ONLY",
                tool="cmu",
                keys="nothing was changed",
            )
        self._call("delete", lambda text: screens.silence(text, "delete"), f"-handle={handle}", "-force")

    def _call(self, verb: str, parse: Callable[[str], T], *arguments: str) -> T:
        """One process: the password where it is asked, the whole answer, the exit status, the verdict."""
        slot = f"-slot={self._slot}"
        with self._sessions.open(self._host, "cmu", verb, slot, *arguments, manners=dialect.MANNERS) as console:
            try:
                heard, asked = self._converse(console)
                return self._judged(verb, parse, heard, console.close(), asked=asked)
            except KeyferryError as error:
                error.fill(host=self._host.name, record=console.recorder.place)
                raise

    def _converse(self, console: Console) -> tuple[Heard, bool]:
        # Where an application id is logged in already, no password is asked and the answer comes at once.
        heard = console.hear(dialect.PASSWORD, dialect.QUESTION, NOTHING_MORE, limit=self._limits.start)
        if heard.prompt != dialect.PASSWORD.name:
            return heard, False
        self._same_slot(heard)
        self._logins.type(console, self._pin, hides=True)
        limit = self._limits.login + self._limits.answer
        return console.hear(NOTHING_MORE, dialect.PASSWORD_AGAIN, dialect.QUESTION, limit=limit), True

    def _same_slot(self, heard: Heard) -> None:
        screens.silence(heard.text, "login")
        asked = dialect.PASSWORD_LINE.fullmatch(heard.question)
        if asked is None or int(asked["slot"]) != self._slot:
            raise CheckFailedError(
                f"cmu asks the password of another slot than {self._slot}",
                rule="SLOT-MATCH",
                tool="cmu",
                seen=heard.question,
                keys="the PIN was not typed",
            )

    def _judged(self, verb: str, parse: Callable[[str], T], heard: Heard, status: int | None, *, asked: bool) -> T:
        if status is None or (status and not asked and not heard.text.strip()):
            raise UnreachableError("cmu ended before it was done", tool="cmu", seen=last_lines(heard.text))
        try:
            result = parse(heard.text)
        except ToolRefusedError as refusal:
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
