"""Keyferry killed while the destination's tool is at a command that it does late, whatever becomes of its terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from killed import killed
from undisturbed import migration

if TYPE_CHECKING:
    from runs import World

_AT_COMMAND = """
import os, select, signal, sys
from pathlib import Path
from keyferry.emulator.store import Store
from keyferry.terminal import process
from keyferry.terminal.console import Console
world, word, hidden, say = sys.argv.pop(1), sys.argv.pop(1), sys.argv.pop(1), Console.say
def said(self, line, **how):
    say(self, line, **how)
    if line.startswith(word):
        while not Store(Path(world)).rows("SELECT 1 FROM fault WHERE name = 'deaf' AND fired = 1"):
            select.select([], [], [], 0.01)
        os.kill(os.getpid(), signal.SIGKILL)
Console.say = said
if hidden == "hidden":
    process.find = lambda _shell, _pid: process.UNKNOWN
from keyferry.cli.__main__ import main
main()
"""
COMMANDS = {
    "key_mgmt_util": {"unwrap": ("unWrapKey", "unWrapKey -f"), "generate": ("genRSAKeyPair", "genRSAKeyPair -m")},
    "cloudhsm-cli": {
        "unwrap": ("key-unwrap-rsa-oaep", "key unwrap"),
        "generate": ("key-generate-asymmetric-pair-rsa", "key generate-asymmetric-pair"),
    },
}
"""By tool and act: the verb of its fault, and how the line begins that is typed."""


def killed_while_deaf(world: World, tool: str, act: str = "unwrap", *, hidden: bool = False, nth: int = 1) -> None:
    """Migrate, and die as soon as the tool is at this command. hidden: its process cannot be seen."""
    verb, word = COMMANDS[tool][act]
    world.arm(tool, "deaf", verb, nth)
    arguments = [world.directory, word, "hidden" if hidden else "seen", *migration(world)]
    assert killed(world, _AT_COMMAND, arguments)
