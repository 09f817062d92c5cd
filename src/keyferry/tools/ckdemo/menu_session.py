from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keyferry.errors import CheckFailedError, ToolRefusedError, UnreachableError
from keyferry.terminal.prompts import ENDED, Prompt, Reply
from keyferry.tools.ckdemo import dialect, screens
from keyferry.tools.lines import unknown

if TYPE_CHECKING:
    from collections.abc import Callable

    from keyferry.pkcs11 import Slot, SourceHandle
    from keyferry.secrets import Secret
    from keyferry.terminal.console import Console
    from keyferry.tools.limits import Limits


@dataclass(frozen=True, slots=True)
class Question:
    """One thing the tool may ask in a dialogue, and what to answer; `times` it may ask it."""

    prompt: Prompt
    answer: Callable[[Reply], str | Secret]
    times: int = 1


def always(text: str) -> Callable[[Reply], str]:
    return lambda _heard: text


class MenuDialogue:
    """ckdemo's main loop: a menu entry, the questions it asks, a Status line, the main prompt again.

    A dialogue is a table of questions: each is answered when it is asked, in whatever order this build asks,
    and not at all where it does not ask (slot and session questions).
    """

    def __init__(self, console: Console, limits: Limits) -> None:
        self._console = console
        self._limits = limits
        self._at_menu = False
        start = self._start()
        demand(screens.answer(start.text))
        self._shown = start.text
        self._menu = screens.menu(start.text, dialect.MENU)
        self._at_menu = True

    def turn(self, verb: str, *questions: Question) -> screens.TemplateAnswer:
        """Choose a menu entry and answer what is asked, until the main prompt comes back."""
        asked = (*questions, Question(dialect.SESSION, _session))
        left = {question.prompt.name: question for question in asked}
        times = {name: question.times for name, question in left.items()}
        if verb not in self._menu:
            self._menu |= screens.menu(self._shown, {verb: dialect.MORE[verb]})
        self._at_menu = False
        self._console.say(str(self._menu[verb]))
        while True:
            prompts = [left[name].prompt for name, count in times.items() if count]
            heard = self._console.hear(*prompts, dialect.MAIN, *dialect.NOT_TAKEN, limit=self._limits.answer)
            if heard.prompt == dialect.MAIN.name:
                self._at_menu = True
                return screens.answer(heard.text)
            times[heard.prompt] -= 1
            self._reply(left[heard.prompt], heard)

    def quit(self) -> None:
        """Leave by the tool's own exit, or by force where that cannot be typed."""
        if self._at_menu:  # at any other prompt the number would be an answer: at the PIN's, a wrong try
            self._console.say(str(self._menu["quit"]))
            self._console.hear(Prompt(ENDED, b""), limit=self._limits.answer)
        self._console.close()

    def _start(self) -> Reply:
        try:
            heard = self._console.hear(dialect.MAIN, dialect.CANNOT_START, limit=self._limits.start)
        except UnreachableError as error:
            error.fill(hint="is /etc/Chrystoki.conf readable (group hsmusers) and the library installed?")
            raise
        if heard.prompt != dialect.MAIN.name:
            raise UnreachableError(
                "ckdemo cannot start",
                tool="ckdemo",
                host=self._console.host,
                seen=heard.text,
                keys="nothing was changed",
            )
        return heard

    def _reply(self, question: Question, heard: Reply) -> None:
        answer = question.answer(heard)
        if isinstance(answer, str):
            self._console.say(answer, among_output=question.prompt.settle is not None)
        else:
            self._console.say_secret(answer, hides=False)


def slot_question(slot: Slot) -> Question:
    """Asked where there is more than one slot; the slot must be among those offered (SLOT-MATCH)."""

    def answer(heard: Reply) -> str:
        if slot not in screens.slots(heard.text):
            raise CheckFailedError(
                f"ckdemo has no slot {slot}", rule="SLOT-MATCH", tool="ckdemo", seen=heard.text.strip()
            )
        return str(slot)

    return Question(dialect.SLOT, answer)


def object_question(prompt: Prompt, handle: SourceHandle) -> Question:
    """A handle; CheckFailedError for one that cannot be typed."""
    if handle > dialect.HIGHEST_HANDLE:
        raise CheckFailedError(
            f"handle {handle} cannot be typed to ckdemo: above {dialect.HIGHEST_HANDLE}",
            tool="ckdemo",
            keys="a key that cannot be described cannot be evaluated; this one was not touched",
        )
    return Question(prompt, always(str(handle)))


def _session(heard: Reply) -> str:
    """Asked where several sessions are open, or where this build always asks."""
    sessions = screens.sessions(heard.text)
    if len(sessions) != 1:
        raise unknown("ckdemo", "session", f"{len(sessions)} sessions where this run opened one", heard.text)
    return str(sessions[0])


def demand(answer: screens.TemplateAnswer) -> screens.TemplateAnswer:
    """The answer, if its Status is CKR_OK; else ToolRefusedError with what the code means."""
    if not answer.ok:
        raise ToolRefusedError(
            f"{answer.function}: {answer.ckr}",
            code=answer.ckr,
            tool="ckdemo",
            seen=answer.body.strip() or None,
            hint=dialect.ADVICE.get(answer.ckr),
            function=answer.function,
        )
    return answer


def require_said(answer: screens.TemplateAnswer, verb: str, sentence: str = "") -> None:
    """CKR_OK and exactly this sentence, by default nothing; UnknownScreenError for any other."""
    if demand(answer).body.strip() != sentence:
        raise unknown("ckdemo", verb, f"not {sentence!r}", answer.body)
