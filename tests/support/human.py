"""A person who does the procedure by hand in a shell that is being recorded, wrong keys and all.

Two clients are one machine here; every tool is emulated. What the person types was read off the screen.
"""

from __future__ import annotations

import os
import re
import select
import sys
import termios
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pexpect

if TYPE_CHECKING:
    from runs import World

PROMPT = "[op@client work]$ "
_LIMIT = 60
_ASCIINEMA = str(Path(sys.executable).with_name("asciinema"))  # of this environment, which need not be on the PATH
RECORDERS = {
    "script": lambda file: ["script", "-q", "-c", "bash --rcfile rc -i", str(file)],
    "asciinema": lambda file: [_ASCIINEMA, "rec", "-q", "-c", "bash --rcfile rc -i", str(file)],
}


class Person:
    """At a shell with 100 columns. Every method ends at the prompt that it waited for."""

    def __init__(self, world: World, recorder: str, file: Path) -> None:
        self._pin, self._password = world.secrets()
        self._bin = world.directory / "bin"
        work = world.directory / "work"
        work.mkdir(exist_ok=True)
        (work / "rc").write_text(f"PS1='{PROMPT}'\n")
        program, *words = RECORDERS[recorder](file)
        environment = os.environ | {"TERM": "xterm", "LC_ALL": "C.UTF-8", "HISTFILE": "/dev/null"}
        self.child: Any = pexpect.spawn(
            program, words, cwd=str(work), env=environment, timeout=_LIMIT, encoding="utf-8", dimensions=(40, 100)
        )
        self.child.delaybeforesend = self.child.delayafterread = None
        self._shell()
        # The recorder's own terminal is raw: whether a tool hides what is typed, its own terminal tells.
        found = re.search(r"/dev/pts/\d+", self.run("tty"))
        assert found
        self._terminal = os.open(found[0], os.O_RDWR | os.O_NOCTTY)

    def run(self, line: str) -> str:
        """A command at the shell, to its end."""
        self.child.sendline(line)
        return self._shell()

    def end(self) -> None:
        os.close(self._terminal)  # or its end would not be seen by the recorder
        self.child.sendline("exit")
        self.child.expect(pexpect.EOF)
        self.child.close()

    def ask(self, line: str, *, until: str = r"Command:  ") -> str:
        """A command at a tool's prompt."""
        self.child.sendline(line)
        return self._until(until)

    def log_in_to_cluster(self) -> None:
        self._start("key_mgmt_util", "Command:  ")
        # A slip of the fingers, taken back.
        self.ask("loginHSM -u CUU\x7f -s crypto_userx\x7f -hpswd", until="password: ")
        self._until_hidden()
        self.ask(self._password)

    def make_pair(self) -> tuple[str, str]:
        """Handles of the public and the private half."""
        made = self.ask("genRSAKeyPair -m 2048 -e 65537 -l classic_wrap -nex")
        found = re.search(r"public key handle: (\d+)\s+private key handle: (\d+)", made)
        assert found, made
        self.ask(f"getAttribute -o {found[2]} -a 512 -out private.txt")
        self.ask(f"exportPubKey -k {found[1]} -out wrapping_public.pem")
        return found[1], found[2]

    def import_key(self, slot: str = "0") -> str:
        """The handle that cmu tells."""
        self.run(f"{self._bin}/vtl listSlots")
        self._cmu(f"import -slot={slot} -inputFile=wrapping_public.pem -label=classic_wrap -pubkey=rsa")
        self.run("ls -l")
        listed = self._cmu(f"list -slot={slot}")
        found = re.search(r"handle=(\d+)\s+label=classic_wrap", listed)
        assert found, listed
        return found[1]

    def start_ckdemo(self, slot: str = "0") -> None:
        self._start("ckdemo", _CHOICE)
        self.choose("12", slot)
        self.choose("1", slot, "1")
        self.choose("3", "1", then="Enter PIN: ")
        self._until_hidden()
        self.ask(self._pin, until=_CHOICE)

    def allow_wrapping(self, handle: str) -> None:
        shown = self.choose("25", handle, "1", then="Select which one: ")
        number = re.search(r"(\d+) - CKA_WRAP\b", shown)
        assert number, shown
        self.ask(number[1], until="value: ")
        self.ask("1", until="Accept Template ")
        self.ask("0", until=_CHOICE)
        self.describe(handle)

    def describe(self, handle: str) -> str:
        return self.choose("27", handle)

    def wrap(self, wrapping: str, key: str) -> None:
        self.choose("60", "26", "0", wrapping, key)

    def unwrap(self, private: str, label: str, *more: str, kt: int = 31) -> None:
        """Also looks at what came of it."""
        fixed = f"-w {private} -m 8 -t 2 -noheader -l {label} -kc 4 -kt {kt}"
        made = self.ask(" ".join(("unWrapKey -f wrapped.key", fixed, *more)))
        found = re.search(r"Key Handle: (\d+)", made)
        assert found, made
        self.ask(f"getAttribute -o {found[1]} -a 512 -out new.txt")

    def choose(self, *answers: str, then: str = "") -> str:
        """A menu entry and the answers to its questions; the screen from the last answer on."""
        seen = ""
        for place, answer in enumerate(answers):
            last = place == len(answers) - 1
            seen = self.ask(answer, until=(then or _CHOICE) if last else _QUESTION)
        return seen

    def leave(self, line: str) -> None:
        """A tool by its own exit."""
        self.child.sendline(line)
        self._shell()

    def _cmu(self, words: str) -> str:
        self.child.sendline(f"{self._bin}/cmu {words}")
        self._until(r"token in slot \d+ ?: ")
        self._until_hidden()
        return self.run(self._pin)

    def _start(self, tool: str, until: str) -> None:
        self.child.sendline(f"{self._bin}/{tool}")
        self._until(until)

    def _until_hidden(self) -> None:
        limit = time.monotonic() + _LIMIT
        while termios.tcgetattr(self._terminal)[3] & termios.ECHO:
            assert time.monotonic() < limit, "what is typed is shown"
            select.select([], [], [], 0.005)

    def _shell(self) -> str:
        return self._until(re.escape(PROMPT))

    def _until(self, pattern: str) -> str:
        self.child.expect(pattern)
        return str(self.child.before)


_CHOICE = r"Enter your choice : "
_QUESTION = "|".join(
    (
        r"Select a slot: ",
        r"audit user\[2\]\? ",
        r"Audit User \[3\]: ",
        r"Enter PIN: ",
        r"Close all sessions\[1\]: ",
        r"to list available objects\) : ",
        r"Accept Template ",
        r"\[31\]AES-KWP\s+",  # the table of mechanisms ends without a prompt
        r"\[0 for none\]: ",
    )
)
"""What ckdemo 7 asks next, each to its end: nothing is typed into the middle of a screen."""
