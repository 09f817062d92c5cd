"""The drivers against recordings that were written by hand from the reference, line by line, and from nothing else."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import player
from keyferry.errors import ToolRefusedError
from keyferry.pkcs11 import DestinationHandle, Slot, SourceHandle
from keyferry.recording.reader import read
from keyferry.secrets import Secret
from keyferry.terminal.host import LocalHost
from keyferry.terminal.sessions import Sessions
from keyferry.tools.ckdemo.driver import Ckdemo
from keyferry.tools.cloudhsm_cli import driver as cli
from keyferry.tools.cloudhsm_cli.destination import described
from keyferry.tools.cloudhsm_cli.driver import CloudHsmCli
from keyferry.tools.cmu.driver import Cmu
from keyferry.tools.key_mgmt_util.driver import KeyMgmtUtil, UnwrapCommand
from keyferry.tools.limits import Limits
from keyferry.tools.logins import Logins
from keyferry.tools.vtl.driver import list_slots
from runner import PASSWORD, PIN

if TYPE_CHECKING:
    from collections.abc import Iterator

BY_HAND = Path(__file__).parents[2] / "transcripts" / "by-hand"
RECORDINGS = sorted(BY_HAND.glob("*.cast"))
REFERENCE = Path(__file__).parents[3] / "shared" / "reference"
LIMITS = Limits(start=20, answer=20, login=20, generate=20)
THE_PIN, THE_PASSWORD = Secret(PIN, b"by-hand-pin-5"), Secret(PASSWORD, b"by-hand-word-6")
SLOT, KEY, WRAPPING = Slot(1), SourceHandle(214), SourceHandle(219)
SIZES = pytest.mark.parametrize("read_size", [1, 7, 65536])


class Stage:
    """One recording in its tool's place."""

    def __init__(self, folder: Path, number: str, read_size: int) -> None:
        chosen = folder / "recorded"
        chosen.mkdir()
        for path in BY_HAND.glob(f"{number}-*"):
            (chosen / path.name).write_bytes(path.read_bytes())
        secrets = {PIN: THE_PIN.reveal().decode(), PASSWORD: THE_PASSWORD.reveal().decode()}
        self.host = LocalHost("by-hand", player.install(chosen, folder, secrets))
        self.sessions = Sessions(folder, "by-hand", [THE_PIN, THE_PASSWORD], read_size)
        self.folder = folder

    @property
    def cmu(self) -> Cmu:
        return Cmu(self.sessions, self.host, LIMITS, SLOT, THE_PIN, Logins(), ha=False)


@contextmanager
def stage(folder: Path, number: str, read_size: int) -> Iterator[Stage]:
    """The recording is played to its end: nothing of it may be left out."""
    with ExitStack() as stack:
        here = Stage(folder, number, read_size)
        stack.enter_context(here.host)
        yield here
        assert player.not_played(folder) == []
        assert _typed(folder) == _typed(folder / "recorded")


def _typed(folder: Path) -> list[str]:
    [session] = folder.glob("*.cast")
    return [event.data for event in read(session).events if event.code in "is"]


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.name)
def test_each_screen_names_the_line_of_the_reference_that_it_was_written_from(path: Path) -> None:
    events = read(path).events
    for before, event in zip((None, *events), events, strict=False):
        if event.code != "o":
            continue
        assert before is not None
        assert before.code == "m", f"line {event.line}"
        name, _, words = before.data.partition(" ")
        if REFERENCE.exists():
            assert words in (REFERENCE / name).read_text(), f"line {before.line}"


@SIZES
def test_vtl_of_5_x(tmp_path: Path, read_size: int) -> None:
    with stage(tmp_path, "001", read_size) as here:
        rows = list_slots(here.sessions, here.host, LIMITS)
    assert [(row.number, row.label, row.serial, row.present, row.ha) for row in rows] == [
        (1, "ledger key store", "204517013", True, False),
        (2, "hsm-west_2=old", "204533027", True, False),
        (3, None, None, False, False),
        (4, "ledger_ha", "1204517013", True, True),
    ]


@SIZES
def test_vtl_of_6_x_and_later(tmp_path: Path, read_size: int) -> None:
    with stage(tmp_path, "002", read_size) as here:
        rows = list_slots(here.sessions, here.host, LIMITS)
    assert [(row.number, row.description, row.label, row.serial) for row in rows] == [
        (0, "Net Token Slot", "ledger key store", "1433917250016"),
        (3, "Net Token Slot", "a label of all 32 characters-- ok", "7204418"),
    ]


@SIZES
def test_cmu_list(tmp_path: Path, read_size: int) -> None:
    with stage(tmp_path, "003", read_size) as here:
        found = {one.handle: one.label for one in here.cmu.list()}
    assert found == {214: "ledger=2031 main", 97: "", 61: "Command: card é"}


@SIZES
def test_cmu_import(tmp_path: Path, read_size: int) -> None:
    with stage(tmp_path, "004", read_size) as here:
        here.cmu.import_public_key("wrap.pem", "ferry_wrap")


@SIZES
def test_cmu_get_attributes(tmp_path: Path, read_size: int) -> None:
    with stage(tmp_path, "005", read_size) as here:
        found = here.cmu.get_attributes(WRAPPING)
    assert {name: found[name] for name in ("class", "keytype", "label", "wrap")} == {
        "class": "publicKey",
        "keytype": "RSA",
        "label": "ferry_wrap",
        "wrap": "false",
    }
    assert int(found["modulus"], 16).bit_length() == int(found["modulusbits"]) == 2048


@SIZES
def test_ckdemo(tmp_path: Path, read_size: int) -> None:
    with stage(tmp_path, "006", read_size) as here:
        tool = Ckdemo.open(here.sessions, here.host, LIMITS)
        tool.menu_off()
        token = tool.token_info(SLOT)
        tool.open_session(SLOT)
        tool.login(THE_PIN, Logins())
        listed = {one.handle: one.label for one in tool.find_objects()}
        public = [one.handle for one in tool.find_objects("public")]
        shown = tool.display_object(KEY)
        tool.set_attribute(WRAPPING, "CKA_WRAP", value=True)
        size = tool.wrap_key(WRAPPING, KEY, "sha1")
        kcv = tool.check_value(KEY, "AES")
        tool.logout()
        tool.close_session()
        tool.quit()
    assert (token.label, token.serial) == ("ledger key store", "204517013")
    assert "CKF_USER_PIN_INITIALIZED" in token.flags
    assert listed == {61: "Enter your choice : card", 97: "", 219: "ferry_wrap", 214: "ledger=2031 main"}
    assert public == [WRAPPING]
    assert (shown.number("CKA_VALUE_LEN"), shown.flag("CKA_EXTRACTABLE")) == (32, True)
    assert (size, kcv) == (256, "4fd21b")


def _request(wrapping: int, label: str, key_type: str, id: str | None) -> UnwrapCommand:
    return UnwrapCommand("ledger.wrapped", DestinationHandle(wrapping), label, key_type, "sha1", id=id)


@SIZES
def test_key_mgmt_util_of_generation_2(tmp_path: Path, read_size: int) -> None:
    with stage(tmp_path, "007", read_size) as here:
        tool = KeyMgmtUtil.open(here.sessions, here.host, LIMITS)
        users = [(user.id, user.type, user.name, user.login_failures) for user in tool.list_users()]
        tool.login("ferry_user", THE_PASSWORD, Logins())
        pair = tool.generate_rsa_key_pair("ferry_wrap", 2048)
        tool.export_public_key(pair.public, "ferry.pem")
        pem = here.host.read("ferry.pem")
        made = tool.unwrap_key(_request(pair.private, "ledger=2031", "AES", "a94f"))
        handles = tool.find_keys(key_class=4)
        tool.find_single_key(made.handle)
        attributes = tool.get_attributes(made.handle)
        tool.logout()
        tool.close()
    assert users == [(1, "CO", "admin", 0), (2, "AU", "app_user", 0), (9, "CU", "ferry_user", 0)]
    assert (pair.public, pair.private, [node.id for node in pair.nodes]) == (2621938, 2621448, [15, 1])
    assert pem.startswith(b"-----BEGIN PUBLIC KEY-----\n")
    assert (len(handles), handles[-2:]) == (17, (made.handle, 2**64 - 1))
    assert (attributes.label, attributes.id, attributes.kcv) == ("ledger=2031", "a94f", "4fd21b")


@SIZES
def test_key_mgmt_util_as_the_pages_of_2017_to_2022_mix_it(tmp_path: Path, read_size: int) -> None:
    with stage(tmp_path, "008", read_size) as here:
        tool = KeyMgmtUtil.open(here.sessions, here.host, LIMITS)
        tool.login("ferry_user", THE_PASSWORD, Logins(), visible=True)
        pair = tool.generate_rsa_key_pair("ferry_wrap", 2048, exponent=65541, extractable=True)
        tool.export_public_key(pair.public, "ferry.pem")
        handles = tool.find_keys()
        owner = tool.get_key_info(DestinationHandle(41))
        made = tool.unwrap_key(_request(pair.private, "ledger3", "DES3", None))
        tool.find_single_key(made.handle)
        attributes = tool.get_attributes(made.handle)
        with pytest.raises(ToolRefusedError) as refused:
            tool.delete_key(DestinationHandle(524301))
        tool.logout()
        tool.close()
    assert (pair.public, pair.private) == (262187, 262184)
    assert handles == (6, 41, 262184, 262187, 524301)
    assert (owner.owner, owner.shared) == (9, (4, 11))
    assert (made.handle, [node.id for node in made.nodes]) == (43, [1, 0])
    assert (attributes.label, attributes.id, attributes.value_len, attributes.kcv) == ("ledger3", "", 24, "90be37")
    assert refused.value.code == "0xc6"


@SIZES
def test_cloudhsm_cli(tmp_path: Path, read_size: int) -> None:
    with stage(tmp_path, "009", read_size) as here:
        tool = CloudHsmCli.open(here.sessions, here.host, LIMITS)
        tool.login("ferry_user", THE_PASSWORD, Logins())
        pair = tool.generate_pair("ferry_wrap", 2048)
        tool.generate_file(pair.public.handle, "ferry.pem")
        pem = here.host.read("ferry.pem")
        request = cli.UnwrapRequest(
            "ledger.wrapped",
            pair.private.handle,
            "ledger=2031",
            "AES",
            "sha1",
            id="a94f",
            usages={"ENCRYPT": True, "DECRYPT": True},
        )
        made = tool.unwrap(request)
        listed = [(key.handle, key.label) for key in tool.list_keys(cli.KeyFilter(key_class="secret-key"))]
        found = described(tool.key(made.handle))
        with pytest.raises(ToolRefusedError, match="matched 48 keys"):
            tool.delete(DestinationHandle(41))
        tool.logout()
        tool.close()
    assert (pair.public.handle, pair.private.handle) == (2621490, 2621000)
    assert pem.startswith(b"-----BEGIN PUBLIC KEY-----\n")
    assert listed == [(41, "aws-cloudhsm > "), (1835511, "ledger=2031"), (2**64 - 1, "last é")]
    assert (found.handle, found.id, found.bits, found.kcv, found.extractable) == (1835511, "a94f", 256, "4fd21b", True)
