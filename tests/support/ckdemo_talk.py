from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import pexpect

from keyferry.emulator.classic.hsm import Hsm
from keyferry.emulator.classic.object_store import SCHEMA
from keyferry.emulator.classic.objects import AES, rsa_public_key, secret_key
from keyferry.emulator.classic.roles import set_pin
from keyferry.emulator.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from keyferry.emulator.classic.session import Session

PIN = "correct-horse-1"
LONG_PROMPT = "Enter your choice : "
PROMPT = "Enter your choice (99 for help): "
_LAUNCH = """
import sys
from pathlib import Path
from keyferry.emulator.classic.ckdemo import tool
from keyferry.emulator.store import Store
sys.exit(tool.main(Store(Path(sys.argv[1])), sys.argv[2:]))
"""


@dataclass(frozen=True, slots=True)
class World:
    """An emulated HSM of one or more partitions, all with the same PIN."""

    directory: Path
    store: Store

    @classmethod
    def make(cls, directory: Path, luna: str, *, partitions: int = 1, jitter: str = "") -> World:
        directory.mkdir()
        store = Store.create(directory)
        store.script(SCHEMA)
        store.set("luna", luna)
        store.set("jitter", jitter)
        for partition in range(1, partitions + 1):
            label, serial = f"par{partition}", f"15690804{partition}"
            store.run("INSERT INTO luna_partition VALUES (?, ?, ?)", partition, label, serial)
            set_pin(store, partition, "CO", PIN.encode())
        return cls(directory, store)

    def session(self) -> Session:
        """A session of the test's own with the first partition, logged in."""
        hsm = Hsm(Store(self.directory), "test")
        session = hsm.open(hsm.slots()[0].number)
        session.login("CO", PIN.encode())
        return session

    def add(self, attributes: Mapping[str, bytes]) -> int:
        return self.session().create(attributes)

    def add_key(self, value: bytes, key_type: bytes = AES, **changes: bytes) -> int:
        extra = {f"CKA_{name}": setting for name, setting in changes.items()}
        return self.add(secret_key(key_type, value) | {"CKA_LABEL": b"key"} | extra)

    def add_rsa(self, modulus: int, **changes: bytes) -> int:
        extra = {f"CKA_{name}": setting for name, setting in changes.items()}
        half = rsa_public_key(modulus.to_bytes(256, "big"), b"\x01\x00\x01")
        return self.add(half | {"CKA_LABEL": b"classic_wrap"} | extra)


class Talk:
    """A conversation with an emulated ckdemo on a pty of its own; carriage returns are left out."""

    def __init__(self, world: World, cwd: Path, *argv: str, echo: bool = False) -> None:
        arguments = ["-c", _LAUNCH, str(world.directory), *argv]
        self.child = pexpect.spawn(sys.executable, arguments, cwd=str(cwd), echo=echo, timeout=20)
        self.child.delaybeforesend = None
        self.child.setwinsize(50, 500)
        self.first_slot = {"5": "1", "7": "0"}[world.store.setting("luna")]
        self.menu = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.child.close(force=True)

    def hear(self, end: str) -> str:
        """All up to and with `end`."""
        self.child.expect_exact(end.replace("\n", "\r\n").encode())
        return self._text(self.child.before) + end

    def say(self, line: str, end: str) -> str:
        self.child.sendline(line)
        return self.hear(end)

    def rest(self) -> str:
        """All up to the end of the process."""
        self.child.expect(pexpect.EOF)
        self.child.close()
        return self._text(self.child.before)

    def quiet(self) -> Self:
        """Switch the menu off: it stands between the answers otherwise. Numbers come from the menu."""
        self.menu = self.hear(LONG_PROMPT)
        screen = self.say("98", "Enter option to change: ")
        self.say(found(r"(\d+) - Display Help", screen), "Enter option to change: ")
        self.say("0", PROMPT)
        return self

    def choose(self, name: str, end: str) -> str:
        return self.say(found(rf"\( ?(\d+)\) +{re.escape(name)}\b", self.menu), end)

    def log_in(self, pin: str = PIN) -> str:
        """Open a session with the first partition and log in; gives what follows the PIN."""
        self.child.sendline(found(r"\( ?(\d+)\) +Open Session", self.menu))
        if self.child.expect([rb"user\[1\]", rb"Select a slot: "]):
            self.say(self.first_slot, "user[1]")
        self.say("1", PROMPT)
        self.choose("Login", "rypto")
        self.child.sendline("1")
        self.child.expect(rb"(PIN|password): ")
        return self.say(pin, PROMPT)

    @staticmethod
    def _text(seen: object) -> str:
        assert isinstance(seen, bytes)
        return seen.decode().replace("\r", "")


def found(pattern: str, screen: str) -> str:
    match = re.search(pattern, screen)
    assert match is not None, f"{pattern} is not on {screen!r}"
    return match[1]
