"""An installed pair of emulated HSMs, and runs of its tools, for tests."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import pexpect
import pytest

import forked
from keyferry.emulator import faults
from keyferry.emulator.classic.hsm import CkrError, Hsm
from keyferry.emulator.store import Store

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from keyferry.emulator.classic.hsm import Session

PASSWORD_PROMPT = "Please enter password for token in slot {} : "


@dataclass(frozen=True, slots=True)
class Place:
    """The directory that `install.create` filled."""

    directory: Path

    @property
    def store(self) -> Store:
        return Store(self.directory)

    @property
    def pin(self) -> str:
        return (self.directory / "secrets" / "pin").read_text()

    def session(self, slot: int | None = None) -> Session:
        """The test's own session, as crypto officer; with the first slot unless another is named."""
        hsm = Hsm(self.store, "test")
        session = hsm.open(hsm.slots()[0].number if slot is None else slot)
        session.login("CO", self.pin.encode())
        return session

    def arm(self, tool: str, fault: str, verb: str | None = None, nth: int = 1) -> None:
        faults.arm(self.store, tool, fault, verb, nth)

    def run(self, tool: str, *arguments: str, answers: str = "") -> subprocess.CompletedProcess[str]:
        """Without a terminal, all answers piped in at once."""
        return forked.execute([self.directory / "bin" / tool, *arguments], given=answers)

    def spawn(self, tool: str, *arguments: str) -> Any:
        """On a pty, as pexpect's child."""
        child = pexpect.spawn(str(self.directory / "bin" / tool), list(arguments), timeout=30, dimensions=(50, 500))
        child.delaybeforesend = child.delayafterread = None
        return child

    def cmu(self, *arguments: str, pin: str | None = None) -> tuple[str, int]:
        """What one call on a pty says after the password's stars, and its exit status."""
        child = self.spawn("cmu", *arguments)
        child.expect(r"Please enter password for token in slot \d+ ?: ")
        child.waitnoecho()
        child.sendline(self.pin if pin is None else pin)
        child.expect(r"\*+\r\n")
        return ended(child)


class MakePlace(Protocol):
    """Makes an emulated pair of HSMs of the test's own."""

    def __call__(self, luna: str = "7", keys: int = 10, jitter: str = "") -> Place: ...


def ended(child: Any) -> tuple[str, int]:
    """All up to the end, with `\\n` for `\\r\\n`, and the exit status."""
    child.expect(pexpect.EOF)
    child.close()
    return child.before.decode("utf-8", "surrogateescape").replace("\r\n", "\n"), int(child.exitstatus)


def handles(listing: str) -> dict[str, int]:
    """Label to handle of `cmu list`'s plain lines; the last one listed where labels are equal."""
    return {label: int(handle) for handle, label in re.findall(r"^handle=(\d+)\tlabel=(.*)$", listing, re.MULTILINE)}


def openssl(*arguments: str, data: bytes = b"") -> bytes:
    return subprocess.run(["openssl", *arguments], input=data, check=True, capture_output=True).stdout


def refused(ckr: str) -> AbstractContextManager[object]:
    """Expects a CkrError that ends in this name (or call and name)."""
    return pytest.raises(CkrError, match=f"{ckr}$")


def labelled(session: Session, label: str) -> int:
    """The handle of the one object with this label."""
    (found,) = session.find(template={"CKA_LABEL": label.encode()})
    return found.handle
