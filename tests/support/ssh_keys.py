"""Real keys and signatures of the system's ssh-keygen, for tests; without a passphrase, for this test only."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def make_key(folder: Path, name: str) -> Path:
    path = folder / name
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", path], check=True)
    return path


def sign_file(file: Path, key: Path, namespace: str = "keyferry-run@v1") -> Path:
    """Without anything of keyferry: as a person would."""
    subprocess.run(
        ["ssh-keygen", "-q", "-Y", "sign", "-n", namespace, "-f", key, file], check=True, capture_output=True
    )
    return file.with_name(file.name + ".sig")


def allowed_signers(file: Path, **keys: Path) -> Path:
    """A list that names each key by its keyword; `_at_` in one stands for @, `_any` for *."""
    lines = []
    for name, key in keys.items():
        kind, value = key.with_suffix(".pub").read_text().split()[:2]
        lines.append(f"{name.replace('_at_', '@').replace('_any', '*')} {kind} {value}\n")
    file.write_text("".join(lines))
    return file
