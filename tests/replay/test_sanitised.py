"""Sanitised recordings still replay: the real drivers say the same things in other names."""

from __future__ import annotations

import base64
import json
import re
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from test_recordings import RECORDINGS, SECRETS, expected

import player
from keyferry.pkcs11 import DestinationHandle, Slot
from keyferry.recording.reader import read
from keyferry.sanitize.sanitize import sanitize
from keyferry.secrets import Secret
from keyferry.terminal.host import LocalHost
from keyferry.terminal.sessions import Sessions
from keyferry.tools.ckdemo.driver import Ckdemo
from keyferry.tools.cloudhsm_cli import driver as cli
from keyferry.tools.cloudhsm_cli.driver import CloudHsmCli
from keyferry.tools.key_mgmt_util.driver import KeyMgmtUtil, UnwrapCommand
from keyferry.tools.limits import Limits
from keyferry.tools.logins import Logins
from runner import PASSWORD, PIN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from keyferry.tools.key_mgmt_util.attributes import Attributes

LIMITS = Limits(start=20, answer=20, login=20, generate=20)
THE_PIN, THE_PASSWORD = (Secret(name, SECRETS[name].encode()) for name in (PIN, PASSWORD))
TYPES = {"16": "GENERIC_SECRET", "21": "DES3", "31": "AES"}
EACH = pytest.mark.parametrize("recording", RECORDINGS, ids=lambda path: path.name)
OF_KMU, OF_CLI = (
    pytest.mark.parametrize("recording", [one for one in RECORDINGS if tool in one.name], ids=lambda path: path.name)
    for tool in ("kmu", "cloudhsm-cli")
)


@contextmanager
def sanitised(recording: Path, tool: str, folder: Path) -> Iterator[tuple[Path, Sessions, LocalHost]]:
    """One session of a recording, sanitised, in its tool's place; gives it and where it is talked to."""
    [session] = recording.glob(f"*-{tool}.cast")
    clean = folder / "clean"
    clean.mkdir()
    sanitize(session, clean / session.name)
    with LocalHost("here", player.install(clean, folder, SECRETS)) as host:
        yield clean / session.name, Sessions(folder, "run", [THE_PIN, THE_PASSWORD]), host


class Follower:
    """Says to key_mgmt_util by the driver's verbs what a recording has typed, and keeps what came of it."""

    def __init__(self, tool: KeyMgmtUtil) -> None:
        self._tool = tool
        self.made: list[DestinationHandle] = []
        self.attributes: list[Attributes] = []

    def follow(self, line: str) -> None:
        line, _, password = line.partition(" -p ")
        verb, *words = line.split()
        if words == ["-h"]:
            assert self._tool.usage(verb).flags
            return
        flags = {word: value for word, value in pairwise([*words, ""]) if word.startswith("-")}
        match verb:
            case "listUsers":
                assert any(user.type == "CU" for user in self._tool.list_users())
            case "loginHSM":
                self._tool.login(flags["-s"], THE_PASSWORD, Logins(), visible=bool(password))
            case "findKey":
                key_class = int(flags["-c"]) if "-c" in flags else None
                assert set(self._tool.find_keys(key_class=key_class, label=flags.get("-l"))) <= set(self.made)
            case "genRSAKeyPair":
                pair = self._tool.generate_rsa_key_pair(flags["-l"], int(flags["-m"]), extractable="-nex" not in flags)
                self.made += [pair.public, pair.private]
            case "unWrapKey":
                self.made.append(self._tool.unwrap_key(_request(flags)).handle)
            case "exportPubKey":
                self._tool.export_public_key(self._known(flags["-k"]), flags["-out"])
            case "findSingleKey":
                self._tool.find_single_key(self._known(flags["-k"]))
            case "getAttribute":
                self.attributes.append(self._tool.get_attributes(self._known(flags["-o"])))
            case "logoutHSM":
                self._tool.logout()
            case _:
                assert verb == "exit"
                self._tool.close()

    def _known(self, handle: str) -> DestinationHandle:
        """A handle that is typed is one that the tool told before."""
        assert int(handle) in self.made
        return DestinationHandle(int(handle))


def _request(flags: dict[str, str]) -> UnwrapCommand:
    handle, kind = DestinationHandle(int(flags["-w"])), TYPES[flags["-kt"]]
    return UnwrapCommand(flags["-f"], handle, flags["-l"], kind, "sha1", id=flags.get("-id"))


def _names(recording: Path) -> set[str]:
    """What the recording must not hold any more, less what is as short as a number on a menu."""
    outcome = expected(recording)
    document: dict[str, Any] = outcome["document"]
    keys = [value for key in document["keys"] for value in (key["label"], key["id"], key["kcv"])]
    names = [outcome["user"], document["wrapping_key"]["label"], outcome["slot"].partition(":")[2], *keys]
    return {str(name) for name in names if name and len(name) > 3}


@OF_KMU
def test_a_whole_session_of_key_mgmt_util_replays(recording: Path, tmp_path: Path) -> None:
    with sanitised(recording, "key_mgmt_util", tmp_path) as (clean, sessions, host):
        follower = Follower(KeyMgmtUtil.open(sessions, host, LIMITS))
        for event in read(clean).events:
            if event.code == "i":
                follower.follow(event.data.removesuffix("\r"))
        assert player.not_played(tmp_path) == []
        typed = [event.data for event in read(tmp_path / "001-key_mgmt_util.cast").events if event.code in "is"]
        assert typed == [event.data for event in read(clean).events if event.code in "is"]
        assert len(follower.made) > 5
        pem = [effect for effect in _effects(clean) if effect["name"].endswith(".pem")]
        key = load_pem_public_key(base64.b64decode(pem[0]["base64"]))
        assert isinstance(key, RSAPublicKey)
        assert {one.public_key.modulus for one in follower.attributes if one.public_key} == {key.public_numbers().n}


@OF_CLI
def test_a_whole_session_of_cloudhsm_cli_replays(recording: Path, tmp_path: Path) -> None:
    made: set[int] = set()
    with sanitised(recording, "cloudhsm-cli", tmp_path) as (clean, sessions, host):
        tool = CloudHsmCli.open(sessions, host, LIMITS)
        for event in read(clean).events:
            if event.code == "i" and not event.data.endswith("\r"):
                _follow(tool, event.data, made)
        assert player.not_played(tmp_path) == []
    assert len(made) > 5


def _follow(tool: CloudHsmCli, line: str, made: set[int]) -> None:
    """Say by the driver's verbs what a recording has typed; a handle that is told is one that was made before."""
    match line.split()[:3]:
        case ["login", _, user]:
            tool.login(user, THE_PASSWORD, Logins())
        case ["key", "generate-asymmetric-pair", _]:
            pair = tool.generate_pair(_word(line, "--public-label "), 2048)
            made |= {pair.public.handle, pair.private.handle}
        case ["key", "unwrap", _]:
            made.add(tool.unwrap(_unwrap_request(line)).handle)
        case ["quit"]:
            tool.close()
        case ["help", *_]:
            assert tool.usage(line.partition(" ")[2]).flags
        case _:
            text = tool._ask(line, lambda answer: answer)
            assert '"error_code": 0' in text
            assert {int(reference, 16) for reference in re.findall(r'"key-reference": "(\w+)"', text)} <= made


def _word(line: str, before: str) -> str:
    return line.partition(before)[2].split()[0]


def _unwrap_request(line: str) -> cli.UnwrapRequest:
    attributes = dict(word.split("=") for word in line.partition("--attributes ")[2].split())
    kinds = {"aes": "AES", "des3": "DES3", "generic-secret": "GENERIC_SECRET"}
    return cli.UnwrapRequest(
        _word(line, "--data-path "),
        DestinationHandle(int(_word(line, "key-reference="), 16)),
        _word(line, "--label "),
        kinds[_word(line, "--key-type-class ")],
        "sha1",
        id=bytes.fromhex(attributes.pop("id")[2:]).decode("utf-8", "surrogateescape"),
        extractable=attributes.pop("extractable") == "true",
        usages={name.upper(): value == "true" for name, value in attributes.items()},
    )


@EACH
def test_a_session_of_ckdemo_replays(recording: Path, tmp_path: Path) -> None:
    before = [one for one in read(next(recording.glob("*-ckdemo.cast"))).events if one.code == "o"]
    with sanitised(recording, "ckdemo", tmp_path) as (clean, sessions, host):
        tool = Ckdemo.open(sessions, host, LIMITS)
        tool.menu_off()
        slot = Slot(0 if "luna-7" in recording.name else 1)
        token = tool.token_info(slot)
        tool.open_session(slot)
        tool.login(THE_PIN, Logins())
        listed = tool.find_objects()
        shown = [tool.display_object(one.handle) for one in listed]
        assert [one.attributes["CKA_LABEL"] for one in shown] == [one.label for one in listed]
        assert token.label != expected(recording)["slot"].partition(":")[2]
        assert len(listed) == 12
        after = [one for one in read(clean).events if one.code == "o"]
        assert [len(one.data) for one in after] == [len(one.data) for one in before]
    sessions.close()


@EACH
def test_no_name_is_left_in_any_session(recording: Path, tmp_path: Path) -> None:
    names = _names(recording)
    assert len(names) > 10
    for session in recording.glob("*.cast"):
        sanitize(session, tmp_path / session.name)
        beside = [base64.b64decode(effect["base64"]).decode("latin-1") for effect in _effects(tmp_path / session.name)]
        text = "\n".join([(tmp_path / session.name).read_text(), *beside])
        assert [name for name in names if name in text] == []


def _effects(session: Path) -> list[dict[str, str]]:
    beside = session.with_suffix(".files.json")
    found: list[dict[str, str]] = json.loads(beside.read_bytes()) if beside.exists() else []
    return found
