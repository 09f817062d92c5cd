"""A host that adds words of its own to every command, and a way to it that fails: what an operator sees."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from records import both_say
from runs import World, keyferry

if TYPE_CHECKING:
    from pathlib import Path

LOADER = "env LD_PRELOAD=/nonexistent/x.so"
UNKNOWN = """\
No ED25519 host key is known for hsm and you have requested strict checking.
Host key verification failed."""
CHANGED = """\
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!
Someone could be eavesdropping on you right now (man-in-the-middle attack)!
It is also possible that a host key has just been changed.
The fingerprint for the ED25519 key sent by the remote host is
SHA256:bO3zyWNQvW0NuyuZhYyXEBDBAm8UYuwN7zZqEa6SIl4.
Please contact your system administrator.
Add correct host key in /home/op/.ssh/known_hosts to get rid of this message.
Offending ED25519 key in /home/op/.ssh/known_hosts:3
Host key for hsm has changed and you have requested strict checking.
Host key verification failed."""
REVOKED = "Host key ED25519 SHA256:abc revoked by file /etc/ssh/revoked\nHost key verification failed."
ART = """\
Host key fingerprint is SHA256:bO3zyWNQvW0NuyuZhYyXEBDBAm8UYuwN7zZqEa6SIl4
+--[ED25519 256]--+
|   .o=*BB+o.     |
|    ..+=.+ .     |
|     o. +   .    |
|    . .. . . .   |
|       .S . . .  |
|      . .. . o  .|
|     . .. o . oE.|
|    o.o  o o oo= |
|     =o.  o.o+*OB|
+----[SHA256]-----+
"""


def _ssh(folder: Path, script: str) -> dict[str, str]:
    """The environment in which the Classic host is reached by a program in the place of ssh."""
    (folder / "front").mkdir()
    (folder / "front/ssh").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "front/ssh").chmod(0o755)
    return {"PATH": f"{folder / 'front'}:{os.environ['PATH']}", "KEYFERRY_SOURCE_HOST": "hsm"}


def _migrate(folder: Path, script: str) -> tuple[int, str]:
    world = World.create(folder / "hsm", keys=1)
    done = world.migrate("--source-bin", str(world.directory / "bin"), **_ssh(folder, script))
    return done.status, done.err


def test_a_word_of_the_loader_on_every_command_changes_nothing(tmp_path: Path) -> None:
    world = World.create(tmp_path / "hsm", keys=3)
    both = {"KEYFERRY_SOURCE_PREFIX": LOADER, "KEYFERRY_DESTINATION_PREFIX": LOADER}
    done = world.migrate(**both)
    assert done.status == 0, done.err
    both_say("complete", world.directory / "run")
    looked = keyferry("doctor", "--config", world.config, **world.environment | both)
    assert looked.status == 0, looked.out


@pytest.mark.parametrize(
    ("said", "state", "advice", "never"),
    [
        (UNKNOWN, "is not known", "add the key", "do not connect"),
        (CHANGED, "has changed", "do not connect", "add the key"),
        (REVOKED, "is revoked", "must not be used", "add the key"),
    ],
)
def test_a_host_key_that_ssh_refuses(tmp_path: Path, said: str, state: str, advice: str, never: str) -> None:
    (tmp_path / "said").write_text(ART + said)
    status, told = _migrate(tmp_path, f"cat '{tmp_path}/said' >&2; exit 255")
    assert status == 9, told
    assert f"the source host cannot be reached: its ssh host key {state}" in told
    assert advice in told
    assert never not in told
    assert "Host key verification failed" in told
    assert "nothing was changed" in told
    assert "[ED25519 256]" not in told


LATER = r"""
eval "last=\${$#}"
n=0
while [ $n -lt 3 ] && IFS= read -r line; do printf '%s\n' "$line"; n=$((n + 1)); done | /bin/sh -c "$last"
"""
"""The way to the host, which ends behind the third question."""


@pytest.mark.parametrize(
    ("then", "what"), [("", "cannot be reached"), (LATER, "the connection to the source host was lost")]
)
@pytest.mark.parametrize("end", ["", "client_loop: send disconnect: Broken pipe"])
def test_a_lost_connection_is_told_without_the_picture_of_the_host_key(
    tmp_path: Path, then: str, what: str, end: str
) -> None:
    """Also where the picture is the last thing that ssh printed."""
    (tmp_path / "said").write_text(ART + end)
    status, told = _migrate(tmp_path, f"cat '{tmp_path}/said' >&2\n{then}exit 255")
    assert status == 9, told
    assert what in told
    assert end in told
    for piece in ("ED25519 256", "[SHA256]", ".o=*BB", "fingerprint is"):
        assert piece not in told
