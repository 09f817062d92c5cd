"""A label or id has at most 126 characters, with either tool of the cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from keyferry.errors import UsageError
from keyferry.pkcs11 import DestinationHandle
from keyferry.planning.key_list import TargetSpec
from keyferry.planning.selection import reject_untypeable
from keyferry.tools.cloudhsm_cli.destination import CloudHsmCliDestination
from keyferry.tools.key_mgmt_util import commands
from keyferry.tools.key_mgmt_util.destination import KeyMgmtUtilDestination

if TYPE_CHECKING:
    from keyferry.tools.endpoints import CanBeTold

TOOLS = (KeyMgmtUtilDestination, CloudHsmCliDestination)
LONGEST, TOO_LONG = "x" * 126, "x" * 127


@pytest.mark.parametrize("tool", TOOLS)
def test_the_longest_name(tool: CanBeTold) -> None:
    assert tool.can_type(LONGEST)
    assert not tool.can_type(TOO_LONG)
    reject_untypeable([TargetSpec(label=LONGEST, id=LONGEST)], tool, LONGEST)
    for want, pair in ((TargetSpec(label=TOO_LONG), "w"), (TargetSpec(id=TOO_LONG), "w"), (TargetSpec(), TOO_LONG)):
        with pytest.raises(UsageError):
            reject_untypeable([want], tool, pair)


def test_no_command_of_key_mgmt_util_makes_a_longer_one() -> None:
    handle = DestinationHandle(7)
    for text, id_ in ((TOO_LONG, None), ("x", TOO_LONG)):
        with pytest.raises(UsageError, match="126"):
            commands.unwrap_key(commands.UnwrapCommand("f", handle, text, "AES", "sha1", id_))
        with pytest.raises(UsageError, match="126"):
            commands.generate_secret_key(commands.SecretKeyRequest(text, "AES", 32, id_))
        with pytest.raises(UsageError, match="126"):
            commands.import_public_key(text, "f", id_)
    with pytest.raises(UsageError, match="126"):
        commands.generate_rsa_key_pair(TOO_LONG, 2048, 65537, extractable=False)
    assert LONGEST in commands.unwrap_key(commands.UnwrapCommand("f", handle, LONGEST, "AES", "sha1", LONGEST))
