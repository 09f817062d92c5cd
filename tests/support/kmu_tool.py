"""key_mgmt_util of the emulator on a real pty, for tests."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pexpect

import forked
from keyferry.emulator import faults
from keyferry.emulator.cloudhsm.population import CloudAccess, populate
from keyferry.emulator.store import Store

TOOL = "key_mgmt_util"
_RUN = (
    "import sys; from pathlib import Path; from keyferry.emulator.store import Store;"
    "from keyferry.emulator.cloudhsm.key_mgmt_util.tool import main;"
    "sys.exit(main(Store(Path(sys.argv[1])), sys.argv[2:]))"
)
OK = "HSM Return: SUCCESS"
_OLD_NODES = "".join(f"\tNode id {node} and err state 0x00000000 : {OK}\n" for node in (0, 1))
_NEW_NODES = "".join(f"\tNode id {node} status: 0x00000000 : {OK}\n" for node in (0, 1))
BLOCK = {"g1": f"\n\tCluster Error Status\n{_OLD_NODES}", "g2": f"\n\tCluster Status:\n{_NEW_NODES}"}
PROMPT = r"\r\nCommand: {1,2}$"


class Cloud:
    """An emulated cluster in a directory, and runs of the tool over it."""

    def __init__(self, directory: Path, kmu: str = "g2", nodes: int = 2, jitter: str = "") -> None:
        self.directory = directory
        self.store = Store.create(directory)
        for name, value in (("kmu", kmu), ("nodes", str(nodes)), ("jitter", jitter)):
            self.store.set(name, value)
        self.access: CloudAccess = populate(self.store, nodes)

    @property
    def block(self) -> str:
        """The cluster block after success, on two nodes without jitter."""
        return BLOCK[self.store.setting("kmu")]

    def arm(self, fault: str, verb: str | None = None, nth: int = 1) -> None:
        faults.arm(self.store, TOOL, fault, verb, nth)

    def start(self) -> Tool:
        return Tool(self.spawn())

    def spawn(self, *argv: str) -> Any:
        command = ["-c", _RUN, str(self.directory), *argv]
        child: Any = pexpect.spawn(sys.executable, command, cwd=str(self.directory), timeout=30, dimensions=(50, 1000))
        child.delaybeforesend = child.delayafterread = None
        child.ptyproc.delayafterclose = child.ptyproc.delayafterterminate = 0
        return child

    def login(self) -> Tool:
        tool = self.start()
        tool.ask(f"loginHSM -u CU -s {self.access.user} -p {self.access.password}")
        return tool

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Without a terminal, as scripts use singlecmd."""
        with contextlib.chdir(self.directory):
            return forked.execute([sys.executable, "-c", _RUN, self.directory, *argv])


class Tool:
    """One conversation; the answers come with `\\n` for `\\r\\n` and without the prompt."""

    def __init__(self, child: Any) -> None:
        self.child = child
        self.banner = self.answer()

    def answer(self, prompt: str = PROMPT) -> str:
        self.child.expect(prompt)
        return str(self.child.before.decode("utf-8", "surrogateescape")).replace("\r\n", "\n")

    def ask(self, line: str, prompt: str = PROMPT) -> str:
        self.child.sendline(line)
        self.child.expect_exact(f"{line}\r\n")
        return self.answer(prompt)

    def end(self) -> int:
        self.child.sendline("exit")
        return self.ended()

    def ended(self) -> int:
        return exit_status(self.child)

    def make_pair(self, label: str = "wrap") -> tuple[int, int]:
        """Handles of the public and the private half."""
        text = self.ask(f"genRSAKeyPair -m 2048 -e 65537 -l {label} -nex")
        found = re.search(r"public key handle:\s*(\d+)\s+private key handle:\s*(\d+)", text)
        assert found, text
        return int(found[1]), int(found[2])

    def attribute(self, handle: int, number: int) -> str:
        """The value lines that getAttribute writes, joined."""
        self.ask(f"getAttribute -o {handle} -a {number} -out attribute.txt")
        path = Path(self.child.cwd) / "attribute.txt"
        return "".join(path.read_text().splitlines()[1:])


def result(function: str) -> str:
    """The result line of a success."""
    return f"\n\t{function} returned: 0x00 : {OK}\n"


def exit_status(child: Any) -> int:
    """Read to the end and reap; a signal's number is negative."""
    child.expect(pexpect.EOF)
    child.wait()
    child.close()
    return int(child.exitstatus if child.signalstatus is None else -child.signalstatus)


def unwrapped(text: str) -> int:
    found = re.search(r"Key Unwrapped\.\s+Key Handle:\s*(\d+)", text)
    assert found, text
    return int(found[1])


def wrap_with_openssl(value: bytes, pem: Path, blob: Path, digest: str = "sha1") -> None:
    options = ("-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", f"rsa_oaep_md:{digest}")
    command = ["openssl", "pkeyutl", "-encrypt", "-pubin", "-inkey", str(pem), *options, "-out", str(blob)]
    subprocess.run(command, input=value, check=True)


def check_value_by_openssl(value: bytes, cipher: str, block: int) -> str:
    command = ["openssl", "enc", f"-{cipher}", "-K", value.hex(), "-nopad"]
    done = subprocess.run(command, input=bytes(block), capture_output=True, check=True)
    return f"0x{done.stdout[:3].hex()}"
