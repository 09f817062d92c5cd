"""What the driver of ckdemo does besides a migration, on every dialect: find by type, generate, log out, close."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from keyferry.errors import ToolRefusedError, UnknownScreenError, UsageError
from keyferry.pkcs11 import Slot
from keyferry.secrets import Secret
from keyferry.terminal.host import LocalHost
from keyferry.terminal.sessions import Sessions
from keyferry.tools.ckdemo.driver import Ckdemo
from keyferry.tools.limits import Limits
from keyferry.tools.logins import Logins

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from place import MakePlace

LIMITS = Limits(start=20, answer=20, login=20)


@pytest.fixture(params=[("5", ""), ("7", ""), ("5", "one"), ("7", "two"), ("5", "three"), ("7", "four")])
def tool(request: pytest.FixtureRequest, make_place: MakePlace, tmp_path: Path) -> Iterator[Ckdemo]:
    """ckdemo in a session with the first partition, logged in."""
    luna, jitter = request.param
    place = make_place(luna, 10, jitter)
    pin = Secret("pin", place.pin.encode())
    with LocalHost("classic", place.directory / "bin") as host:
        sessions = Sessions(tmp_path, "run", [pin])
        tool = Ckdemo.open(sessions, host, LIMITS)
        tool.open_session(Slot({"5": 1, "7": 0}[luna]))
        tool.login(pin, Logins())
        yield tool
        sessions.close()


def test_objects_are_found_by_type(tool: Ckdemo) -> None:
    everything = {one.handle: one.label for one in tool.find_objects()}
    [public] = tool.find_objects("public")
    assert (public.label, everything[public.handle]) == ("web-signer", "web-signer")
    for kind in ("data", "des", "cast", "certificate", "domain"):
        assert {one.handle for one in tool.find_objects(kind)} < everything.keys()
    with pytest.raises(UsageError, match="no kind of object 'secret'"):
        tool.find_objects("secret")


@pytest.mark.parametrize(("kind", "length", "number"), [("AES", 32, 0x1F), ("DES3", 24, 0x15), ("Generic", 20, 0x10)])
def test_a_key_is_generated(tool: Ckdemo, kind: str, length: int, number: int) -> None:
    handle = tool.generate_key(kind, length, {"Is Token", "Is Sensitive", "Is Private", "Encrypt", "Decrypt"})
    shown = tool.display_object(handle)
    assert (shown.number("CKA_KEY_TYPE"), shown.number("CKA_VALUE_LEN")) in ((number, length), (number, None))
    assert (shown.flag("CKA_ENCRYPT"), shown.flag("CKA_WRAP"), shown.flag("CKA_SENSITIVE")) == (True, False, True)
    assert handle in {one.handle for one in tool.find_objects()}


def test_a_type_that_is_no_entry_of_the_table_is_not_guessed(tool: Ckdemo) -> None:
    with pytest.raises(UnknownScreenError, match="AES-XTS does not stand exactly once"):
        tool.generate_key("AES-XTS", 32, ())


def test_after_logout_private_objects_are_out_of_sight(tool: Ckdemo) -> None:
    before = tool.find_objects()
    tool.logout()
    assert len(tool.find_objects()) < len(before)
    tool.close_session()
    with pytest.raises(ToolRefusedError, match="CKR_SESSION_HANDLE_INVALID"):
        tool.find_objects()
    tool.quit()
