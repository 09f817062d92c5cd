"""Screens about keys, to the byte, and what its work is worth to an independent witness."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING

import pytest

from kmu_tool import BLOCK, OK, Cloud, check_value_by_openssl, result, unwrapped, wrap_with_openssl

if TYPE_CHECKING:
    from pathlib import Path

    from kmu_tool import Tool

KINDS = [("31", 16), ("31", 24), ("31", 32), ("21", 24), ("16", 20), ("16", 190)]
CIPHERS = {("31", 16): "aes-128-ecb", ("31", 24): "aes-192-ecb", ("31", 32): "aes-256-ecb", ("21", 24): "des-ede3"}


@pytest.fixture(params=["g1", "g2"])
def cloud(request: pytest.FixtureRequest, tmp_path: Path) -> Cloud:
    return Cloud(tmp_path, kmu=request.param)


@pytest.fixture
def g2(tmp_path: Path) -> Cloud:
    return Cloud(tmp_path)


@pytest.fixture
def g1(tmp_path: Path) -> Cloud:
    return Cloud(tmp_path, kmu="g1")


def unwrap_line(handle: int, label: str, kind: str = "31", extra: str = "", digest: int = 2) -> str:
    return f"unWrapKey -f blob -w {handle} -m 8 -t {digest} -noheader -l {label} -kc 4 -kt {kind}{extra}"


def bring(cloud: Cloud, tool: Tool, value: bytes, line: str = "", digest: str = "sha1") -> tuple[int, str]:
    """Make a pair and a blob for it, unwrap it; gives the private handle and the answer."""
    public, private = tool.make_pair()
    tool.ask(f"exportPubKey -k {public} -out wrap.pem")
    wrap_with_openssl(value, cloud.directory / "wrap.pem", cloud.directory / "blob", digest)
    return private, tool.ask(line.format(private) if line else unwrap_line(private, "brought"))


def test_a_pair_its_export_and_its_attributes(g2: Cloud) -> None:
    tool = g2.login()
    answer = tool.ask("genRSAKeyPair -m 2048 -e 65537 -l rsa_test")
    assert answer == (
        result("Cfm3GenerateKeyPair")
        + "\n\tCfm3GenerateKeyPair:    public key handle: 12    private key handle: 13\n"
        + BLOCK["g2"]
    )
    assert tool.ask("exportPubKey -k 12 -out ./w.pem") == (
        "\nPEM formatted public key is written to ./w.pem\n" + result("Cfm3ExportPubKey")
    )
    assert (g2.directory / "w.pem").read_text().startswith("-----BEGIN PUBLIC KEY-----\n")
    assert tool.ask("getAttribute -o 12 -a 512 -out a") == (
        "\nAttribute size: 801, count: 26\nWritten to: a file\n" + result("Cfm3GetAttribute")
    )
    lines = (g2.directory / "a").read_text().splitlines()
    modulus = lines[lines.index("OBJ_ATTR_MODULUS") + 1 : lines.index("OBJ_ATTR_MODULUS_BITS")]
    assert [len(line) for line in modulus] == [80] * 6 + [34]
    assert modulus[0].startswith("0x")
    assert tool.attribute(13, 288) == "".join(modulus)
    assert [tool.attribute(13, number) for number in (2, 263, 354, 355)] == ["0x00000001"] * 4


def test_g1_attributes_have_no_prefix_and_no_new_names(g1: Cloud) -> None:
    tool = g1.login()
    tool.ask("genRSAKeyPair -m 2048 -e 65541 -l rsa_test")
    assert tool.ask("getAttribute -o 12 -a 512 -out a") == (
        "\ngot all attributes of size 731 attr cnt 20\nAttributes dumped into a file\n" + result("Cfm3GetAttribute")
    )
    text = (g1.directory / "a").read_text()
    assert re.search(r"OBJ_ATTR_MODULUS\n([0-9a-f]{80}\n){6}[0-9a-f]{32}\nOBJ_ATTR_MODULUS_BITS\n0x00000800\n", text)
    assert text.endswith("OBJ_ATTR_PUBLIC_EXPONENT\n0x010005\n")
    assert tool.ask("getAttribute -o 12 -a 256 -out a") == (
        "Attributes dumped into a file\n" + result("Cfm3GetAttribute")
    )
    assert (g1.directory / "a").read_text() == "OBJ_ATTR_KEY_TYPE\n0x00000000\n"


def test_nex_makes_the_private_half_unexportable(g2: Cloud) -> None:
    tool = g2.login()
    public, private = tool.make_pair()
    assert tool.attribute(public, 354) == "0x00000001"
    assert tool.attribute(private, 354) == "0x00000000"
    assert tool.attribute(private, 356) == "0x00000001"


def test_unwrapping_prints_two_result_lines(cloud: Cloud) -> None:
    blank = {"g1": "", "g2": " "}[cloud.store.setting("kmu")]
    assert bring(cloud, cloud.login(), bytes(16))[1] == (
        result("Cfm3CreateUnwrapTemplate2")
        + result("Cfm2UnWrapWithTemplate3")
        + f"\n\tKey Unwrapped.  Key Handle: 14{blank}\n"
        + cloud.block
    )


@pytest.mark.parametrize(("kind", "size"), KINDS)
def test_what_openssl_wrapped_unwraps_to_the_same_key(g2: Cloud, kind: str, size: int) -> None:
    value, tool = secrets.token_bytes(size), g2.login()
    answer = bring(g2, tool, value, unwrap_line(13, "brought", kind, " -id 0x41 -nex"))[1]
    handle = unwrapped(answer)
    shown = [tool.attribute(handle, number) for number in (3, 258, 353, 354, 355, 357, 1)]
    assert shown == ["brought", "0x41", f"0x{size:08x}", "0x00000000", "0x00000000", "0x00000000", "0x00000001"]
    if cipher := CIPHERS.get((kind, size)):
        kcv = tool.attribute(handle, 371)
        assert kcv == check_value_by_openssl(value, cipher, 8 if kind == "21" else 16)
        assert f"\t{handle}\n" in tool.ask(f"findKey -kcv {kcv.removeprefix('0x')}")
    else:
        tool.ask(f"getAttribute -o {handle} -a 512 -out a")
        assert "OBJ_ATTR_KCV" not in (g2.directory / "a").read_text()


@pytest.mark.parametrize(("digest", "number"), [("sha224", 6), ("sha256", 3), ("sha384", 4), ("sha512", 5)])
def test_other_hashes(g2: Cloud, digest: str, number: int) -> None:
    assert unwrapped(bring(g2, g2.login(), bytes(32), unwrap_line(13, "a", digest=number), digest)[1]) == 14


def test_blobs_that_do_not_open(g2: Cloud) -> None:
    tool = g2.login()
    private, _ = bring(g2, tool, bytes(16))
    refused = "\n\tCfm2UnWrapWithTemplate3 returned: {} \n\n\t"
    bad = refused.format("0x1b") + "CSP Error: ERR_BAD_PKCS_DATA\n"
    assert bad in tool.ask(unwrap_line(private, "hash", digest=3))
    assert refused.format("0xb2") in tool.ask(unwrap_line(private, "size", "21"))
    assert refused.format("0xa8") in tool.ask(unwrap_line(private - 1, "public"))
    blob = g2.directory / "blob"
    blob.write_bytes(blob.read_bytes()[:-1])
    assert bad in tool.ask(unwrap_line(private, "short"))
    assert tool.ask(f"unWrapKey -f blob -w {private} -m 8").startswith("\n\tCfm3UnWrapKey returned: 0x1b ")
    assert "Number of matching keys from start index 0::0\n" in tool.ask("findKey -c 4")


def test_find_key_with_none_some_and_more_than_a_line(cloud: Cloud) -> None:
    tool, new = cloud.login(), cloud.store.setting("kmu") == "g2"
    total, tab = (
        ("\n\tTotal number of keys present: {}\n", "\t") if new else ("\nTotal number of keys present {}\n", "")
    )
    end = cloud.block + result("Cfm3FindKey")
    assert tool.ask("findKey -l none") == total.format(0) + end
    for _ in range(16):
        tool.ask("genSymKey -t 31 -s 16 -l many")
    head = (
        "\n\tNumber of matching keys from start index 0::15\n"
        if new
        else "\n number of keys matched from start index 0::15\n"
    )
    handles = sorted(number << 18 & 1 << 18 | number for number in range(12, 28))
    listed = ", ".join(map(str, handles[:15]))
    head += "\n\tHandles of matching keys:\n" if new else ""
    assert tool.ask("findKey -l many -c 4 -t 31 -sess 0") == (
        f"{total.format(16)}{head}{tab}{listed}, \n{tab}{handles[15]}\n{end}"
    )


def test_find_key_by_modulus_id_and_user(g2: Cloud) -> None:
    tool = g2.login()
    public, private = tool.make_pair()
    (g2.directory / "modulus").write_text(tool.attribute(public, 288))
    assert f"\t{public}, {private}\n" in tool.ask("findKey -m modulus")
    assert "present: 2\n" in tool.ask("findKey -u 3")
    assert "present: 0\n" in tool.ask("findKey -id none")


def test_single_key_info_and_deletion(g2: Cloud) -> None:
    tool = g2.login()
    tool.ask("genSymKey -t 31 -s 32 -l shared -u 4 -m_value 2")
    assert tool.ask("findSingleKey -k 12") == result("Cfm3FindSingleKey") + BLOCK["g2"]
    assert tool.ask("getKeyInfo -k 12") == (
        result("Cfm3GetKey") + "\n\tOwned by user: 3\n\n\tShared with following 1 user(s):\n\t\t 4\n"
        "\n\t 2 Users need to approve to use/manage this key\n"
    )
    assert tool.ask("deleteKey -k 12") == result("Cfm3DeleteKey") + BLOCK["g2"]
    invalid = "HSM Error: Invalid object handle is passed to this operation"
    assert tool.ask("deleteKey -k 12") == (
        f"\n\tCfm3DeleteKey returned: 0xa8 \n\n\t{invalid}\n"
        + BLOCK["g2"].replace("0x00000000", "0x000000a8").replace(OK, invalid)
    )


def test_g1_key_info_and_a_deletion_that_is_denied(g1: Cloud) -> None:
    tool = g1.login()
    tool.ask("genSymKey -t 31 -s 32 -l shared -u 4")
    assert tool.ask("getKeyInfo -k 12") == (
        result("Cfm3GetKey") + "\n\tOwned by user 3\n\n\talso, shared to following 1 user(s):\n\n\t\t 4\n"
    )
    theirs = re.search(r"\n(\d+)\n", tool.ask("findKey -c 2"))
    assert theirs
    assert tool.ask(f"deleteKey -k {theirs[1]}") == (
        "\n\tCfm3DeleteKey returned: 0xc6 : HSM Error: Key Access is denied\n\n\tCluster Error Status\n"
    )


def test_set_attribute_asks_and_leaves_a_newline_for_the_prompt(g2: Cloud) -> None:
    tool = g2.login()
    answer = tool.ask("genSymKey -t 31 -s 16 -l temporary -sess")
    assert answer.count("Node id") == 1
    question = "\t\tThis attribute is defined as a boolean value.\r\n\t\tEnter the boolean attribute value (0 or 1):"
    tool.ask("setAttribute -o 12 -a 1", f"^{re.escape(question)}$")
    tool.child.sendline("1")
    tool.child.expect_exact("1\r\n")
    changed, prompt = result("Cfm3SetAttribute") + BLOCK["g2"], "\nCommand:  "
    tool.child.expect_exact((changed + prompt + prompt).replace("\n", "\r\n"))
    assert tool.child.before == b""
    assert "present: 1" in tool.ask("findKey -l temporary -sess 0")
    assert tool.ask("setAttribute -o 12 -a 3") == "\n\tThis attribute is either not modifiable or unknown\n"


def test_a_session_key_ends_with_the_tool(g2: Cloud) -> None:
    tool = g2.login()
    tool.ask("genSymKey -t 31 -s 16 -l temporary -sess")
    assert "present: 1" in tool.ask("findKey -sess 1")
    tool.end()
    assert "present: 0" in g2.login().ask("findKey -l temporary")


def test_a_public_key_comes_in_again(g2: Cloud) -> None:
    tool = g2.login()
    public, _ = tool.make_pair()
    tool.ask(f"exportPubKey -k {public} -out w.pem")
    assert tool.ask("importPubKey -l again -f w.pem") == (
        result("Cfm3CreatePublicKey") + "\nPublic Key Handle: 14 \n".replace("14", str(public + 2)) + BLOCK["g2"]
    )
    assert tool.attribute(public + 2, 371) == tool.attribute(public, 371)
    assert tool.attribute(public + 2, 355) == "0x00000000"


def test_unwritable_files(g2: Cloud) -> None:
    tool = g2.login()
    public, _ = tool.make_pair()
    assert tool.ask(f"exportPubKey -k {public} -out none/w.pem").startswith("\n\tCfm3ExportPubKey returned: 0xb2 ")
    answer = tool.ask(f"getAttribute -o {public} -a 512 -out none/a")
    assert answer.startswith("Failed to open file\n \n\tCfm3GetAttribute returned: 0x06 ")
