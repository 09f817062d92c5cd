from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from keyferry.errors import UnreachableError, UsageError
from keyferry.run import ssh_signatures
from ssh_keys import allowed_signers, make_key, sign_file

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "plan.json").write_bytes(b"{}\n")
    return tmp_path / "plan.json"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return make_key(tmp_path, "alice")


def test_our_signature_is_what_ssh_keygen_verifies(file: Path, key: Path, tmp_path: Path) -> None:
    made = ssh_signatures.sign(file, key)
    allowed = allowed_signers(tmp_path / "allowed", alice=key)
    words = ["ssh-keygen", "-Y", "verify", "-f", str(allowed), "-I", "alice", "-n", "keyferry-run@v1", "-s", str(made)]
    assert made == tmp_path / "plan.json.sig"
    assert subprocess.run(words, input=file.read_bytes(), capture_output=True, check=False).returncode == 0


def test_a_signature_of_ssh_keygen_names_its_signer(file: Path, key: Path, tmp_path: Path) -> None:
    made = sign_file(file, key)
    allowed = allowed_signers(tmp_path / "allowed", alice_at_x=key)
    found = ssh_signatures.signer(file.read_bytes(), made, allowed)
    shown = subprocess.run(["ssh-keygen", "-l", "-f", key], capture_output=True, text=True, check=True).stdout
    assert found is not None
    assert found.principal == "alice@x"
    assert found.fingerprint == shown.split()[1]


def test_other_data_namespace_or_signer_is_no_signature(file: Path, key: Path, tmp_path: Path) -> None:
    allowed = allowed_signers(tmp_path / "allowed", alice=key)
    others = allowed_signers(tmp_path / "others", bob=make_key(tmp_path, "bob"))
    made = sign_file(file, key)
    assert ssh_signatures.signer(b"{ }\n", made, allowed) is None
    assert ssh_signatures.signer(b"{}\n", made, others) is None
    assert ssh_signatures.signed_by("bob", b"{}\n", made, allowed) is None
    made.unlink()
    assert ssh_signatures.signer(b"{}\n", sign_file(file, key, "file"), allowed) is None


def test_a_pattern_of_the_list_lets_sign_but_names_nobody(file: Path, key: Path, tmp_path: Path) -> None:
    allowed = allowed_signers(tmp_path / "allowed", _any_at_x=key)
    made = sign_file(file, key)
    assert ssh_signatures.signer(b"{}\n", made, allowed) is None
    assert ssh_signatures.signed_by("carol@x", b"{}\n", made, allowed) is not None


def test_garbage_is_no_signature(file: Path, key: Path, tmp_path: Path) -> None:
    file.with_name("plan.json.sig").write_bytes(b"\xff" * 400)
    allowed = allowed_signers(tmp_path / "allowed", alice=key)
    assert ssh_signatures.signer(b"{}\n", tmp_path / "plan.json.sig", allowed) is None


def test_a_list_that_cannot_be_read_is_told(file: Path, key: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        ssh_signatures.signer(b"{}\n", sign_file(file, key), tmp_path / "allowed")


def test_what_cannot_be_signed_is_told(file: Path, key: Path) -> None:
    with pytest.raises(UsageError, match="could not be signed"):
        ssh_signatures.sign(file, file.with_name("nobody"))
    ssh_signatures.sign(file, key)
    with pytest.raises(UsageError, match="already"):
        ssh_signatures.sign(file, key)


def test_a_host_without_ssh_keygen_is_told(
    file: Path, key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnreachableError, match="ssh-keygen"):
        ssh_signatures.sign(file, key)
