"""Signatures over a run's head, by people in their roles (recording/FORMAT.md)."""

from __future__ import annotations

import hashlib
import re
import tempfile
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from keyferry.errors import UsageError
from keyferry.recording.chain_reader import wrong
from keyferry.run import ssh_signatures
from keyferry.run.manifest import SIGNATURES
from keyferry.run.ssh_signatures import Signer
from keyferry.run.unbegun import temporaries
from keyferry.terminal.host import write_private

if TYPE_CHECKING:
    from collections.abc import Sequence

_DIGITS = 16  # of a signature's own hash in its file's name


class Role(StrEnum):
    """As what somebody signs."""

    OPERATOR = "operator"
    WITNESS = "witness"
    APPROVER = "approver"


_NAME = re.compile(rf"{SIGNATURES}/({'|'.join(Role)})-([0-9a-f]{{{_DIGITS}}})\.sig")


@dataclass(frozen=True, slots=True)
class Signed:
    """A valid signature: as what, by whom, and over which head of the run."""

    role: str
    signer: Signer
    head: str


def message(role: str, head: str) -> bytes:
    """What is signed: one line, so that a signature of one role is none of another."""
    return f"{ssh_signatures.NAMESPACE} {role} {head}\n".encode()


def sign(run: Path, head: str, role: Role, key: Path) -> Path:
    """Sign a run's head into its folder; UsageError where ssh-keygen refuses, or this key has signed already."""
    with tempfile.TemporaryDirectory(prefix="keyferry-") as folder:
        file = Path(folder) / "head"
        file.write_bytes(message(role, head))
        data = ssh_signatures.sign(file, key).read_bytes()
    target = run / SIGNATURES / f"{role}-{hashlib.sha256(data).hexdigest()[:_DIGITS]}.sig"
    if target.exists():
        raise UsageError(f"{target} is there already", hint="this key has signed this run in this role")
    try:
        target.parent.mkdir(mode=0o700, exist_ok=True)
        for left in temporaries(target.parent):
            left.unlink()
        write_private(target, data)
        target.chmod(0o400)
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror}") from error
    return target


def check_name(run: Path, name: str) -> str:
    """The role of a signature's file, whose name holds its own hash; MismatchError where it is another file."""
    match = _NAME.fullmatch(name)
    if match is None or hashlib.sha256((run / name).read_bytes()).hexdigest()[:_DIGITS] != match[2]:
        raise wrong(name, None, "not as it was signed")
    return match[1]


def valid(run: Path, heads: Sequence[str], names: Sequence[str]) -> list[Signed]:
    """Every signature of a run, each valid over one of its heads, by a key of which nobody says whose it is (principal
    ""). heads: the present one and those of earlier states.

    MismatchError where one is not of this run. UnreachableError where there is no ssh-keygen.
    """
    found = []
    for name in names:
        role = check_name(run, name)
        told = ((head, ssh_signatures.fingerprint(message(role, head), run / name)) for head in heads)
        head, fingerprint = next((one for one in told if one[1] is not None), ("", None))
        if fingerprint is None:
            raise wrong(name, None, f"not a signature of this run's head as {role}")
        found.append(Signed(role, Signer("", fingerprint), head))
    return found


def signed(run: Path, heads: Sequence[str], names: Sequence[str], allowed: Path) -> list[Signed]:
    """Every signature of a run, each valid and of somebody whom the list allows; MismatchError where one is not."""
    found = []
    for one, name in zip(valid(run, heads, names), names, strict=True):
        signer = ssh_signatures.signer(message(one.role, one.head), run / name, allowed)
        if signer is None:
            key = one.signer.fingerprint
            raise wrong(name, None, f"a valid signature, but by a key that {allowed} lets nobody sign with: {key}")
        found.append(Signed(one.role, signer, one.head))
    if not found:
        raise wrong(SIGNATURES, None, "nobody has signed this run")
    return found
