"""Single documented actions, as a user runs them one by one."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from runs import Done, World, keyferry

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(params=["5", "7"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    return World.create(tmp_path / "hsm", luna=request.param)


def act(world: World, *words: object) -> Done:
    return keyferry(*words, "--config", world.config, KEYFERRY_RUN_DIRECTORY=str(world.directory / "runs"))


def document(world: World, *words: object) -> dict[str, Any]:
    done = act(world, *words, "--json")
    assert done.status == 0, done.err
    return done.document


def test_the_documented_steps_one_by_one(world: World, tmp_path: Path) -> None:
    pair = document(world, "kmu", "gen-rsa-key-pair", "--label", "step_by_step")
    pem, blob = tmp_path / "public.pem", tmp_path / "wrapped.key"
    document(world, "kmu", "export-pub-key", pair["public_handle"], "--out", pem)
    assert b"BEGIN PUBLIC KEY" in pem.read_bytes()
    [wrapping] = document(world, "cmu", "import-public-key", pem, "--label", "step_by_step")["handles"]
    shown = document(world, "ckdemo", "set-attribute", wrapping, "--wrap")["attributes"]
    assert shown["CKA_WRAP"] == "01"
    key = plain_key(world)
    wrapped = document(world, "ckdemo", "wrap", key["handle"], "--wrapping-key", wrapping, "--out", blob)
    assert wrapped["length"] == blob.stat().st_size == 256
    assert wrapped["sha256"] == hashlib.sha256(blob.read_bytes()).hexdigest()
    kcv = document(world, "ckdemo", "check-value", key["handle"])["kcv"]
    call = (
        "kmu",
        "unwrap-key",
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
    assert "owner" in document(world, "kmu", "key-info", made)


def test_what_needs_no_login_types_no_secret(world: World) -> None:
    for words in (
        ("kmu", "list-users"),
        ("kmu", "hsm-info"),
        ("kmu", "error", "c6"),
        ("ckdemo", "token-info"),
        ("vtl", "verify"),
    ):
        document(world, *words)
    sessions = [path.read_text() for path in (world.directory / "runs").glob("*/sessions/*.cast")]
    assert sessions
    assert not any('"s","' in text for text in sessions)


@pytest.mark.parametrize(("typed", "status", "left"), [("doomed\n", 0, 0), ("another\n", 8, 1), ("", 8, 1)])
def test_what_deletes_asks_for_the_label(world: World, typed: str, status: int, left: int) -> None:
    pair = document(world, "kmu", "gen-rsa-key-pair", "--label", "doomed")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "keyferry.cli",
            "kmu",
            "delete-key",
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
    [handle] = document(world, "cmu", "import-public-key", rsa_files[1], "--label", "guest")["handles"]
    attributes = document(world, "cmu", "set-attributes", handle, "--wrap")["attributes"]
    assert attributes["wrap"].lower() in ("true", "1", "t")
    assert act(world, "cmu", "delete", handle, "--yes").status == 0
    assert document(world, "cmu", "list", "--label", "guest")["objects"] == []


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
        "inventory", "classic", "--json", "--config", world.config, KEYFERRY_RUN_DIRECTORY=str(world.directory / "runs")
    ).document["keys"]
    return next(
        key for key in keys if key["type"] == "AES" and key["extractable"] and key["label"].startswith("orders")
    )
