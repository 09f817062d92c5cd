"""Detached signatures by the system's `ssh-keygen -Y` (SSHSIG): agents and hardware keys work as they are."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from keyferry.errors import UnreachableError, UsageError
from keyferry.text import last_lines

if TYPE_CHECKING:
    from pathlib import Path

NAMESPACE = "keyferry-run@v1"
"""What a signature is for: one made for anything else is none."""

_GOOD = re.compile(rb'Good "[^"]+" signature for .* with \S+ key (SHA256:\S+)')
_SOUND = re.compile(rb'Good "[^"]+" signature with \S+ key (SHA256:\S+)')
_PATTERN = set("*?!")


@dataclass(frozen=True, slots=True)
class Signer:
    """Whose key made a signature, as the list of allowed signers names it; fingerprint: `SHA256:...`."""

    principal: str
    fingerprint: str


def sign(file: Path, key: Path) -> Path:
    """Sign a file with a private key, or a public one whose private half an agent holds; writes FILE.sig.

    UsageError where ssh-keygen refuses, or FILE.sig is there already.
    """
    signature = file.with_name(file.name + ".sig")
    if signature.exists():
        raise UsageError(f"{signature} is there already", hint="move it away to sign again")
    done = _ssh_keygen("sign", "-f", str(key), "-n", NAMESPACE, str(file))
    if done.returncode != 0 or not signature.exists():
        raise UsageError(f"{file} could not be signed with {key}", seen=_said(done))
    return signature


def signer(data: bytes, signature: Path, allowed: Path) -> Signer | None:
    """The first principal that `allowed` (an ALLOWED SIGNERS file of ssh-keygen) names for a valid signature.

    None where the signature is not one of these data, or of nobody on the list.
    """
    for name in principals(signature, allowed):
        if found := signed_by(name, data, signature, allowed):
            return found
    return None


def principals(signature: Path, allowed: Path) -> tuple[str, ...]:
    """Everybody whom the list names for the signature's key; patterns name nobody. The data are not looked at."""
    _check_readable(allowed)
    done = _ssh_keygen("find-principals", "-s", str(signature), "-f", str(allowed))
    if done.returncode != 0:
        return ()
    names = dict.fromkeys(done.stdout.decode("utf-8", "replace").splitlines())
    return tuple(name for name in names if name and not _PATTERN & set(name))


def signed_by(principal: str, data: bytes, signature: Path, allowed: Path) -> Signer | None:
    """The signer, if the list lets `principal` sign with this key; patterns in the list count."""
    _check_readable(allowed)
    words = ("verify", "-f", str(allowed), "-I", principal, "-n", NAMESPACE, "-s", str(signature))
    done = _ssh_keygen(*words, data=data)
    good = _GOOD.match(done.stdout)
    return Signer(principal, good[1].decode()) if done.returncode == 0 and good else None


def fingerprint(data: bytes, signature: Path) -> str | None:
    """Whose key made a valid signature of these data, as `SHA256:...`; who that is nobody says. None: it is none.

    UnreachableError where there is no ssh-keygen.
    """
    done = _ssh_keygen("check-novalidate", "-n", NAMESPACE, "-s", str(signature), data=data)
    sound = _SOUND.match(done.stdout)
    return sound[1].decode() if done.returncode == 0 and sound else None


def _check_readable(path: Path) -> None:
    try:
        path.open("rb").close()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", hint="this is the list of allowed signers") from error


def _ssh_keygen(verb: str, *words: str, data: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(["ssh-keygen", "-Y", verb, *words], input=data, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise UnreachableError(
            "ssh-keygen is not there, so no signature can be made or checked",
            tool="ssh-keygen",
            hint="install OpenSSH's client, 8.2 or newer",
        ) from error


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    return last_lines(done.stderr.decode("utf-8", "replace"))
