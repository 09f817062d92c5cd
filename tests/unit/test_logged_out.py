"""Where CloudHSM CLI refuses, whether it is for want of a login is asked, and answered by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import pytest

from keyferry.errors import ToolRefusedError
from keyferry.pkcs11 import DestinationHandle
from keyferry.tools.cloudhsm_cli.destination import CloudHsmCliDestination
from keyferry.tools.cloudhsm_cli.driver import NO_KEY

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = DestinationHandle(41)


class Tool:
    """Refuses every command while nobody is logged in; `wrong`: what it refuses besides."""

    def __init__(self, wrong: str | None = None, *, helps: bool = True) -> None:
        self.logged_in, self.logins, self.helps, self.wrong = False, 0, helps, wrong

    def login(self, *_words: object) -> None:
        self.logins += 1
        self.logged_in = self.helps

    def generate_file(self, _handle: DestinationHandle, _file: str) -> None:
        self._demand(self.wrong)

    def count(self) -> int:
        self._demand(None)
        return 7

    def _demand(self, wrong: str | None) -> None:
        if wrong or not self.logged_in:
            raise ToolRefusedError("refused", code=wrong or "1", tool="cloudhsm-cli")


@pytest.fixture
def reached() -> Callable[[Tool], CloudHsmCliDestination]:
    def reach(tool: Any) -> CloudHsmCliDestination:
        destination = CloudHsmCliDestination(Mock(), Mock(), Mock(), Mock(), user="cu", password=Mock())
        destination._session = tool
        return destination

    return reach


def test_who_is_out_is_logged_in_again_each_time(reached: Callable[[Tool], CloudHsmCliDestination]) -> None:
    tool = Tool()
    destination = reached(tool)
    for times in (1, 2):
        tool.logged_in = False
        destination.export_public_key(KEY, "file")
        assert tool.logins == times


@pytest.mark.parametrize("wrong", ["1", NO_KEY])
def test_a_refusal_for_another_reason_stays_one(reached: Callable[[Tool], CloudHsmCliDestination], wrong: str) -> None:
    tool = Tool(wrong)
    tool.logged_in = True
    with pytest.raises(ToolRefusedError):
        reached(tool).export_public_key(KEY, "file")
    assert tool.logins == 0


def test_a_login_that_helps_nothing_is_not_repeated(reached: Callable[[Tool], CloudHsmCliDestination]) -> None:
    tool = Tool(helps=False)
    destination = reached(tool)
    for _ in range(3):
        with pytest.raises(ToolRefusedError):
            destination.export_public_key(KEY, "file")
    assert tool.logins == 1
