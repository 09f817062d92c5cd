"""Signatures over a run's head, with real keys of the system's ssh-keygen."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from records import both_say, by_script, edit, head_of
from runs import Done, World, keyferry, recorded
from ssh_keys import allowed_signers, make_key
from tampering import event_removed

pytestmark = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="no ssh-keygen here")
ROLES = ("operator", "witness", "approver")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return Path(shutil.copytree(recorded(keys=4), tmp_path / "run"))


@pytest.fixture
def alice(tmp_path: Path) -> Path:
    return make_key(tmp_path, "alice")


def checked(run: Path, allowed: Path) -> Done:
    return keyferry("verify", run, "--allowed-signers", allowed)


def test_each_role_signs_and_the_record_stays_whole(run: Path, alice: Path, tmp_path: Path) -> None:
    for role in ROLES:
        done = keyferry("sign", "--rehearsal", run, "--key", alice, "--role", role)
        assert done.status == 0, done.err
    done = checked(run, allowed_signers(tmp_path / "allowed", alice_at_example=alice))
    assert done.status == 0, done.err
    assert [line.partition(" (")[0] for line in done.out.splitlines() if "signed as" in line] == [
        f"signed as {role}: alice@example" for role in sorted(ROLES)
    ]
    assert "unsigned" not in done.out
    both_say("complete", run)
    unknown = keyferry("verify", run).out  # nobody said whose signatures count
    assert unknown.count("valid signature, unknown signer") == len(ROLES)
    assert "unsigned" in unknown
    assert by_script(run).words.count(".sig is not checked here") == len(ROLES)


def test_the_signature_can_be_checked_without_keyferry(run: Path, alice: Path, tmp_path: Path) -> None:
    keyferry("sign", "--rehearsal", run, "--key", alice, "--role", "witness")
    [signature] = (run / "signatures").iterdir()
    allowed = allowed_signers(tmp_path / "allowed", alice=alice)
    words = ["-f", str(allowed), "-I", "alice", "-n", "keyferry-run@v1", "-s", str(signature)]
    for said, good in ((f"keyferry-run@v1 witness {head_of(run)}\n", True), ("keyferry-run@v1 operator", False)):
        command = ["ssh-keygen", "-Y", "verify", *words]
        done = subprocess.run(command, input=said, text=True, capture_output=True, check=False)
        assert (done.returncode == 0) is good


def test_a_key_in_an_agent_signs_by_its_public_half(run: Path, alice: Path, tmp_path: Path) -> None:
    socket = tmp_path / "agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.PIPE) as agent:
        try:
            assert agent.stdout
            agent.stdout.readline()  # the socket is there
            environment = {"SSH_AUTH_SOCK": str(socket)}
            subprocess.run(["ssh-add", "-q", str(alice)], env=os.environ | environment, check=True)
            alice.unlink()
            assert keyferry("sign", "--rehearsal", run, "--key", alice.with_suffix(".pub"), **environment).status == 0
        finally:
            agent.terminate()
    assert checked(run, allowed_signers(tmp_path / "allowed", alice=alice)).status == 0


def test_a_stranger_and_nobody_are_refused(run: Path, alice: Path, tmp_path: Path) -> None:
    allowed = allowed_signers(tmp_path / "allowed", alice=alice)
    done = checked(run, allowed)
    assert (done.status, "nobody has signed" in done.err) == (6, True)
    keyferry("sign", "--rehearsal", run, "--key", alice)
    keyferry("sign", "--rehearsal", run, "--key", make_key(tmp_path, "mallory"))
    done = checked(run, allowed)  # one good one does not make up for it
    assert (done.status, "a valid signature, but by a key that" in done.err) == (6, True)


def test_a_signature_of_another_role_or_run_is_none(run: Path, alice: Path, tmp_path: Path) -> None:
    allowed = allowed_signers(tmp_path / "allowed", alice=alice)
    keyferry("sign", "--rehearsal", run, "--key", alice)
    [signature] = (run / "signatures").iterdir()
    signature.rename(signature.with_name(signature.name.replace("operator", "approver")))
    assert checked(run, allowed).status == 6
    other = tmp_path / "other"
    assert World.create(tmp_path / "hsm").migrate("--dry-run", run="../other").status == 0
    shutil.copytree(run / "signatures", other / "signatures")
    for done in (keyferry("verify", other), checked(other, allowed)):
        assert (done.status, "not a signature of this run's head as approver" in done.err) == (6, True)
    assert not keyferry("report", other, "--json").document["verification"]["intact"]


def test_a_flipped_bit_of_a_signature_is_noticed_without_ssh_keygen(run: Path, alice: Path) -> None:
    keyferry("sign", "--rehearsal", run, "--key", alice)
    [signature] = (run / "signatures").iterdir()
    data = bytearray(signature.read_bytes())
    signature.chmod(0o600)
    for place in range(0, len(data) * 8, 211):
        data[place // 8] ^= 1 << place % 8
        signature.write_bytes(data)
        data[place // 8] ^= 1 << place % 8
        both_say("wrong", run, signature.name)


@pytest.mark.parametrize("name", ["note.txt", "boss-0123456789abcdef.sig", "operator-0123456789abcdef.sig"])
def test_what_is_no_signature_may_not_lie_among_them(run: Path, name: str) -> None:
    (run / "signatures").mkdir()
    (run / "signatures" / name).write_bytes(b"x")
    both_say("wrong", run, name)


def test_only_a_whole_record_is_signed_and_by_one_key_once(run: Path, alice: Path) -> None:
    assert keyferry("sign", "--rehearsal", run, "--key", alice).status == 0
    again = keyferry("sign", "--rehearsal", run, "--key", alice)
    assert (again.status, "is there already" in again.err) == (2, True)
    edit(run / "sessions" / "003-ckdemo.cast", event_removed)
    assert keyferry("sign", "--rehearsal", run, "--key", alice, "--role", "witness").status == 6
    assert len(list((run / "signatures").iterdir())) == 1


def test_a_signed_run_without_its_manifest_was_not_killed(run: Path, alice: Path) -> None:
    keyferry("sign", "--rehearsal", run, "--key", alice)
    (run / "manifest.json").unlink()
    (run / "journal.jsonl").chmod(0o600)
    both_say("wrong", run, "manifest.json")


def test_without_ssh_keygen_a_signature_is_said_not_to_be_checked(run: Path, alice: Path) -> None:
    keyferry("sign", "--rehearsal", run, "--key", alice)
    done = keyferry("verify", run, PATH="/nowhere")
    assert (done.status, "1 signature, not checked: ssh-keygen was not found" in done.out) == (0, True)


def test_a_key_that_is_none_signs_nothing(run: Path, tmp_path: Path) -> None:
    assert keyferry("sign", "--rehearsal", run, "--key", tmp_path / "nowhere").status == 2
    assert not (run / "signatures").exists()
