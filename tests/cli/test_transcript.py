"""`keyferry transcript` at a real terminal."""

from __future__ import annotations

import sys
from pathlib import Path

import pexpect
import pytest

from runs import keyferry

CKDEMO = Path(__file__).parents[2] / "transcripts" / "luna-7_kmu-g2" / "003-ckdemo.cast"


def test_show_gives_one_step_and_refuses_one_that_is_not_there() -> None:
    done = keyferry("transcript", "show", CKDEMO, "--step", "4.5")
    assert done.status == 0
    assert done.out.count("\n== ") == 1
    refused = keyferry("transcript", "show", CKDEMO, "--step", "7.2")
    assert (refused.status, refused.out) == (2, "")
    assert "hint: it has 4.3" in refused.err


def test_play_without_a_terminal_writes_what_show_does() -> None:
    played = keyferry("transcript", "play", CKDEMO, "--speed", "1000")
    assert played.status == 0
    assert keyferry("transcript", "show", CKDEMO).out.endswith(played.out)


@pytest.mark.parametrize(("key", "status"), [("q", 0), ("\x03", 130)])
def test_a_key_stops_it_and_the_terminal_is_as_before(tmp_path: Path, key: str, status: int) -> None:
    slow = tmp_path / "slow.cast"
    slow.write_text('{"version": 2}\n[0, "o", "first\\u001b[2J"]\n[3600, "o", "second"]\n')
    arguments = ["-m", "keyferry.cli", "transcript", "play", str(slow)]
    with pexpect.spawn(sys.executable, arguments, timeout=30, encoding="utf-8") as child:
        child.expect_exact(r"first\x1b[2J")
        assert not child.getecho()
        child.send("x" + key)
        child.expect_exact(pexpect.EOF)
        assert "second" not in child.before
    assert child.exitstatus == status
