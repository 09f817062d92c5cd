"""The driver of key_mgmt_util under answers that the emulator does not give: a small program in the tool's place."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from keyferry.errors import NeedsOperatorError, UnknownScreenError
from keyferry.pkcs11 import DestinationHandle
from keyferry.terminal.host import LocalHost
from keyferry.terminal.sessions import Sessions
from keyferry.tools.key_mgmt_util.driver import KeyMgmtUtil
from keyferry.tools.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOOL = """
ANSWERS = {answers!r}
sys.stdout.write("{start}Command:  ")
for line in iter(sys.stdin.readline, "exit\\n"):
    answer = ANSWERS.get(line.strip(), "")
    sys.stdout.write(answer + ("" if answer.endswith("(0 or 1):") else "\\nCommand:  "))
    sys.stdout.flush()
"""
START = "Cfm3Initialize() returned app id : 01000000 \\n\\tsession_handle 1 \\n\\tCurrent FIPS mode is: 00000002\\n"
OK, DENIED = "HSM Return: SUCCESS", "HSM Error: Key Access is denied"
HALF = (
    "\n\t{} returned: 0xc6 \n\n\tHSM Error: Key Access is denied\n\n\tCluster Status:\n"
    f"\tNode id 4 status: 0x00000000 : {OK}\n\tNode id 1 status: 0x000000c6 : {DENIED}\n"
)
SET = "setAttribute -o 7 -a 1"
QUESTION = "\t\tThis attribute is defined as a boolean value.\n\t\tEnter the boolean attribute value (0 or 1):"
CHANGED = f"\n\tCfm3SetAttribute returned: 0x00 : {OK}\n\n\tCluster Status:\n\tNode id 4 status: 0x00000000 : {OK}\n"
KEY = DestinationHandle(7)


class Place:
    """Where a tool with answers of our own is started."""

    def __init__(self, directory: Path, host: LocalHost) -> None:
        self._directory = directory
        self._host = host
        self.sessions = Sessions(directory, "run", [])

    def open(self, answers: dict[str, str]) -> KeyMgmtUtil:
        tool = self._directory / "key_mgmt_util"
        script = TOOL.format(answers=answers, start=START)
        tool.write_text(f"#!{sys.executable} -IS\nimport sys\n{script}")
        tool.chmod(0o755)
        return KeyMgmtUtil.open(self.sessions, self._host, Limits(answer=20))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with LocalHost("here", tmp_path) as host:
        made = Place(tmp_path, host)
        yield made
        made.sessions.close()


def _asking(answer: str) -> dict[str, str]:
    """Without a newline left over: the value's line is read whole, so one prompt follows, not two."""
    return {SET: QUESTION, "1": answer}


def test_a_value_after_which_the_prompt_comes_once(place: Place) -> None:
    tool = place.open(
        _asking(CHANGED) | {"findKey": f"\n\tTotal number of keys present: 0\n\n\tCfm3FindKey: 0x00 : {OK}\n"}
    )
    tool.set_attribute(KEY, value=True)
    assert tool.find_keys() == ()


def test_an_attribute_that_some_nodes_changed_needs_an_operator(place: Place) -> None:
    with pytest.raises(NeedsOperatorError) as error:
        place.open(_asking(HALF.format("Cfm3SetAttribute"))).set_attribute(KEY, value=True)
    assert "attribute 1 of key 7 was set to 1" in str(error.value.keys)
    assert "4: done, 1: 0xc6" in str(error.value.keys)


def test_a_key_that_some_nodes_deleted_needs_an_operator(place: Place) -> None:
    with pytest.raises(NeedsOperatorError) as error:
        place.open({"deleteKey -k 7": HALF.format("Cfm3DeleteKey")}).delete_key(KEY)
    assert (error.value.rule, "key 7 was deleted" in str(error.value.keys)) == ("CLUSTER-COVERAGE", True)


def test_a_deletion_that_one_busy_node_refused_is_not_typed_again(place: Place) -> None:
    busy = "HSM Error: HSM is already busy generating the keys(or random bytes) for another request."
    text = HALF.format("Cfm3DeleteKey").replace("0xc6", "0xbb").replace("0x000000c6", "0x000000bb")
    tool = place.open({"deleteKey -k 7": text.replace(DENIED, busy)})
    with pytest.raises(NeedsOperatorError):
        tool.delete_key(KEY)
    assert place.sessions.count() == 1


def test_success_without_the_question_is_not_understood(place: Place) -> None:
    with pytest.raises(UnknownScreenError, match="without a question"):
        place.open({SET: CHANGED}).set_attribute(KEY, value=True)


def test_the_meaning_of_another_code_is_not_taken(place: Place) -> None:
    tool = place.open({"Error2String -r 0xa8": f"\n\tError Code c6 maps to {DENIED}\n"})
    with pytest.raises(UnknownScreenError, match="0xa8 and told of 0xc6"):
        tool.error_to_string(0xA8)
