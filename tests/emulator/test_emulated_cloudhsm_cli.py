"""The emulated cloudhsm-cli: beside key_mgmt_util over the same cluster, and by the driver at every read size."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from keyferry.emulator.cloudhsm.cloudhsm_cli.cluster import FIPS_STATE
from keyferry.emulator.cloudhsm.cluster import CRYPTO_USER
from keyferry.errors import (
    KeyferryError,
    LoginRefusedError,
    ToolRefusedError,
    UnknownScreenError,
    UnreachableError,
    UsageError,
)
from keyferry.secrets import Secret
from keyferry.terminal.host import LocalHost
from keyferry.terminal.sessions import Sessions
from keyferry.tools.cloudhsm_cli.destination import CloudHsmCliDestination, described
from keyferry.tools.cloudhsm_cli.driver import CloudHsmCli, KeyFilter, UnwrapRequest
from keyferry.tools.key_mgmt_util.destination import described as described_by_kmu
from keyferry.tools.key_mgmt_util.driver import KeyMgmtUtil
from keyferry.tools.limits import Limits
from keyferry.tools.logins import Logins
from kmu_tool import check_value_by_openssl, wrap_with_openssl
from runs import World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from keyferry.pkcs11 import DestinationHandle
    from place import MakePlace, Place

LIMITS = Limits(start=20, answer=20, login=20, generate=60)
VALUE = bytes(range(32))
HSM_MEMBERS = (
    "vendor model serial-number hardware-version-major hardware-version-minor firmware-version-major"
    " firmware-version-minor firmware-build-number firmware-id fips-state"
)


class Seat:
    """A driver's place before the emulated tools of a world."""

    def __init__(self, place: Place, folder: Path, read_size: int = 65536) -> None:
        self.place = place
        self.host = LocalHost("cloudhsm", place.directory / "bin")
        self.password = Secret("password", World(place.directory).secrets()[1].encode())
        self.sessions = Sessions(folder, "run", [self.password], read_size)

    @property
    def user(self) -> str:
        return self.place.store.setting(CRYPTO_USER)

    def open(self) -> CloudHsmCli:
        tool = CloudHsmCli.open(self.sessions, self.host, LIMITS)
        tool.login(self.user, self.password, Logins())
        return tool

    def unwrapped(self, tool: CloudHsmCli, **changes: Any) -> DestinationHandle:
        pair = tool.generate_pair("ferry_wrap", 2048)
        tool.generate_file(pair.public.handle, "public.pem")
        wrap_with_openssl(VALUE, self.host.directory / "public.pem", self.host.directory / "key.wrapped")
        request = {"label": "ledger=2031", "key_type": "AES", "digest": "sha1", "id": "a94f"} | changes
        return tool.unwrap(UnwrapRequest("key.wrapped", pair.private.handle, **request)).handle


@pytest.fixture
def seat(make_place: MakePlace, tmp_path: Path) -> Iterator[Seat]:
    seat = Seat(make_place(), tmp_path)
    with seat.host:
        yield seat


@pytest.mark.parametrize(
    ("jitter", "read_size"),
    [("ferry", 1), ("editor", 1), ("of-2026", 1), ("ferry", 7), ("editor", 65536)],
    ids=["hints-1", "redraws-1", "cooked-1", "hints-7", "redraws-whole"],
)
def test_the_documented_steps_with_every_manner_of_editing(
    jitter: str, read_size: int, make_place: MakePlace, tmp_path: Path
) -> None:
    seat = Seat(make_place(jitter=jitter), tmp_path, read_size)
    with seat.host, seat.open() as tool:
        made = seat.unwrapped(tool, usages={"ENCRYPT": True, "SIGN": False})
        key = described(tool.key(made))
        tool.logout()
    assert (key.label, key.id, key.type, key.bits, key.local) == ("ledger=2031", "a94f", "AES", 256, False)
    assert f"0x{key.kcv}" == check_value_by_openssl(VALUE, "aes-256-ecb", 16)
    on = {name for name in ("ENCRYPT", "DECRYPT", "SIGN", "VERIFY", "WRAP") if key.attributes[name] == "1"}
    assert on == {"ENCRYPT", "VERIFY"}
    assert not any(seat.password.reveal() in path.read_bytes() for path in tmp_path.glob("*.cast"))


def test_what_one_tool_unwrapped_the_other_describes_alike(seat: Seat) -> None:
    with seat.open() as tool:
        made = seat.unwrapped(tool)
        by_cli = described(tool.key(made))
    with KeyMgmtUtil.open(seat.sessions, seat.host, LIMITS) as kmu:
        kmu.login(seat.user, seat.password, Logins())
        assert made in kmu.find_keys(label="ledger=2031")
        by_kmu = described_by_kmu(made, kmu.get_attributes(made))
    alike = ("handle", "label", "key_class", "type", "bits", "id", "token", "extractable", "local", "kcv")
    assert [getattr(by_cli, name) for name in alike] == [getattr(by_kmu, name) for name in alike]


def test_a_list_is_read_page_by_page(seat: Seat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keyferry.tools.cloudhsm_cli.commands.list_keys.__kwdefaults__", {"most": 2})
    with seat.open() as tool:
        pair = [tool.generate_pair(f"pair_{n}", 2048) for n in range(3)]
        everything = {half.handle for one in pair for half in (one.public, one.private)}
        assert {key.handle for key in tool.list_keys()} == everything
        assert [key.label for key in tool.list_keys(KeyFilter(label="pair_1"), verbose=True)] == ["pair_1", "pair_1"]
        assert (tool.count(), tool.list_keys(KeyFilter(label="nobody"))) == (6, ())
        assert len(tool.list_keys(KeyFilter(key_class="private-key"))) == 3


def test_one_half_is_deleted_the_other_stays(seat: Seat) -> None:
    with seat.open() as tool:
        pair = tool.generate_pair("doomed", 2048)
        tool.delete(pair.private.handle)
        assert [key.handle for key in tool.list_keys()] == [pair.public.handle]
        for act in (tool.key, tool.delete):
            with pytest.raises(ToolRefusedError):
                act(pair.private.handle)


@pytest.mark.parametrize(
    "changes",
    [{"digest": "sha256"}, {"key_type": "DES3"}],
    ids=["another hash than it was wrapped with", "a value of another length"],
)
def test_an_unwrap_that_fails_with_an_undocumented_text_has_an_unknown_outcome(
    seat: Seat, changes: dict[str, Any]
) -> None:
    with seat.open() as tool:
        with pytest.raises(UnknownScreenError) as failed:
            seat.unwrapped(tool, **changes)
        assert (failed.value.rule, failed.value.seen is None) == ("OUTCOME-UNKNOWN", False)
        assert [key.label for key in tool.list_keys()] == ["ferry_wrap", "ferry_wrap"]


def test_a_private_half_that_may_not_leave_is_made_so(seat: Seat) -> None:
    with seat.open() as tool:
        pair = tool.generate_pair("ferry_wrap", 2048)
    attributes = pair.private.attributes
    assert (attributes["extractable"], attributes["unwrap"], attributes["local"]) == (False, True, True)


@pytest.mark.parametrize("label", ["two words", "", "-x", 'quo"te', "back\\slash", "l" * 127, "café"])
def test_what_would_be_another_word_is_not_typed(seat: Seat, label: str) -> None:
    with seat.open() as tool:
        assert not tool.can_type(label)
        before = seat.sessions.count()
        with pytest.raises(UsageError):
            tool.generate_pair(label, 2048)
        assert seat.sessions.count() == before


@pytest.mark.parametrize("jitter", ["", "ferry", "of-2026"])
def test_an_unwrap_that_a_busy_hsm_refuses_is_refused(jitter: str, make_place: MakePlace, tmp_path: Path) -> None:
    seat = Seat(make_place(jitter=jitter), tmp_path)
    seat.place.arm("cloudhsm-cli", "busy", "key-unwrap-rsa-oaep")
    with seat.host, seat.open() as tool:
        with pytest.raises(ToolRefusedError):
            seat.unwrapped(tool)
        assert tool.list_keys(KeyFilter(label="ledger=2031")) == ()


@pytest.mark.parametrize(
    ("fault", "error", "why"),
    [
        ("refused", LoginRefusedError, "refused the password: Login failed"),
        ("disconnected", UnreachableError, "the connection to the HSM is lost"),
    ],
)
def test_a_failed_login_names_a_cause_only_where_one_is_documented(
    seat: Seat, fault: str, error: type[KeyferryError], why: str
) -> None:
    seat.place.arm("cloudhsm-cli", fault, "login")
    logins = Logins()
    with CloudHsmCli.open(seat.sessions, seat.host, LIMITS) as tool:
        with pytest.raises(error, match=why) as failed:
            tool.login(seat.user, seat.password, logins)
        assert failed.value.seen
        assert ("possible causes" in str(failed.value.hint)) is (fault == "refused")
        with pytest.raises(LoginRefusedError):  # what became of the first try is not known
            tool.login(seat.user, seat.password, logins)


def test_five_wrong_passwords_lock_the_user_and_it_is_seen_before_the_next(seat: Seat) -> None:
    wrong = Secret("password", b"not-the-password")
    for _ in range(5):
        with CloudHsmCli.open(seat.sessions, seat.host, LIMITS) as tool, pytest.raises(LoginRefusedError):
            tool.login(seat.user, wrong, Logins())
    with CloudHsmCli.open(seat.sessions, seat.host, LIMITS) as tool:
        assert [user.locked for user in tool.users() if user.name == seat.user] == [True]


@pytest.mark.parametrize(("state", "jitter"), [("2", ""), ("0", ""), ("2", "ferry")])
def test_the_cluster_is_shown_with_every_member(state: str, jitter: str, make_place: MakePlace, tmp_path: Path) -> None:
    seat = Seat(make_place(jitter=jitter), tmp_path)
    told = f"{state} [{'non-' if state == '0' else ''}FIPS mode with single factor authentication]"
    seat.place.store.set(FIPS_STATE, told)
    with seat.host, CloudHsmCli.open(seat.sessions, seat.host, LIMITS) as tool:
        for hsm in tool.hsms():
            assert " ".join(hsm) == HSM_MEMBERS
            assert hsm["fips-state"] == told


def test_the_quota_leaves_room(seat: Seat) -> None:
    around = (seat.sessions, seat.host, LIMITS, Logins())
    destination = CloudHsmCliDestination(*around, user=seat.user, password=seat.password)
    destination.preflight()
    destination.log_in()
    assert destination.room() == 16666
    destination.make_pair("ferry_wrap", 2048, extractable=False)
    assert destination.room() == 16664
    destination.close()


def test_the_single_command_mode_answers_in_json_alone(make_place: MakePlace, monkeypatch: pytest.MonkeyPatch) -> None:
    place = make_place()
    user, password = place.store.setting(CRYPTO_USER), World(place.directory).secrets()[1]
    assert json.loads(place.run("cloudhsm-cli", "key", "list").stdout)["error_code"] == 1
    monkeypatch.setenv("CLOUDHSM_ROLE", "crypto-user")
    monkeypatch.setenv("CLOUDHSM_PIN", f"{user}:{password}")
    options = ["--label", "x", "--key-length-bytes", "16", "--attributes", "modifiable=false"]
    options += ["--share-crypto-users", "Payments"]
    place.arm("cloudhsm-cli", "log-noise", "key-generate-symmetric-aes")
    made = place.run("cloudhsm-cli", *["key", "generate-symmetric", "aes", *options])
    assert "Falling back to standard error" in made.stderr
    key = json.loads(made.stdout)["data"]["key"]
    assert [one["username"] for one in key["key-info"]["shared-users"]] == ["payments"]
    attributes = key["attributes"]
    assert (attributes["key-length-bytes"], attributes["modifiable"]) == (16, False)
    listed = json.loads(place.run("cloudhsm-cli", "key", "list", "--filter", "attr.label=x").stdout)
    assert listed["data"]["total_key_count"] == 1
    nothing = json.loads(place.run("cloudhsm-cli", "key", "list", "--filter", "attr.public-exponent=none").stdout)
    assert nothing["data"]["matched_keys"] == []  # a secret key has no exponent, not one of that name
    for words in (["key", "list", "--loud"], []):
        misused = place.run("cloudhsm-cli", *words)
        assert (misused.returncode, misused.stdout) == (2, "")
        assert "Traceback" not in misused.stderr
    assert place.run("cloudhsm-cli", "key", "list", "--help").stdout.startswith("Usage: key list ")


def test_a_key_that_others_approve_is_neither_used_nor_deleted_alone(
    make_place: MakePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = make_place()
    user, password = place.store.setting(CRYPTO_USER), World(place.directory).secrets()[1]
    login = ["singlecmd", "loginHSM", "-u", "CU", "-s", user, "-p", password]
    place.run("key_mgmt_util", *login, *["genSymKey", "-t", "31", "-s", "32", "-l", "x", "-m_value", "2"])
    monkeypatch.setenv("CLOUDHSM_ROLE", "crypto-user")
    monkeypatch.setenv("CLOUDHSM_PIN", f"{user}:{password}")
    refused = {"error_code": 1, "data": "Quorum approval is required for this operation"}
    assert json.loads(place.run("cloudhsm-cli", "key", "delete", "--filter", "attr.label=x").stdout) == refused
    unwrap = "key unwrap rsa-oaep --hash-function sha1 --mgf mgf1-sha1 --key-type-class aes --label y --data AAAA"
    asked = place.run("cloudhsm-cli", *unwrap.split(), "--filter", "attr.label=x")
    assert json.loads(asked.stdout) == refused
