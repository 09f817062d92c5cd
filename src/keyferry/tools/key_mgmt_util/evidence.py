"""What a recording of key_mgmt_util proves about keys."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from keyferry.pkcs11 import DestinationHandle
from keyferry.tools.endpoints import Coverage, KeySharing
from keyferry.tools.evidence import Exchange, Exchanges, number_of, value_of
from keyferry.tools.key_mgmt_util.attributes import attributes
from keyferry.tools.key_mgmt_util.destination import described
from keyferry.tools.key_mgmt_util.screens import common, keys

if TYPE_CHECKING:
    from keyferry.tools.evidence import Facts
    from keyferry.tools.key_mgmt_util.result import Outcome


class KmuEvidence(Exchanges):
    """Reads the answers of one session, and the attribute files that it wrote."""

    def __init__(self, facts: Facts) -> None:
        super().__init__(self._answer)
        self._facts = facts
        self._logged_in: set[int] = set()

    def _answer(self, turn: Exchange) -> None:
        words = turn.line.split()
        if words[1:] == ["-h"]:
            return
        match words[0]:
            case "loginHSM":
                self._facts.logged_in_as(value_of(words, "-s"))
                self._logged_in = set(_nodes(common.login(_after_question(turn.text)).outcome))
            case "genRSAKeyPair":
                if pair := keys.key_pair(turn.text).fields:
                    label, bits = value_of(words, "-l"), number_of(value_of(words, "-m"))
                    self._facts.pair_made(pair.public, pair.private, label, bits)
            case "unWrapKey":
                self._unwrapped(words, turn.text)
            case "findSingleKey":
                outcome = common.find_single_key(turn.text).outcome
                nodes = _nodes(outcome)
                whole = outcome.failure is None and bool(self._logged_in) and self._logged_in <= set(nodes)
                self._facts.covered(number_of(value_of(words, "-k")), Coverage(nodes), whole=whole)
            case "getAttribute":
                self._described(words, turn)
            case "getKeyInfo":
                if info := common.key_info(turn.text).fields:
                    sharing = KeySharing(tuple(map(str, info.shared)), info.approvers)
                    self._facts.held(number_of(value_of(words, "-k")), sharing)

    def _unwrapped(self, words: list[str], text: str) -> None:
        answer = keys.unwrapped(text)
        if answer.fields is not None:
            wrapping_key = number_of(value_of(words, "-w"))
            whole = answer.outcome.failure is None
            self._facts.unwrapped(value_of(words, "-f"), wrapping_key, answer.fields, whole=whole)

    def _described(self, words: list[str], turn: Exchange) -> None:
        dump = common.dump(turn.text)
        for file in turn.files:
            if file.name == value_of(words, "-out") and file.data is not None and dump.outcome.failure is None:
                found = attributes(file.data.decode("utf-8", "surrogateescape"))
                self._facts.described(described(DestinationHandle(number_of(value_of(words, "-o"))), found))


def _after_question(text: str) -> str:
    """The answer to loginHSM from its result on: a site's client may ask for the password in its own words."""
    result = re.search(r"(?m)^[ \t]*Cfm\d", text)
    return text[result.start() :] if result else text


def _nodes(outcome: Outcome) -> tuple[int, ...]:
    return tuple(node.id for node in outcome.nodes if node.code == 0)
