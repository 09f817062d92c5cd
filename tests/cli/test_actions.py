"""Single documented actions, as a user runs them one by one."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from records import both_say
from runs import Done, World, keyferry

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    return World.create(tmp_path / "hsm", luna=getattr(request, "param", "7"))


OLDER = pytest.mark.parametrize("world", ["5"], indirect=True)
BOTH = pytest.mark.parametrize("world", ["5", "7"], indirect=True)
"""A command costs most of a second: every action is done with both clients of Classic, but not in every test."""


def act(world: World, *words: object) -> Done:
    return keyferry(*words, "--config", world.config, KEYFERRY_RUN_DIRECTORY=str(world.directory / "runs"))


def document(world: World, *words: object) -> dict[str, Any]:
    done = act(world, *words, "--json")
    assert done.status == 0, done.err
    return done.document


NEW_SIDES = {
    "kmu": ("gen-rsa-key-pair", "export-pub-key", "unwrap-key", "delete-key"),
    "cloudhsm-cli": (
        "key-generate-asymmetric-pair-rsa",
        "key-generate-file",
        "key-unwrap-rsa-oaep",
        "key-delete",
    ),
}
"""A tool of the cluster: how it makes a pair, exports a public key, unwraps, deletes."""


@pytest.mark.parametrize(("world", "tool"), [*zip("57", NEW_SIDES, strict=True)], indirect=["world"])
def test_the_documented_steps_one_by_one(world: World, tool: str, tmp_path: Path) -> None:
    generate, export, unwrap, _delete = NEW_SIDES[tool]
    pair = document(world, tool, generate, "--label", "step_by_step")
    pem, blob = tmp_path / "public.pem", tmp_path / "wrapped.key"
    document(world, tool, export, pair["public_handle"], "--out", pem)
    assert b"BEGIN PUBLIC KEY" in pem.read_bytes()
    wrapping = document(world, "cmu", "import-public-key", pem, "--label", "step_by_step")["handle"]
    shown = document(world, "ckdemo", "set-attribute", wrapping, "--wrap")["attributes"]
    assert shown["CKA_WRAP"] == "01"
    key = plain_key(world)
    wrapped = document(world, "ckdemo", "wrap", key["handle"], "--wrapping-key", wrapping, "--out", blob)
    assert wrapped["length"] == blob.stat().st_size == 256
    assert wrapped["sha256"] == hashlib.sha256(blob.read_bytes()).hexdigest()
    kcv = document(world, "ckdemo", "check-value", key["handle"])["kcv"]
    call = (
        tool,
        unwrap,
        blob,
        "--wrapping-key",
        pair["private_handle"],
        "--label",
        key["label"],
        "--type",
        "AES",
    )
    made = document(world, *call)["handle"]
    attributes = document(world, "kmu", "get-attribute", made)["attributes"]
    assert attributes["LABEL"] == key["label"]
    assert attributes["KCV"].removeprefix("0x") == kcv
    nodes = document(world, "kmu", "find-single-key", made)["nodes"]
    assert {node["code"] for node in nodes} == {0}
    assert document(world, "kmu", "find-key", "--label", key["label"])["handles"] == [made]
    [listed] = document(world, "cloudhsm-cli", "key-list", "--handle", hex(made))["keys"]
    assert (listed["label"], listed["covered"]) == (key["label"], True)
    assert listed["attributes"]["check-value"] == f"0x{kcv}"
    assert "owner" in document(world, "kmu", "key-info", made)
    for run in (world.directory / "runs").iterdir():
        both_say("complete", run)


@OLDER
def test_what_needs_no_login_types_no_secret(world: World) -> None:
    for words in (
        ("kmu", "list-users"),
        ("kmu", "hsm-info"),
        ("kmu", "error", "c6"),
        ("cloudhsm-cli", "user-list"),
        ("cloudhsm-cli", "cluster-hsm-info"),
        ("ckdemo", "token-info"),
        ("vtl", "verify"),
    ):
        document(world, *words)
    sessions = [path.read_text() for path in (world.directory / "runs").glob("*/sessions/*.cast")]
    assert sessions
    assert not any('"s","' in text for text in sessions)


@pytest.mark.parametrize(
    ("tool", "typed", "status", "left"),
    [
        ("kmu", "doomed\n", 0, 0),
        ("kmu", "another\n", 8, 1),
        ("cloudhsm-cli", "", 8, 1),
        ("cloudhsm-cli", "doomed\n", 0, 0),
    ],
)
def test_what_deletes_asks_for_the_label(world: World, tool: str, typed: str, status: int, left: int) -> None:
    pair = document(world, "kmu", "gen-rsa-key-pair", "--label", "doomed")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "keyferry.cli",
            tool,
            NEW_SIDES[tool][-1],
            str(pair["private_handle"]),
            "--config",
            world.config,
        ],
        input=typed,
        capture_output=True,
        text=True,
        cwd=world.directory,
        check=False,
    )
    assert done.returncode == status, done.stderr
    assert len(document(world, "kmu", "find-key", "--label", "doomed", "--class", "3")["handles"]) == left


@OLDER
def test_only_public_keys_of_the_source_can_be_changed(world: World) -> None:
    handle = plain_key(world)["handle"]
    for words in (
        ("ckdemo", "set-attribute", handle, "--wrap"),
        ("cmu", "set-attributes", handle, "--wrap"),
        ("cmu", "delete", handle, "--yes"),
    ):
        done = act(world, *words)
        assert done.status == 8, (words, done.err)
        assert "SOURCE-READ-ONLY" in done.err


def test_an_imported_public_key_can_be_changed_and_removed_with_cmu(world: World, rsa_files: tuple[Path, Path]) -> None:
    handle = document(world, "cmu", "import-public-key", rsa_files[1], "--label", "guest")["handle"]
    attributes = document(world, "cmu", "set-attributes", handle, "--wrap")["attributes"]
    assert attributes["wrap"].lower() in ("true", "1", "t")
    assert act(world, "cmu", "delete", handle, "--yes").status == 0
    assert document(world, "cmu", "list", "--label", "guest")["objects"] == []


@OLDER
def test_on_an_ha_slot_objects_are_named_by_label(world: World, rsa_files: tuple[Path, Path], tmp_path: Path) -> None:
    """Handles last for one process there, so what one command lists means nothing to the next."""
    ha = ("--slot", "label:classic_ha")
    assert document(world, "cmu", "import-public-key", rsa_files[1], "--label", "guest", *ha)["handle"] is None
    assert document(world, "ckdemo", "set-attribute", "label:guest", "--wrap", *ha)["attributes"]["CKA_WRAP"] == "01"
    key = plain_key(world)
    shown = document(world, "ckdemo", "show", f"label:{key['label']}", *ha)["attributes"]
    assert shown["CKA_CLASS"] == "0400000000000000"
    there, here = (
        document(world, "ckdemo", "check-value", *words)["kcv"]
        for words in ((f"label:{key['label']}", *ha), (key["handle"],))
    )
    assert there == here
    blob = tmp_path / "wrapped.key"
    made = document(
        world, "ckdemo", "wrap", f"label:{key['label']}", "--wrapping-key", "label:guest", "--out", blob, *ha
    )
    assert made["length"] == blob.stat().st_size == 256
    for words in (
        ("ckdemo", "show", "7"),
        ("ckdemo", "set-attribute", "7", "--wrap"),
        ("cmu", "get-attributes", "7"),
        ("cmu", "set-attributes", "7", "--wrap"),
        ("cmu", "delete", "7", "--yes"),
    ):
        done = act(world, *words, *ha)
        assert done.status == 8, (words, done.err)
        assert "hint: " in done.err
        assert "label:TEXT" in done.err


def test_an_object_must_be_one(ten_keys: World) -> None:
    for wanted, why in (
        ("label:terminal", "2 objects have the label"),
        ("label:nobody", "0 objects"),
        ("web", "no object"),
    ):
        done = act(ten_keys, "ckdemo", "show", wanted)
        assert done.status == 2, done.err
        assert why in done.err


def test_what_is_there_is_neither_written_over_nor_imported_again(
    world: World, rsa_files: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "there").write_text("mine")
    done = act(world, "ckdemo", "wrap", "7", "--wrapping-key", "8", "--out", tmp_path / "there")
    assert (done.status, (tmp_path / "there").read_text()) == (2, "mine")
    assert "is there already" in done.err
    again = act(world, "cmu", "import-public-key", rsa_files[1], "--label", "web-signer")
    assert again.status == 8, again.err
    assert "WRAPPING-KEY-NEW" in again.err


def test_an_import_is_proved_by_the_key_that_is_read_back(world: World, rsa_files: tuple[Path, Path]) -> None:
    world.arm("cmu", "pem-swapped")
    done = act(world, "cmu", "import-public-key", rsa_files[1], "--label", "guest")
    assert done.status == 6, done.err
    assert "WRAPPING-KEY-MATCH" in done.err


def test_objects_of_one_type(world: World) -> None:
    public = document(world, "ckdemo", "list", "--type", "public")["objects"]
    assert [one["label"] for one in public] == ["web-signer"]
    assert act(world, "ckdemo", "list", "--type", "secret").status == 2


def test_errors_of_a_reading_command_say_that_nothing_was_changed(world: World) -> None:
    for words in (("ckdemo", "show", "9999"), ("cmu", "get-attributes", "9999"), ("kmu", "key-info", "9")):
        done = act(world, *words)
        assert done.status == 1, done.err
        assert "keys: nothing was changed" in done.err
        assert re.search(r"^where: tool \w+, host \w+$", done.err, re.MULTILINE)
        assert re.search(r"^record: /.*\.cast:\d+$", done.err, re.MULTILINE)
        assert "hint: see what there is: `keyferry " in done.err


def test_without_a_slot_nothing_is_started(tmp_path: Path) -> None:
    for words in (("ckdemo", "token-info"), ("ckdemo", "list"), ("cmu", "list")):
        done = keyferry(*words, KEYFERRY_RUN_DIRECTORY=str(tmp_path / "runs"), XDG_CONFIG_HOME=str(tmp_path))
        assert done.status == 2, done.err
        assert "no slot is named" in done.err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("words", [("kmu", "error", "zz"), ("kmu", "find-key", "--class", "9")])
def test_words_that_no_tool_would_take_start_nothing(world: World, words: tuple[str, ...]) -> None:
    assert act(world, *words).status == 2
    assert not (world.directory / "runs").exists()


@BOTH
def test_listings_agree(world: World) -> None:
    by_cmu = {(one["handle"], one["label"]) for one in document(world, "cmu", "list")["objects"]}
    by_ckdemo = {(one["handle"], one["label"]) for one in document(world, "ckdemo", "list")["objects"]}
    assert by_cmu == by_ckdemo


def test_an_unknown_handle_is_refused_in_the_tools_own_words(world: World) -> None:
    done = act(world, "ckdemo", "show", 9999)
    assert done.status == 1
    assert "CKR_OBJECT_HANDLE_INVALID" in done.err


def test_tables_are_for_people(world: World) -> None:
    done = act(world, "kmu", "list-users")
    assert done.status == 0
    assert "crypto_user" in done.out


def test_captured_screens_become_json(tmp_path: Path) -> None:
    screen = tmp_path / "screen"
    screen.write_bytes(b"\r\n\tCfm3DeleteKey returned: 0xc6 : HSM Error: Key Access is denied\r\n")
    done = keyferry("parse", "key_mgmt_util", "deleteKey", screen)
    assert done.status == 0, done.err
    assert json.loads(done.out)["error"] == {"code": 0xC6, "text": "HSM Error: Key Access is denied"}
    piped = subprocess.run(
        [sys.executable, "-m", "keyferry.cli", "parse", "cmu", "list"],
        input=b"handle=7\tlabel=a = b\r\n",
        capture_output=True,
        check=False,
    )
    assert json.loads(piped.stdout)["objects"] == [{"handle": 7, "label": "a = b"}]
    screen.write_text("nothing that any tool says\n")
    unknown = keyferry("parse", "ckdemo", "wrapKey", screen)
    assert unknown.status == 10
    assert "sanitize" in unknown.err


@pytest.mark.parametrize("words", [("nobody", "list"), ("cmu", "dance")])
def test_tools_and_verbs_that_are_not_known(words: tuple[str, str]) -> None:
    done = keyferry("parse", *words)
    assert done.status == 2
    assert "known: " in done.err


def plain_key(world: World) -> dict[str, Any]:
    """An AES key of the partition that may leave and has a check value."""
    keys = keyferry(
        "inventory", "source", "--json", "--config", world.config, KEYFERRY_RUN_DIRECTORY=str(world.directory / "runs")
    ).document["keys"]
    return next(
        key for key in keys if key["type"] == "AES" and key["extractable"] and key["label"].startswith("orders")
    )
