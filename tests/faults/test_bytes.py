"""Every driver against a tool that dies after each byte of its output: what it told before is true, and no more.

`KEYFERRY_LONG=1` takes every byte; the default run some of them.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import player
from keyferry.errors import Exit, KeyferryError, ToolRefusedError
from keyferry.pkcs11 import DestinationHandle, Slot, SourceHandle
from keyferry.recording.reader import read
from keyferry.secrets import Secret
from keyferry.terminal.host import LocalHost
from keyferry.terminal.sessions import Sessions
from keyferry.tools.ckdemo.driver import Ckdemo
from keyferry.tools.cloudhsm_cli import driver as cli
from keyferry.tools.cloudhsm_cli.driver import CloudHsmCli
from keyferry.tools.cmu.driver import Cmu
from keyferry.tools.key_mgmt_util.driver import KeyMgmtUtil, UnwrapCommand
from keyferry.tools.limits import Limits
from keyferry.tools.logins import Logins
from keyferry.tools.vtl.driver import list_slots
from longer import LONG, every
from runner import PASSWORD, PIN

if TYPE_CHECKING:
    from collections.abc import Iterator

BY_HAND = Path(__file__).parents[2] / "transcripts" / "by-hand"
LIMITS = Limits(start=20, answer=20, login=20, generate=20)
THE_PIN, THE_PASSWORD = Secret(PIN, b"by-hand-pin-5"), Secret(PASSWORD, b"by-hand-word-6")
ENDS = {Exit.UNREACHABLE, Exit.UNKNOWN_SCREEN, Exit.LOGIN_REFUSED}
SLOT, KEY, WRAPPING = Slot(1), SourceHandle(214), SourceHandle(219)


class Stage:
    """The tools of one recording that dies after so many bytes (None: it lives)."""

    def __init__(self, folder: Path, name: str, death: int | None) -> None:
        shutil.copytree(BY_HAND, folder / "recorded", ignore=lambda _, names: {one for one in names if name not in one})
        secrets = {PIN: THE_PIN.reveal().decode(), PASSWORD: THE_PASSWORD.reveal().decode()}
        deaths = {} if death is None else {f"{name}.cast": death}
        self.host = LocalHost("by-hand", player.install(folder / "recorded", folder, secrets, deaths))
        self.sessions = Sessions(folder, "by-hand", [THE_PIN, THE_PASSWORD])
        self.logins = Logins()
        self.folder = folder

    @property
    def cmu(self) -> Cmu:
        return Cmu(self.sessions, self.host, LIMITS, SLOT, THE_PIN, self.logins, ha=False)

    def typed(self) -> int:
        """How often a secret was typed."""
        return sum(event.code == "s" for path in self.folder.glob("*.cast") for event in read(path).events)


def vtl(here: Stage) -> Iterator[object]:
    yield list_slots(here.sessions, here.host, LIMITS)


def cmu_list(here: Stage) -> Iterator[object]:
    yield here.cmu.list()


def cmu_import(here: Stage) -> Iterator[object]:
    here.cmu.import_public_key("wrap.pem", "ferry_wrap")
    yield None


def cmu_attributes(here: Stage) -> Iterator[object]:
    yield here.cmu.get_attributes(WRAPPING)


def ckdemo(here: Stage) -> Iterator[object]:
    tool = Ckdemo.open(here.sessions, here.host, LIMITS)
    tool.menu_off()
    yield None
    yield tool.token_info(SLOT)
    tool.open_session(SLOT)
    yield None
    tool.login(THE_PIN, here.logins)
    yield None
    yield tool.find_objects()
    yield tool.find_objects("public")
    yield tool.display_object(KEY)
    yield tool.set_attribute(WRAPPING, "CKA_WRAP", value=True)
    yield tool.wrap_key(WRAPPING, KEY, "sha1")
    yield tool.check_value(KEY, "AES")
    tool.logout()
    yield None
    tool.close_session()
    yield None
    tool.quit()
    yield None


def key_mgmt_util(here: Stage) -> Iterator[object]:
    tool = KeyMgmtUtil.open(here.sessions, here.host, LIMITS)
    yield tool.list_users()
    tool.login("ferry_user", THE_PASSWORD, here.logins)
    yield None
    pair = tool.generate_rsa_key_pair("ferry_wrap", 2048)
    yield pair
    tool.export_public_key(pair.public, "ferry.pem")
    yield None
    request = UnwrapCommand("ledger.wrapped", DestinationHandle(pair.private), "ledger=2031", "AES", "sha1", id="a94f")
    made = tool.unwrap_key(request)
    yield made
    yield tool.find_keys(key_class=4)
    yield tool.find_single_key(made.handle)
    yield tool.get_attributes(made.handle)
    tool.logout()
    yield None
    tool.close()
    yield None


def cloudhsm_cli(here: Stage) -> Iterator[object]:
    tool = CloudHsmCli.open(here.sessions, here.host, LIMITS)
    yield None
    tool.login("ferry_user", THE_PASSWORD, here.logins)
    yield None
    pair = tool.generate_pair("ferry_wrap", 2048)
    yield pair
    tool.generate_file(pair.public.handle, "ferry.pem")
    yield None
    usages = {"ENCRYPT": True, "DECRYPT": True}
    made = tool.unwrap(
        cli.UnwrapRequest("ledger.wrapped", pair.private.handle, "ledger=2031", "AES", "sha1", id="a94f", usages=usages)
    )
    yield made
    yield tool.list_keys(cli.KeyFilter(key_class="secret-key"))
    yield tool.key(made.handle)
    with pytest.raises(ToolRefusedError):
        tool.delete(DestinationHandle(41))
    yield None
    tool.logout()
    yield None
    tool.close()
    yield None


TALKS = {
    "001-vtl": vtl,
    "003-cmu": cmu_list,
    "004-cmu": cmu_import,
    "005-cmu": cmu_attributes,
    "006-ckdemo": ckdemo,
    "007-key_mgmt_util": key_mgmt_util,
    "009-cloudhsm-cli": cloudhsm_cli,
}


def told(folder: Path, name: str, death: int | None) -> tuple[list[object], int, KeyferryError | None]:
    """What the tool told until it died, how often a secret was typed to it, and the error that told of its death."""
    folder.mkdir()
    here = Stage(folder, name, death)
    results: list[object] = []
    with here.host:
        try:
            for result in TALKS[name](here):
                results.append(result)  # noqa: PERF402 - what was told before an error counts
        except KeyferryError as error:
            return results, here.typed(), error
        finally:
            here.sessions.close()
        return results, here.typed(), None


def size(name: str) -> int:
    """Bytes that the recorded tool prints."""
    return sum(len(data) for code, data in read(BY_HAND / f"{name}.cast").conversation() if code == "o")


LAST_WORDS = 60
"""Bytes that a tool prints at most when it is left."""

CHUNK = 40
"""Deaths of one test: so many tests and folders as there are bytes would be slow by themselves."""


def chunks(name: str) -> list[list[int]]:
    deaths = range(size(name))
    chosen = deaths if LONG else every(max(1, len(deaths) // 9), deaths)
    return [list(chosen[start : start + CHUNK]) for start in range(0, len(chosen), CHUNK)]


@pytest.mark.parametrize(
    ("name", "deaths"),
    [(name, chunk) for name in TALKS for chunk in chunks(name)],
    ids=lambda value: value if isinstance(value, str) else str(value[0]),
)
def test_a_tool_that_dies_after_a_byte(tmp_path: Path, name: str, deaths: list[int]) -> None:
    whole, typed, error = told(tmp_path / "whole", name, None)
    assert error is None
    for death in deaths:
        results, often, died = told(tmp_path / str(death), name, death)
        assert results == whole[: len(results)], death
        assert often <= typed, death
        if died is None:  # of its last words none is awaited
            assert results == whole
            assert death >= size(name) - LAST_WORDS, death
        else:
            assert died.exit_code in ENDS, (death, died.what)
            assert len(results) < len(whole), death
        shutil.rmtree(tmp_path / str(death))
