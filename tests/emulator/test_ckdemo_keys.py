"""What ckdemo's files hold, what faults do to them, and that jitter leaves every name on the screen."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from ckdemo_talk import PROMPT, Talk, World, found
from keyferry.emulator.classic.ckdemo import tool
from keyferry.emulator.classic.objects import AES, DES3, number
from keyferry.emulator.faults import arm

if TYPE_CHECKING:
    from pathlib import Path

OK = "\nStatus: Doing great, no errors (CKR_OK)\n"
KEY = bytes(range(32))
DES3_KEY = bytes.fromhex("0123456789abcdef23456789abcdef01456789abcdef0123")
DIALECTS = pytest.mark.parametrize("luna", ["5", "7"])
SOURCE = "\nEnter filename of OAEP Source Data [0 for none]: "
WRAPPING = "\nEnter handle of wrapping key (-1 to list available objects) : "
WRAPPED = "\nEnter handle of key to wrap (-1 to list available objects) : "
SAVED = f"Wrapped key was saved in file wrapped.key\0\n{OK}{PROMPT}"


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A private key as openssl made it, and its modulus."""
    pem = tmp_path_factory.mktemp("pair") / "private.pem"
    openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", str(pem))
    shown = openssl("rsa", "-in", str(pem), "-noout", "-modulus").decode()
    return pem, int(found(r"Modulus=(\w+)", shown), 16)


def openssl(*arguments: str) -> bytes:
    return subprocess.run(["openssl", *arguments], check=True, capture_output=True).stdout


def unwrapped(pem: Path, directory: Path, digest: str = "sha1") -> bytes:
    options = ("rsa_padding_mode:oaep", f"rsa_oaep_md:{digest}", f"rsa_mgf1_md:{digest}")
    chosen = (word for option in options for word in ("-pkeyopt", option))
    return openssl("pkeyutl", "-decrypt", "-inkey", str(pem), "-in", str(directory / "wrapped.key"), *chosen)


def wrap(talk: Talk, wrapping: int, key: int) -> str:
    """The whole dialogue; gives the answer after its last question."""
    table = talk.choose("Wrap key", "SET_OAEP")
    talk.say(found(r"\[(\d+)\]RSA_OAEP", table), SOURCE)
    assert talk.say("0", WRAPPING) == WRAPPING
    assert talk.say(str(wrapping), WRAPPED) == WRAPPED
    return talk.say(str(key), PROMPT)


def ready(tmp_path: Path, modulus: int, luna: str = "7") -> tuple[World, int, int]:
    """An HSM with a wrapping key and an AES key; their handles."""
    world = World.make(tmp_path / "hsm", luna)
    return world, world.add_rsa(modulus, WRAP=b"\1"), world.add_key(KEY)


@pytest.mark.parametrize(("luna", "number", "last"), [("5", "25", "[26]SET_OAEP\n"), ("7", "26", "[31]AES-KWP\n")])
def test_wrapped_key_opens_with_openssl(
    tmp_path: Path, pair: tuple[Path, int], luna: str, number: str, last: str
) -> None:
    world, wrapping, key = ready(tmp_path, pair[1], luna)
    with Talk(world, tmp_path) as talk:
        talk.quiet().log_in()
        table = talk.choose("Wrap key", last)
        assert table.startswith(f"{'[1]DES-ECB':<18}{'[2]DES-CBC':<18}")
        assert f"[{number}]RSA_OAEP" in table
        assert talk.say(number, SOURCE) == SOURCE
        assert talk.say("0", WRAPPING) == WRAPPING
        assert talk.say(str(wrapping), WRAPPED) == WRAPPED
        assert talk.say(str(key), PROMPT) == SAVED
    assert (tmp_path / "wrapped.key").stat().st_size == 256
    assert unwrapped(pair[0], tmp_path) == KEY


def test_other_hash_after_option_17(tmp_path: Path, pair: tuple[Path, int]) -> None:
    world, wrapping, key = ready(tmp_path, pair[1])
    with Talk(world, tmp_path) as talk:
        talk.quiet().log_in()
        talk.choose("Options", "change: ")
        assert "17 - OAEP Hash Params: Selectable\n" in talk.say("17", "change: ")
        talk.say("0", PROMPT)
        talk.choose("Wrap key", "AES-KWP")
        assert "[3]SHA256\n" in talk.say("26", "[5]SHA512\n")
        assert talk.say("3", SOURCE) == SOURCE
        talk.say("0", WRAPPING)
        talk.say(str(wrapping), WRAPPED)
        assert talk.say(str(key), PROMPT) == SAVED
    assert unwrapped(pair[0], tmp_path, "sha256") == KEY


def test_failed_wrap_leaves_the_old_file(tmp_path: Path, pair: tuple[Path, int]) -> None:
    world, wrapping, _ = ready(tmp_path, pair[1])
    fixed = world.add_key(KEY, EXTRACTABLE=b"\0")
    (tmp_path / "wrapped.key").write_bytes(b"old")
    with Talk(world, tmp_path) as talk:
        talk.quiet().log_in()
        refused = "\nStatus: C_WrapKey returned error. (CKR_KEY_UNEXTRACTABLE)\n"
        assert wrap(talk, wrapping, fixed) == refused + PROMPT
        talk.choose("Wrap key", "AES-KWP\n")
        talk.say("26", SOURCE)
        unread = "\nStatus: C_WrapKey returned error. (CKR_DEVICE_ERROR)\n"
        assert talk.say("nowhere", PROMPT) == unread + PROMPT
    assert (tmp_path / "wrapped.key").read_bytes() == b"old"


@DIALECTS
@pytest.mark.parametrize("name", ["AES-ECB", "DES3-ECB"])
def test_check_value_equals_openssl(tmp_path: Path, luna: str, name: str) -> None:
    value, cipher, block, number = {
        "AES-ECB": (KEY, "-aes-256-ecb", 16, {"5": 27, "7": 28}[luna]),
        "DES3-ECB": (DES3_KEY, "-des-ede3", 8, {"5": 6, "7": 7}[luna]),
    }[name]
    world = World.make(tmp_path / "hsm", luna)
    key = world.add_key(value) if name == "AES-ECB" else world.add_key(value, DES3)
    (tmp_path / "zero").write_bytes(bytes(block))
    with Talk(world, tmp_path) as talk:
        talk.quiet().log_in()
        table = talk.choose("Encrypt file", "encryption: ")
        assert found(rf"\[(\d+)\]{name}", table) == str(number)
        assert talk.say(str(number), "encrypt: ") == "Enter name of file to encrypt: "
        question = "\nEnter key to use (-1 to list available objects) : "
        assert talk.say("zero", question) == question
        done = f"\nEncrypted data stored in file ENCRYPT.BIN\0{OK}{PROMPT}"
        assert talk.say(str(key), PROMPT) == done
    expected = openssl("enc", cipher, "-K", value.hex(), "-nopad", "-in", str(tmp_path / "zero"))
    assert (tmp_path / "ENCRYPT.BIN").read_bytes() == expected


def test_encrypt_failures(tmp_path: Path) -> None:
    world = World.make(tmp_path / "hsm", "7")
    key = world.add_key(KEY)
    (tmp_path / "plain").write_bytes(bytes(32))
    with Talk(world, tmp_path) as talk:
        talk.quiet().log_in()
        talk.choose("Encrypt file", "encryption: ")
        aborted = "Invalid selection, aborting operation.\nStatus: C_Encrypt returned error. (CKR_CANCEL)\n"
        assert talk.say("4", PROMPT) == aborted + PROMPT
        unread = "\nStatus: ReadBinaryFile returned error. (CKR_DEVICE_ERROR)\n"
        assert _cipher(talk, "Encrypt file", "nowhere", key) == unread + PROMPT
        assert _cipher(talk, "Encrypt file", "plain", key).endswith(f"{OK}{PROMPT}")
        unsupported = "\nStatus: C_DecryptInit returned error. (CKR_FUNCTION_NOT_SUPPORTED)\n"
        assert _cipher(talk, "Decrypt file", "ENCRYPT.BIN", key) == unsupported + PROMPT


def _cipher(talk: Talk, menu: str, file: str, key: int) -> str:
    table = talk.choose(menu, "encryption: ")
    talk.say(found(r"\[(\d+)\]AES-ECB", table), "crypt: ")
    talk.say(file, ") : ")
    return talk.say(str(key), PROMPT)


@pytest.mark.parametrize(
    ("fault", "size"), [("blob-truncated", 240), ("blob-empty", 0), ("blob-stale", 3), ("blob-flipped", 256)]
)
def test_spoilt_blobs(tmp_path: Path, pair: tuple[Path, int], fault: str, size: int) -> None:
    world, wrapping, key = ready(tmp_path, pair[1])
    (tmp_path / "wrapped.key").write_bytes(b"old")
    arm(world.store, "ckdemo", fault, "wrapKey", 1)
    with Talk(world, tmp_path) as talk:
        talk.quiet().log_in()
        assert wrap(talk, wrapping, key) == SAVED
        assert (tmp_path / "wrapped.key").stat().st_size == size
        with pytest.raises(subprocess.CalledProcessError):
            unwrapped(pair[0], tmp_path)
        assert wrap(talk, wrapping, key) == SAVED
    assert unwrapped(pair[0], tmp_path) == KEY


def test_other_value_under_success(tmp_path: Path, pair: tuple[Path, int]) -> None:
    world, wrapping, key = ready(tmp_path, pair[1])
    arm(world.store, "ckdemo", "other-key-wrapped", "wrapKey", 1)
    arm(world.store, "ckdemo", "wrong-check-value", "encryptFile", 1)
    (tmp_path / "zero").write_bytes(bytes(16))
    blocks = []
    with Talk(world, tmp_path) as talk:
        talk.quiet().log_in()
        assert wrap(talk, wrapping, key) == SAVED
        for _ in range(2):
            _cipher(talk, "Encrypt file", "zero", key)
            blocks.append((tmp_path / "ENCRYPT.BIN").read_bytes())
    other = unwrapped(pair[0], tmp_path)
    assert (len(other), other == KEY) == (len(KEY), False)
    assert blocks[0] != blocks[1]


def test_generate_and_destroy(tmp_path: Path) -> None:
    with Talk(World.make(tmp_path / "hsm", "7"), tmp_path) as talk:
        talk.quiet().log_in()
        table = talk.choose("Simple Generate Key", "> ")
        assert table.startswith("Select type of key to generate\n[1]DES")
        assert talk.say(found(r"\[(\d+)\]AES", table), "bytes: ") == "\nEnter Key Length in bytes: "
        assert talk.say("32", ": ") == "Enter Is Token Attribute [0-1]: "
        for asked in (
            "Is Sensitive",
            "Is Private",
            *(["Encrypt", "Decrypt", "Sign", "Verify", "Wrap", "Unwrap", "Derive", "Extractable"]),
        ):
            assert talk.say("1", ": ") == f"Enter {asked} Attribute [0-1]: "
        handle = found(r"^Generated AES Key: (\d+)\n\nStatus", talk.say("1", PROMPT))
        talk.choose("Display Object", ") : ")
        shown = talk.say(handle, PROMPT)
        assert f"CKA_KEY_TYPE={AES.hex()}\n" in shown
        assert f"CKA_VALUE_LEN={number(32).hex()}\n" in shown
        talk.choose("Destroy object", ") : ")
        assert talk.say(handle, PROMPT) == f"{OK}{PROMPT}"


def test_generate_rsa(tmp_path: Path) -> None:
    with Talk(World.make(tmp_path / "hsm", "7"), tmp_path) as talk:
        talk.quiet().log_in()
        table = talk.choose("Simple Generate Key", "> ")
        assert talk.say(found(r"\[(\d+)\]RSA", table), "bits: ") == "\nEnter Key Length in bits: "
        talk.say("2048", ": ")
        for _ in range(8):
            talk.say("1", "Attribute [0-1]: ")
        pair = talk.say("0", PROMPT)
        assert found(r"Generated RSA Public Key: (\d+)\nGenerated RSA Private Key: \d+\n", pair)


def test_no_answer(tmp_path: Path) -> None:
    """Each general fault at a verb of its own, in one conversation each."""
    for fault in ("garbage", "die", "hang"):
        world = World.make(tmp_path / fault, "7")
        arm(world.store, "ckdemo", fault, "tokenInfo", 1)
        with Talk(world, tmp_path) as talk:
            talk.quiet()
            if fault == "garbage":
                answer = talk.choose("Token Info", PROMPT)
                assert "\n%% unexpected internal state 7\n" in answer
                assert "Status:" not in answer
            elif fault == "die":
                talk.child.sendline("12")
                assert talk.rest().endswith("\nStatus: Doing great")
                assert talk.child.exitstatus == 1
            else:
                talk.choose("Token Info", "UTC Time")
                talk.child.sendline("12")
                talk.child.send("\4")  # it reads both, and says nothing before it ends
                assert "Status" not in talk.rest()


@pytest.mark.parametrize(
    ("fault", "text"), [("no-library", "Can not load library"), ("initialize-fails", "Error code: 48")]
)
def test_start_up_failures(tmp_path: Path, fault: str, text: str) -> None:
    world = World.make(tmp_path / "hsm", "7")
    arm(world.store, "ckdemo", fault, None, 1)
    with Talk(world, tmp_path) as talk:
        talk.child.sendline("0")
        assert text in talk.rest()
        assert talk.child.exitstatus == 0


def test_tokens_flags_and_slots_can_be_made_wrong(tmp_path: Path) -> None:
    world = World.make(tmp_path / "hsm", "7", partitions=2)
    arm(world.store, "ckdemo", "pin-count-low", "tokenInfo", 1)
    arm(world.store, "ckdemo", "slots-swapped", "slots", 1)
    with Talk(world, tmp_path) as talk:
        talk.quiet().choose("Token Info", "slot: ")
        screen = talk.say("0", PROMPT)
    assert "\t\tCKF_USER_PIN_COUNT_LOW\n" in screen
    assert "Token label -> par2 " in screen


def test_nolb_leaves_the_group_out(tmp_path: Path) -> None:
    world = World.make(tmp_path / "hsm", "7", partitions=2)
    world.store.run("INSERT INTO luna_group VALUES ('group', 1)")
    for argv, listed in (((), True), (("NoLB",), False)):
        with Talk(world, tmp_path, *argv) as talk:
            assert ("HA Virtual Card Slot" in talk.quiet().choose("Token Info", "slot: ")) is listed


def test_every_fault_names_its_verbs() -> None:
    assert all(fault.effect and fault.verbs for fault in tool.FAULTS)
    assert len({fault.name for fault in tool.FAULTS}) == len(tool.FAULTS)


@DIALECTS
@pytest.mark.parametrize("seed", ["1", "2", "3", "4", "5"])
def test_jitter_leaves_every_name_findable(tmp_path: Path, pair: tuple[Path, int], luna: str, seed: str) -> None:
    world = World.make(tmp_path / "hsm", luna, jitter=seed)
    wrapping, key = world.add_rsa(pair[1]), world.add_key(KEY)
    with Talk(world, tmp_path) as talk:
        talk.quiet().log_in()
        talk.choose("Set attribute", ") : ")
        talk.say(str(wrapping), "Template ")
        names = talk.say("1", "which one: ")
        assert talk.say(found(r"(\d+) - CKA_WRAP\b", names), ": ") == "Enter boolean value: "
        talk.say("1", "Template ")
        assert talk.say("0", PROMPT) == f"{OK}{PROMPT}"
        assert wrap(talk, wrapping, key) == SAVED
        table = talk.choose("Encrypt file", "encryption: ")
        assert found(r"(\b\d+\W{1,3}AES-ECB\b|\bAES-ECB\[\d+\])", table)
    assert unwrapped(pair[0], tmp_path) == KEY
