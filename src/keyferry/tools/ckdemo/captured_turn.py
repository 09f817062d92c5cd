"""One turn of ckdemo as a terminal shows it: menu, typed answers and all (reference/ckdemo.md, 2 to 13).

The driver reads answers piece by piece; here the pieces stand in one text, and what was asked and typed must be
told from what was answered. Every pattern has bounds, so that a hostile text stays linear.
"""

from __future__ import annotations

import re

from keyferry.tools.ckdemo import dialect, screens
from keyferry.tools.lines import unknown

# A number, or what was not taken for one; where nothing is echoed the next question may follow on the line.
_TYPED = r"[ \t]*(?:-?[0-9][^\n]*|[^\n]{1,60}(?=\n\s{0,9}You must enter ))?"
_SLOT = (
    r"Slots available[ \t]*:",
    r"slot[ \t]*#[ \t]*[0-9]+[ \t]*-[^\n]*",
    rf"Select a slot[ \t]*:{_TYPED}",
)
_SESSION = (
    r"Sessions available[ \t]*:",
    r"session[ \t]*#[ \t]*[0-9]+[ \t]*-[ \t]*slot[^\n]*",
    rf"Select a session[ \t]*:{_TYPED}",
)
_OBJECT_ASKED = (
    r"Enter (?:handle of (?:object to display|wrapping key|key to wrap)|key to use)|Which object do you want to modify"
)
_OBJECT = (
    rf"(?:{_OBJECT_ASKED})[^\n:]{{0,60}}:{_TYPED}",
    r"Handle[ \t]+[0-9]+[ \t]+--[ \t]+label:[^\n]*",
    r"No objects found[ \t]*(?=\n|\Z)",
    r"Error trying to list all available objects\.[ \t]*\n[ \t]*Error: CKR_\w+",
)
_OAEP_SOURCE = (r"Enter filename of [^\n:]{1,60}:[^\n]*",)
# The reference leaves open how some tables write an entry: every style is taken here.
_NAME = r"[A-Z0-9](?:[^\n\[(]|\((?![ \t]*[0-9]+[ \t]*\))){0,60}"
_TABLE = (
    rf"\[[ \t]*[0-9]+[ \t]*\][ \t]*{_NAME}",
    rf"\([ \t]*[0-9]+[ \t]*\)[ \t]*{_NAME}",
    r"[0-9]+[ \t]+(?:-[ \t]+)?[A-Z0-9][^\n]*",
    r"[A-Za-z0-9][\w /#.+-]{0,40}\[[ \t]*[0-9]+[ \t]*\][ \t]*[:,]?",
    r"[0-9]+[ \t]*(?=\n|\Z)",  # the answer to a table that ends without a prompt
)
_DIALOGUE = {
    "openSession": (
        *_SLOT,
        rf"[^\n?]{{0,60}}normal user[ \t]*\[[ \t]*[0-9]+[ \t]*\][^\n?]{{0,60}}\?{_TYPED}",
        rf"(?:ReadOnly|Parallel)[ \t]*\[[^\n?]{{1,40}}\?{_TYPED}",
        rf"Exclusive session\?[ \t]*Yes[ \t]*\[[0-9]\][ \t]*No[ \t]*\[[0-9]\]{_TYPED}",
    ),
    "login": (
        *_SESSION,
        rf"[A-Za-z][A-Za-z -]{{0,40}}\[[ \t]*[0-9]+[ \t]*\][ \t]*[:,]?{_TYPED}",
        r"(?i:enter (?:pin|password))[^\n:]{0,60}:[^\n]*",
        r"\*For PIN\*",
        rf"(?:PIN path|Format)[ \t]*:[^\n>]{{1,80}}>{_TYPED}",
    ),
    "findObject": (*_SESSION, *_TABLE, rf"Select object type to search[ \t]*:{_TYPED}"),
    "displayObject": (*_SESSION, *_OBJECT),
    "setAttribute": (
        *_SESSION,
        *_OBJECT,
        r"Edit template for set attribute operation\.?",
        r"CKA_\w+=[^\n]*",
        rf"\([0-9]+\)[ \t]*Add Attribute[^\n]{{1,80}}Accept Template{_TYPED}",
        r"[0-9]+[ \t]*-[ \t]*CKA_\w+",
        rf"Select which one[ \t]*:{_TYPED}",
        rf"Enter (?:boolean )?value[ \t]*:{_TYPED}",
        r"Enter (?:string value|name of binary file with value data|large number in hexadecimal)[ \t]*:[^\n]*",
        r"Error with binary file",
    ),
    "wrapKey": (
        *_SESSION,
        *_TABLE,
        rf"Wrap RSA components\?[^\n:]{{0,60}}:{_TYPED}",
        rf"[^\n:?]{{0,60}}\b[Hh]ash\b[^\n:?]{{0,60}}[:?]{_TYPED}",
        *_OAEP_SOURCE,
        *_OBJECT,
    ),
    "encryptFile": (
        *_SESSION,
        *_TABLE,
        rf"Select mechanism for encryption[ \t]*:{_TYPED}",
        r"Enter name of file to encrypt[ \t]*:[^\n]*",
        *_OAEP_SOURCE,
        *_OBJECT,
    ),
    "tokenInfo": _SLOT,
    "options": (
        r"Options[ \t]*:",
        r"\(?[0-9]+\)?[ \t]*-[ \t]*[A-Z][^\n]*",
        rf"Enter option to change[ \t]*:{_TYPED}",
        *_TABLE[:1],
    ),
}
_QUESTION = {
    verb: re.compile(rf"\s*(?:{'|'.join((*dialect.ASKED_AGAIN, *parts))})") for verb, parts in _DIALOGUE.items()
}

_BEFORE_TYPED = (*"]:?>", "Accept Template")
_PADDING = 80  # blanks that may stand around what is repeated
_STATUS = r"[ \t]*Status:[^\n]*\n"
_MENU_LINE = re.compile(r"[ \t]*(?:\([ \t]*[0-9]+[ \t]*\)[^\n]*|[A-Z][A-Z &/,()-]*:?[ \t]*)")
_LAST_ENTRY = re.compile(r"(?m)^[^\n]{0,80}\([ \t]*0[ \t]*\)[ \t]*Quit\b")
_MAIN = re.compile(rf"[ \t]*{dialect.CHOICE}(?P<typed>(?:[0-9]+(?=[ \t]*\Z))?)[ \t]*")


def turn(verb: str, text: str) -> screens.TemplateAnswer:
    """The answer of one turn, less its questions and what was typed to them.

    UnknownScreenError for a text of several turns or of half a one, and for anything that is no menu behind
    the Status line.
    """
    if verb not in _QUESTION:
        return _whole(verb, screens.answer(text), text)
    text = _behind_the_choice(text)
    found = _whole(verb, screens.answer(text), text)
    return screens.TemplateAnswer(_behind_the_questions(_QUESTION[verb], found.body), found.ckr, found.function)


def _behind_the_choice(text: str) -> str:
    """The text behind the main prompt that the turn was chosen at, if it is there.

    The Status and the menu that were shown with it are the end of the turn before; without them a typed number
    may be missing, where nothing is echoed. The number may also stand alone, without the prompt.
    """
    rest, before = text.lstrip(), False
    if typed := re.match(r"[0-9]{1,3}[ \t]*(?=\n)", rest):
        return rest[_behind_the_echo(rest, typed.end(), typed.group()) :]
    if status := re.match(_STATUS, rest):
        rest, before = rest[status.end() :], True
    place = 0
    while place < len(rest):
        end = rest.find("\n", place)
        line = rest[place : end if end >= 0 else len(rest)]
        if choice := _MAIN.match(line):
            behind = _behind_the_echo(rest, place + choice.end(), choice["typed"])
            return rest[behind:] if choice["typed"] or not before else text
        if line.strip() and not _MENU_LINE.fullmatch(line):
            return text
        place += len(line) + 1
    return text


def _whole(verb: str, answer: screens.TemplateAnswer, text: str) -> screens.TemplateAnswer:
    """The answer, where nothing but a whole menu and an empty prompt comes behind its Status line."""
    *menu, last = text[len(answer.body) :].partition("\n")[2].rstrip().split("\n")
    choice = _MAIN.fullmatch(last)
    shown = menu if choice else [*menu, last]
    for line in shown:
        if line.strip() and not _MENU_LINE.fullmatch(line):
            raise unknown("ckdemo", verb, "a line that is no menu", line)
    if choice and choice["typed"]:
        raise unknown("ckdemo", verb, "two commands in one text?", last)
    if not choice and last and not _LAST_ENTRY.search("\n".join(shown)):
        raise unknown("ckdemo", verb, "a menu cut short", last)
    return answer


def _behind_the_questions(question: re.Pattern[str], body: str) -> str:
    place = 0
    while found := question.match(body, place):
        place = _behind_the_echo(body, found.end(), found.group().rpartition("\n")[2])
    return body[place:]


def _behind_the_echo(text: str, place: int, asked: str) -> int:
    """The place behind what was typed, where ckdemo repeats it on a line of its own (Options, Echo input).

    asked: the line that ends in what was typed, with the question or without.
    """
    start = place + 1 if text[place : place + 1] == "\n" else place
    line, ended, _ = text[start : start + len(asked) + _PADDING].partition("\n")  # never a whole long line again
    whole = ended or start + len(line) == len(text)
    typed, asked = line.strip(), asked.strip()
    question = asked[: len(asked) - len(typed)].rstrip()
    repeats = typed and asked.endswith(typed) and (not question or question.endswith(_BEFORE_TYPED))
    return start + len(line) if whole and repeats else place
