from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from keyferry.tools.key_mgmt_util.dialect import (
    CLIENT_CODES,
    ERRORS_WITH_TEXT,
    FUNCTIONS,
    REFUSALS,
    STEPS,
    SUCCESS,
    TOOL,
    words,
)
from keyferry.tools.lines import unknown

if TYPE_CHECKING:
    from collections.abc import Sequence

_RESULT = words(
    r">? ?(?P<name>Cfm\d\w{1,60}|get_peer_version|getCaviumPrivKey)(?: ?\(\))? ?:? ?"
    r"(?:sign )?(?:r(?:e)?turned|failure)? ?:? ?0x(?P<code>[0-9a-f]{2,16}) ?(?:: ?(?P<text>.+)|:)?"
)
_CLUSTER = words(r"Cluster (?:Error )?Status ?:?")
_NO_CLUSTER = words(r"Couldn't get cluster error info")
_NODE = words(
    r"Node id ?:? ?(?P<id>\d{1,10}) (?:and err state|status) ?:? ?0x(?P<code>[0-9a-f]{1,16}) ?: ?(?P<text>.+)"
)
_POLL = words(r"Checking (?:key|private key|public key) status(?: \(\d+ seconds?\)\.*| failed\.*)|Rolling back\.*")
_REPEATED_WHILE_POLLING = frozenset({"DeleteKey", "FindSingleKey"})
_NOT_ON_ALL = words(
    r"Couldn't verify key sync on \d+ servers.*|Not a valid min_srv count.*"
    r"|Key generation suc+es+ful in all servers \d+ present in the cluster.*"
)
_RULER = re.compile(r"=+")


@dataclass(frozen=True, slots=True)
class Result:
    """One `FUNCTION returned: CODE : TEXT`; the code is 0 for success."""

    function: str
    code: int
    text: str


@dataclass(frozen=True, slots=True)
class Node:
    """What one HSM of the cluster answered. Ids are neither ordered nor without gaps."""

    id: int
    code: int
    text: str


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a command counts as failed; the code is None where the tool gave only a text. node: whose text it is."""

    code: int | None
    text: str
    node: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What every answer has: result lines, the cluster block (may be absent), and refusals without a code.

    refusal: the line that tells what was wrong with the arguments. not_on_all: the line which says that a
    key did not come to be on as many nodes as were demanded.
    """

    results: tuple[Result, ...]
    nodes: tuple[Node, ...] = ()
    refusal: str | None = None
    not_on_all: str | None = None

    @property
    def refused(self) -> Failure | None:
        """The first failure among the results: the command as a whole did not succeed."""
        failed = next((result for result in self.results if result.code), None)
        if failed:
            return Failure(failed.code, failed.text)
        return Failure(None, self.refusal) if self.refusal else None

    @property
    def unanswered(self) -> bool:
        """Whether the client or the daemon failed, so that no code of an HSM tells whether the command was done."""
        return self.refused is not None and (self.refused.code or 0) >= CLIENT_CODES

    @property
    def failure(self) -> Failure | None:
        """The first failure of all: where the results succeeded, a node's or that of the nodes demanded."""
        failed = (Failure(node.code, node.text, node.id) for node in self.nodes if node.code)
        not_on_all = Failure(None, self.not_on_all) if self.not_on_all else None
        return self.refused or next(failed, not_on_all)


def judge(verb: str, lines: Sequence[str], *, silent: bool = False) -> Outcome:
    """The outcome of an answer from all the lines that are no field of the verb's own.

    silent: the answer's fields are proof enough, no result line need be there. UnknownScreenError for a
    line that has no place, and where neither result nor refusal is there.
    """
    scan = _Scan(verb, silent=silent)
    usage = _usage_start(lines)
    for line in lines[:usage]:
        scan.line(line)
    if usage < len(lines):
        scan.usage(lines[usage:])
    return scan.outcome()


def _usage_start(lines: Sequence[str]) -> int:
    """Where the usage text or the list of all commands begins: its lines differ by command and version."""
    for place, line in enumerate(lines):
        ruled = line == "Description" and _RULER.fullmatch("".join(lines[place + 1 : place + 2]))
        if ruled or line.startswith("Help Commands Available:"):
            return place
    return len(lines)


class _Scan:
    """Goes through the lines of one answer in their order."""

    def __init__(self, verb: str, *, silent: bool) -> None:
        self._verb = verb
        self._silent = silent
        self._results: dict[str, Result] = {}
        self._last: Result | None = None
        self._nodes: dict[int, Node] = {}
        self._refusal: str | None = None
        self._not_on_all: str | None = None
        self._in_block = self._polled = False
        self._polls = False

    def line(self, line: str) -> None:
        if found := _RESULT.fullmatch(line):
            self._result(line, found)
        elif _CLUSTER.fullmatch(line):
            self._block(line)
        elif found := _NODE.fullmatch(line):
            self._node(line, found)
        elif _NO_CLUSTER.fullmatch(line):
            self._in_block = False
        elif _POLL.fullmatch(line):
            self._polls = self._polled = True
            self._in_block = False
        elif _NOT_ON_ALL.fullmatch(line):
            self._not_on_all = self._not_on_all or line
        elif any(pattern.fullmatch(line) for pattern in REFUSALS):
            self._refusal = self._refusal or line
        else:
            self._text_of_result(line)

    def usage(self, lines: Sequence[str]) -> None:
        """The rest is usage text; a result beside it would be of another command."""
        if self._results:
            raise self._unknown("usage text after a result", lines[0])
        for line in lines:
            if _RESULT.fullmatch(line) or _NODE.fullmatch(line):
                raise self._unknown("a result after usage text: two commands in one text?", line)
        told = self._refusal or any(line.startswith("Syntax:") for line in lines)
        if not told or _RULER.fullmatch(lines[-1]):
            raise self._unknown("usage text cut short", lines[-1])
        self._refusal = self._refusal or "usage text: the arguments were not understood"

    def outcome(self) -> Outcome:
        results = tuple(self._results.values())
        failed = any(result.code for result in results)
        for result in results:
            if result.code in ERRORS_WITH_TEXT and not result.text:
                raise self._unknown(f"cut short after 0x{result.code:02x}")
        if self._refusal and results and not failed:
            raise self._unknown("a refusal beside success", self._refusal)
        if not (failed or self._refusal or self._silent or self._succeeded()):
            raise self._unknown("no result line")
        return Outcome(results, tuple(self._nodes.values()), self._refusal, self._not_on_all)

    def _succeeded(self) -> bool:
        return any(_plain(result.function) in FUNCTIONS[self._verb] for result in self._results.values())

    def _result(self, line: str, found: re.Match[str]) -> None:
        result = Result(found["name"], int(found["code"], 16), (found["text"] or "").strip())
        self._check_success(line, result.code, result.text)
        repeatable = self._polls and _plain(result.function) in _REPEATED_WHILE_POLLING
        if result.function in self._results and not repeatable:
            raise self._unknown("a second result of one function: two commands in one text?", line)
        known = FUNCTIONS[self._verb] | STEPS.get(self._verb, frozenset())
        if result.code == 0 and _plain(result.function) not in known:
            raise self._unknown("a result of another command", line)
        self._results[result.function] = self._last = result
        self._in_block = False

    def _block(self, line: str) -> None:
        if self._nodes and not self._polled:
            raise self._unknown("a second cluster block: two commands in one text?", line)
        self._nodes.clear()
        self._in_block, self._polled = True, False

    def _node(self, line: str, found: re.Match[str]) -> None:
        node = Node(int(found["id"]), int(found["code"], 16), found["text"].strip())
        self._check_success(line, node.code, node.text)
        if not self._in_block or node.id in self._nodes:
            raise self._unknown("a node that has no place here", line)
        self._nodes[node.id] = node

    def _check_success(self, line: str, code: int, text: str) -> None:
        if (code == 0) != bool(SUCCESS.fullmatch(text)):
            raise self._unknown("code and text do not agree", line)

    def _text_of_result(self, line: str) -> None:
        """Generation 2 gives the text of a failure on a line of its own, after the code."""
        last = self._last
        if last is None or last.code == 0 or last.text or self._in_block:
            raise self._unknown("a line that is not known", line)
        self._check_success(line, last.code, line)
        self._results[last.function] = self._last = Result(last.function, last.code, line)

    def _unknown(self, why: str, line: str = "") -> Exception:
        return unknown(TOOL, self._verb, why, line)


def _plain(function: str) -> str:
    """A function's name as all builds have it: Cfm3LoginHSM, Cfm2UnWrapKey5 -> LoginHSM, UnWrapKey."""
    return re.sub(r"^Cfm\d|\d$", "", function)
