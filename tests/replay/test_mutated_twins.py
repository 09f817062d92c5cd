"""Each recording has twins with one thing changed; a twin fails at that line, and says no more than farewell."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from test_recordings import RECORDINGS, replay

from keyferry.errors import Exit
from longer import LONG

if TYPE_CHECKING:
    from pathlib import Path

INPUTS = ("i", "s")
FAREWELLS = {"0\r", "logoutHSM\r", "exit\r", "logout", "quit", "\r"}
NODE = r"(Node id \d+ (?:status:|and err state) )0x00000000 : HSM Return: SUCCESS"
REFUSED = "0x000000b3 : HSM Error: This operation violates the current configured/FIPS policies"


UNKNOWN = (Exit.UNKNOWN_SCREEN,)
UNSURE = (Exit.NEEDS_OPERATOR, Exit.UNKNOWN_SCREEN)
NEXT = r"\{\s+"


@dataclass(frozen=True, slots=True)
class Twin:
    """One change: in the `nth` output of the tool that fits `pattern`. ends: the exit codes that are right.

    later: how many inputs come before the changed number is typed, and found wrong by the recording.
    """

    tool: str
    pattern: str
    replacement: str
    ends: tuple[Exit, ...]
    nth: int = 1
    later: int | None = None


TWINS = {
    "vtl-serial": Twin("vtl", r"(\d{9})(\s+Present)", r"9\1\2", (Exit.CHECK_FAILED, Exit.UNKNOWN_SCREEN)),
    "vtl-count": Twin("vtl", r"Number of slots: (\d+)", r"Number of slots: 9", (Exit.UNKNOWN_SCREEN,)),
    "ckdemo-prompt": Twin("ckdemo", "Enter your choice", "Enter your chioce", (Exit.UNKNOWN_SCREEN,), nth=4),
    "ckdemo-login-role": Twin("ckdemo", "Crypto.Officer", "Crypto-Offizier", (Exit.UNKNOWN_SCREEN,)),
    "ckdemo-serial": Twin("ckdemo", r"Serial Number -> ", "Serial Number -> 9", (Exit.CHECK_FAILED,)),
    "ckdemo-mechanism": Twin(
        "ckdemo", r"\[ ?2[56]\](?=RSA_OAEP)", "[99]", (Exit.UNKNOWN_SCREEN, Exit.UNREACHABLE), later=0
    ),
    "ckdemo-menu-number": Twin(
        "ckdemo", r"\(60\)(?= +Wrap)", "(61)", (Exit.UNKNOWN_SCREEN, Exit.UNREACHABLE), later=-1
    ),
    "ckdemo-status": Twin("ckdemo", r"no errors \(CKR_OK\)", "no errors (CKR_FINE)", (Exit.UNKNOWN_SCREEN,), nth=6),
    "ckdemo-modulus": Twin("ckdemo", r"CKA_MODULUS=(\w{8})", "CKA_MODULUS=00000000", (Exit.MISMATCH,), nth=3),
    "cmu-prompt": Twin("cmu", "Please enter password", "Please enter pasword", (Exit.UNKNOWN_SCREEN,)),
    "cmu-slot": Twin("cmu", r"token in slot \d+", "token in slot 7", (Exit.CHECK_FAILED,)),
    "kmu-prompt": Twin("key_mgmt_util", r"Command:  ", "Comand:  ", (Exit.UNKNOWN_SCREEN,), nth=5),
    "kmu-login-node": Twin("key_mgmt_util", NODE, rf"\g<1>{REFUSED}", (Exit.CHECK_FAILED,)),
    "kmu-unwrap-node": Twin(
        "key_mgmt_util", rf"(Key Unwrapped.*?){NODE}", rf"\g<1>\g<2>{REFUSED}", (Exit.NEEDS_OPERATOR,)
    ),
    "kmu-unwrap-result": Twin(
        "key_mgmt_util", r"(UnWrapWith\w+ returned: )0x00", r"\g<1>0x1b", (Exit.NEEDS_OPERATOR, Exit.UNKNOWN_SCREEN)
    ),
    "kmu-handle": Twin(
        "key_mgmt_util",
        r"(Key Unwrapped\.\s+Key Handle: )\d+",
        r"\g<1>99",
        (Exit.NEEDS_OPERATOR, Exit.UNKNOWN_SCREEN, Exit.UNREACHABLE),  # the question after it finds another key
        later=-1,
    ),
    "cli-prompt": Twin("cloudhsm-cli", "aws-cloudhsm > ", "aws-cludhsm > ", UNKNOWN, nth=4),
    "cli-login-role": Twin(
        "cloudhsm-cli", rf'("data": {NEXT}"username": "\w+",\s+"role": ")crypto-', r"\g<1>", UNKNOWN
    ),
    "cli-error-code": Twin("cloudhsm-cli", rf'"error_code": 0(?=,\s+"data": {NEXT}"key")', '"error_code": 1', UNSURE),
    "cli-twice": Twin("cloudhsm-cli", rf'("error_code": 0,)(?=\s+"data": {NEXT}"key")', r"\g<1>\g<1>", UNSURE),
    "cli-unwrap-coverage": Twin(
        "cloudhsm-cli",
        rf'("data": {NEXT}"key": .*?"cluster-coverage": )"full"',
        r'\g<1>"half"',
        (Exit.NEEDS_OPERATOR, Exit.UNREACHABLE),  # the HSMs are listed after it
        later=-1,
    ),
    "cli-unwrap-reference": Twin(
        "cloudhsm-cli",
        rf'("data": {NEXT}"key": {NEXT}"key-reference": "0x)0',
        r"\g<1>f",
        (*UNKNOWN, Exit.UNREACHABLE, Exit.NEEDS_OPERATOR),  # as above
        later=-1,
    ),
    "cli-extractable": Twin(
        "cloudhsm-cli", r'("class": "private-key".*?"extractable": )false', r"\g<1>true", (Exit.MISMATCH,), nth=3
    ),
}


SOURCE = ("vtl", "cmu", "ckdemo")


def _is_new(recording: Path, tool: str, number: int) -> bool:
    """Each tool's texts are the same whatever stands on the other side. Of the two recordings that have such a tool
    of the cluster one is enough for each twin; the long form takes both.
    """
    if tool in SOURCE:
        return recording.name.endswith("g2")
    return (recording / f"001-{tool}.cast").exists() and (LONG or number % 2 == recording.name.startswith("luna-7"))


PAIRS = [
    pytest.param(recording, twin, id=f"{recording.name}-{name}")
    for recording in RECORDINGS
    for number, (name, twin) in enumerate(TWINS.items())
    if _is_new(recording, twin.tool, number)
]


@pytest.mark.parametrize(("recording", "twin"), PAIRS)
def test_a_mutated_twin_fails_at_its_line(recording: Path, twin: Twin, tmp_path: Path) -> None:
    changed = tmp_path / "twin"
    shutil.copytree(recording, changed)
    session, line = _change(changed, twin)
    result = replay(changed, tmp_path / "r", answer=3)
    assert result.error is not None
    assert result.exit_code in twin.ends, (result.error.what, result.error.seen)
    typed = _inputs((tmp_path / "r" / "run" / "sessions" / session.name).read_text().splitlines())
    before = _inputs(session.read_text().splitlines()[: line - 1])
    if twin.later is None:
        assert set(typed[len(before) :]) <= FAREWELLS
    else:
        told = re.search(r"REPLAY: line (\d+) of", (tmp_path / "r" / "run" / "sessions" / session.name).read_text())
        assert told is not None
        assert int(told[1]) > line
        assert twin.later < 0 or len(typed) == len(before) + twin.later + 1


def _change(folder: Path, twin: Twin) -> tuple[Path, int]:
    """Change the twin's one thing; gives the session and the line (from 1) where it stands."""
    left = twin.nth
    for session in sorted(folder.glob(f"*-{twin.tool}.cast")):
        lines = session.read_text().splitlines()
        for number, line in enumerate(lines[1:], start=2):
            at, code, data = json.loads(line)
            if code != "o" or not re.search(twin.pattern, data, re.DOTALL):
                continue
            left -= 1
            if left == 0:
                changed = re.sub(twin.pattern, twin.replacement, data, count=1, flags=re.DOTALL)
                assert changed != data
                lines[number - 1] = json.dumps([at, code, changed])
                session.write_text("\n".join(lines) + "\n")
                return session, number
    raise AssertionError(f"{twin.pattern} does not stand {twin.nth} times in {folder}")


def _inputs(lines: list[str]) -> list[str]:
    events: list[Any] = [json.loads(line) for line in lines[1:]]
    return [event[2] for event in events if event[1] in INPUTS]
