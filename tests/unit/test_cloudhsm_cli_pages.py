from __future__ import annotations

import json
from unittest.mock import Mock

import pytest

from keyferry.errors import (
    KeyferryError,
    LoginRefusedError,
    ToolRefusedError,
    UnknownScreenError,
    UnreachableError,
)
from keyferry.pkcs11 import DestinationHandle
from keyferry.secrets import Secret
from keyferry.terminal.prompts import Reply
from keyferry.tools.cloudhsm_cli.driver import CloudHsmCli
from keyferry.tools.cloudhsm_cli.screens import unwrapped
from keyferry.tools.limits import Limits
from keyferry.tools.logins import Logins

TOO_FEW = "Cannot perform the requested key operation as the key must be available on at least 2 HSMs."
ADVICE = "Either increase the number of HSMs in the cluster, or disable the key availability check."


def _page(*handles: int, total: int, token: str | None) -> Reply:
    keys = [{"key-reference": f"0x{handle:016x}", "attributes": {"label": "x"}} for handle in handles]
    told = {"matched_keys": keys, "total_key_count": total, "returned_key_count": len(keys), "next_token": token}
    return Reply(json.dumps({"error_code": 0, "data": told}), "aws-cloudhsm >")


def _tool(*pages: Reply) -> CloudHsmCli:
    console = Mock(**{"hear.side_effect": pages, "recorder.redact": str, "host": "destination"})
    return CloudHsmCli(console, Limits())


def test_the_keys_of_all_pages() -> None:
    tool = _tool(_page(1, 2, total=3, token="2"), _page(0, total=3, token=None))
    assert [key.handle for key in tool.list_keys()] == [1, 2, 0]


@pytest.mark.parametrize("last", [2, 1])
def test_a_key_on_two_pages_hides_another(last: int) -> None:
    tool = _tool(_page(1, 2, total=3, token="2"), _page(last, total=3, token=None))
    with pytest.raises(UnknownScreenError, match="2 keys on all pages, told as 3"):
        tool.list_keys()


@pytest.mark.parametrize("coverage", [["full", "full"], ["partial", "full"], ["full", "partial"]])
def test_a_key_is_covered_only_where_all_that_is_told_says_so(coverage: list[str]) -> None:
    holders = [{"username": "cu1", "key-coverage": one} for one in coverage]
    info = {"key-owners": holders, "shared-users": [], "cluster-coverage": "full"}
    key = {"key-reference": "0x16", "key-info": info, "attributes": {"label": "x"}}
    found = unwrapped(json.dumps({"error_code": 0, "data": {"key": key}}))
    assert (found.covered, found.owners) == (coverage == ["full", "full"], ("cu1", "cu1"))


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("Received error response code from Server. Response Code: 187", UnreachableError),
        ("Sequence number is outside of window", UnreachableError),
        ("Login failed", LoginRefusedError),
        ("the HSM did not answer in time", LoginRefusedError),
    ],
)
def test_a_failed_login_counts_as_refused_unless_its_text_is_documented(text: str, error: type[KeyferryError]) -> None:
    asked = Reply("", "Enter password:")
    tool = _tool(asked, Reply(json.dumps({"error_code": 1, "data": text}), "aws-cloudhsm >"))
    with pytest.raises(error) as failed:
        tool.login("cu1", Secret("password", b"a-wrong-one"), Logins())
    assert text in f"{failed.value.what} {failed.value.seen}"


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("Quorum approval is required for this operation", True),
        ("Key selection criteria matched 0 keys. Refine selection criteria to select a single key.", True),
        (f"{TOO_FEW}\n{ADVICE}", True),
        (f"{TOO_FEW} {ADVICE}", True),
        (TOO_FEW, True),
        ("Received error response code from Server. Response Code: 187", True),
        ("Received error response code from Server. Response Code: 1870", False),
        ("Received error response code from Server. Response Code: 805306496", False),
        ("HSM is disconnected", False),
        ("Sequence number is outside of window", False),
        ("Quorum approval is required for this operation, or the request timed out", False),
        ("", False),
    ],
)
def test_a_key_command_is_refused_only_with_a_documented_text(text: str, refused: bool) -> None:
    answer = Reply(json.dumps({"error_code": 1, "data": text}), "aws-cloudhsm >")
    tool = _tool(answer, answer)
    for change in (lambda: tool.generate_pair("w", 2048), lambda: tool.delete(DestinationHandle(7))):
        with pytest.raises(ToolRefusedError if refused else UnknownScreenError):
            change()
