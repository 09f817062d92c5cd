"""What may be typed to each tool: in a migration the procedure's own commands, else any that is documented."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyferry.tools.ckdemo import dialect as ckdemo
from keyferry.tools.cloudhsm_cli import screens as cloudhsm_cli
from keyferry.tools.cmu import dialect as cmu
from keyferry.tools.key_mgmt_util import dialect as key_mgmt_util
from keyferry.tools.vtl import dialect as vtl

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

_CLOUDHSM_CLI = frozenset(
    {
        cloudhsm_cli.USERS,
        cloudhsm_cli.HSM_INFO,
        cloudhsm_cli.LOGIN,
        cloudhsm_cli.LIST,
        cloudhsm_cli.PAIR,
        cloudhsm_cli.FILE,
        cloudhsm_cli.UNWRAP,
        cloudhsm_cli.LOGOUT,
        cloudhsm_cli.QUIT,
    }
)
_HELPS = frozenset(f"{cloudhsm_cli.HELP} {command}" for command in _CLOUDHSM_CLI - {cloudhsm_cli.QUIT})

MIGRATION: dict[str, AbstractSet[str]] = {
    "key_mgmt_util": key_mgmt_util.PROCEDURE,
    "cloudhsm-cli": _CLOUDHSM_CLI | _HELPS,
    "ckdemo": ckdemo.PROCEDURE,
    "cmu": cmu.PROCEDURE,
    "vtl": vtl.PROCEDURE,
}
ACTION: dict[str, AbstractSet[str]] = {
    "key_mgmt_util": key_mgmt_util.DOCUMENTED,
    "cloudhsm-cli": _CLOUDHSM_CLI | _HELPS | {cloudhsm_cli.DELETE},
    "ckdemo": ckdemo.DOCUMENTED,
    "cmu": cmu.DOCUMENTED,
    "vtl": vtl.DOCUMENTED,
}
