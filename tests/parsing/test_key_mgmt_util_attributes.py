"""Attributes that key_mgmt_util gives of a key: lengths, and those that the client does not know."""

from __future__ import annotations

import pytest

from keyferry.errors import UnknownScreenError
from keyferry.pkcs11 import DestinationHandle
from keyferry.tools.key_mgmt_util.attributes import attributes
from keyferry.tools.key_mgmt_util.destination import described
from keyferry.tools.key_mgmt_util.parsing import parse


def test_a_length_is_read_of_secret_keys_only() -> None:
    """VALUE_LEN of an RSA key is the length of an export buffer, or absent."""
    rsa = "OBJ_ATTR_CLASS\n0x02\nOBJ_ATTR_KEY_TYPE\n0x00\nOBJ_ATTR_TOKEN\n0x01\nOBJ_ATTR_EXTRACTABLE\n0x01\n"
    rsa += "OBJ_ATTR_LOCAL\n0x01\nOBJ_ATTR_LABEL\nferry\nOBJ_ATTR_ID\n\nOBJ_ATTR_MODULUS_BITS\n0x00000800\n"
    for length in ("", "OBJ_ATTR_VALUE_LEN\n0x00000200\n", "OBJ_ATTR_VALUE_LEN\n0x00000000\n"):
        assert described(DestinationHandle(7), attributes(rsa + length)).bits == 2048
    aes = rsa.replace("0x02", "0x04").replace("TYPE\n0x00", "TYPE\n0x1f").partition("OBJ_ATTR_MODULUS")[0]
    assert described(DestinationHandle(7), attributes(aes + "OBJ_ATTR_VALUE_LEN\n0x00000020\n")).bits == 256
    with pytest.raises(UnknownScreenError, match="VALUE_LEN"):
        described(DestinationHandle(7), attributes(aes))


@pytest.mark.parametrize("line", ["018", "018g", "0184 0185", "0x0184", "-0184"])
def test_only_a_bare_number_is_an_unknown_attribute(line: str) -> None:
    screen = f"Attribute size: 9, count: 1\n{line}\nWritten to: f file\n"
    with pytest.raises(UnknownScreenError):
        parse("getAttribute", f"{screen}\tCfm3GetAttribute returned: 0x00 : HSM Return: SUCCESS\n")
