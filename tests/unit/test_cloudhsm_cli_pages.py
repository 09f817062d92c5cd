from __future__ import annotations

import json
from unittest.mock import Mock

import pytest

from keyferry.errors import UnknownScreenError
from keyferry.terminal.prompts import Heard
from keyferry.tools.cloudhsm_cli.driver import CloudHsmCli
from keyferry.tools.cloudhsm_cli.screens import unwrapped
from keyferry.tools.limits import Limits


def _page(*handles: int, total: int, token: str | None) -> Heard:
    keys = [{"key-reference": f"0x{handle:016x}", "attributes": {"label": "x"}} for handle in handles]
    told = {"matched_keys": keys, "total_key_count": total, "returned_key_count": len(keys), "next_token": token}
    return Heard(json.dumps({"error_code": 0, "data": told}), "aws-cloudhsm >")


def _tool(*pages: Heard) -> CloudHsmCli:
    console = Mock(**{"hear.side_effect": pages, "recorder.redact": str, "host": "cloudhsm"})
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
