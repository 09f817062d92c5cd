"""What goes wrong on purpose, and what jitter varies."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pexpect
import pytest

from kmu_tool import Cloud, Tool, check_value_by_openssl, exit_status, unwrapped, wrap_with_openssl

if TYPE_CHECKING:
    from pathlib import Path

VALUE = bytes(range(32))
SEEDS = [str(seed) for seed in range(12)]


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    return Cloud(tmp_path, nodes=3)


def unwrap(cloud: Cloud, tool: Tool) -> str:
    public, private = tool.make_pair()
    tool.ask(f"exportPubKey -k {public} -out wrap.pem")
    wrap_with_openssl(VALUE, cloud.directory / "wrap.pem", cloud.directory / "blob")
    return tool.ask(f"unWrapKey -f blob -w {private} -m 8 -t 2 -noheader -l brought -kc 4 -kt 31 -nex")


@pytest.mark.parametrize("seed", ["", "1", "2", "3", "4"])
def test_without_its_daemon_the_tool_ends_with_255(tmp_path: Path, seed: str) -> None:
    cloud = Cloud(tmp_path, jitter=seed)
    cloud.arm("daemon-down")
    child = cloud.spawn()
    child.expect_exact("LIQUIDSECURITY: Daemon socket connection error\r\n")
    assert exit_status(child) == 255
    assert cloud.start().end() == 0


def test_a_command_dies_in_the_middle_of_its_answer_with_its_work_done(cloud: Cloud) -> None:
    cloud.arm("die", "genSymKey")
    tool = cloud.login()
    tool.child.sendline("genSymKey -t 31 -s 16 -l orphan")
    tool.child.expect_exact("Cfm3GenerateSymmetricKey returned")
    assert tool.ended() == -9
    assert tool.child.before.endswith(b"Node id 0 statu")
    assert "present: 1" in cloud.login().ask("findKey -l orphan")


def test_a_hanging_command_never_answers(cloud: Cloud) -> None:
    cloud.arm("hang", "listUsers")
    child = cloud.start().child
    child.sendline("listUsers")
    child.expect_exact("listUsers\r\n")
    with pytest.raises(pexpect.TIMEOUT):
        child.expect("Command", timeout=0)
    child.terminate(force=True)


def test_garbage_takes_the_place_of_the_nth_answer(cloud: Cloud) -> None:
    cloud.arm("garbage", "listUsers", nth=2)
    tool = cloud.start()
    assert "Found: 4" in tool.ask("listUsers")
    assert tool.ask("listUsers") == "\n\tCfm3Unexpected: internal state 7f3a, see log\n"
    assert "Found: 4" in tool.ask("listUsers")


@pytest.mark.parametrize("verb", ["genRSAKeyPair", "unWrapKey", "findKey"])
def test_a_busy_hsm_does_nothing_once(cloud: Cloud, verb: str) -> None:
    tool = cloud.login()
    assert unwrapped(unwrap(cloud, tool))
    line = {
        "genRSAKeyPair": "genRSAKeyPair -m 2048 -e 65537 -l b",
        "unWrapKey": "unWrapKey -f blob -w 13 -m 8 -noheader -l b -kc 4 -kt 31",
        "findKey": "findKey -l b",
    }[verb]
    cloud.arm("busy", verb)
    answer = tool.ask(line)
    assert re.search(r"Cfm\w+ returned: 0xbb \n\n\tHSM Error: HSM is already busy", answer)
    assert "Handle: " not in answer
    assert "0xbb" not in tool.ask(line)


def test_a_raised_counter_is_shown_for_the_crypto_user_only(cloud: Cloud) -> None:
    cloud.arm("counter-raised")
    rows = re.findall(r"\t\t(\w+) +\t NO +(\d+)\t", cloud.start().ask("listUsers"))
    assert {name: int(count) for name, count in rows}[cloud.access.user] == 3
    assert sum(int(count) for _, count in rows) == 3


def test_a_failed_node_leaves_the_key_on_the_others(cloud: Cloud) -> None:
    cloud.arm("node-failed", "unWrapKey")
    tool = cloud.login()
    answer = unwrap(cloud, tool)
    assert "Cfm2UnWrapWithTemplate3 returned: 0x30000080 \n\n\tHSM CLUSTER ERROR: " in answer
    assert "Node id 2 status: 0x30000085 : HSM CLUSTER ERROR: Server in cluster is unavailable\n" in answer
    handle_line = f"\tKey Unwrapped.  Key Handle: {unwrapped(answer)} \n"
    assert answer.count(handle_line) == 2
    assert answer.index(handle_line) < answer.index("Cluster Status:")
    assert answer.endswith(f"\n{handle_line}")
    missing = tool.ask(f"findSingleKey -k {unwrapped(answer)}")
    assert "Cfm3FindSingleKey returned: 0xa8 " in missing
    assert missing.count("0x00000000") == 2


def test_a_failed_node_shows_the_handle_of_a_public_key_once_and_last(cloud: Cloud) -> None:
    tool = cloud.login()
    public, _ = tool.make_pair()
    tool.ask(f"exportPubKey -k {public} -out wrap.pem")
    cloud.arm("node-failed", "importPubKey")
    answer = tool.ask("importPubKey -l brought -f wrap.pem")
    assert answer.count("Public Key Handle: ") == 1
    assert answer.index("Cluster Status:") < answer.index("Public Key Handle: ")


@pytest.mark.parametrize(("servers", "lines"), [("", 2), (" -min_srv 2 -timeout 1", 2), (" -min_srv 3 -timeout 1", 1)])
def test_a_failed_node_shows_the_handle_again_unless_too_few_servers_have_the_key(
    cloud: Cloud, servers: str, lines: int
) -> None:
    cloud.arm("node-failed")
    answer = cloud.login().ask(f"genSymKey -t 31 -s 16 -l some{servers}")
    assert answer.count("Symmetric Key Created.  Key Handle: ") == lines


def test_min_srv_rolls_back_what_a_failed_node_lacks(cloud: Cloud) -> None:
    cloud.arm("node-failed")
    tool = cloud.login()
    answer = tool.ask("genSymKey -t 31 -s 16 -l gone -min_srv 3 -timeout 2")
    assert answer.count("Checking key status") == 2
    assert answer.endswith("Rolling back\n\n\tCfm3DeleteKey returned: 0x00 : HSM Return: SUCCESS\n")
    assert "present: 0" in tool.ask("findKey -l gone")


def test_a_single_node_that_fails_makes_no_key(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path, nodes=1)
    cloud.arm("node-failed")
    answer = cloud.login().ask("genSymKey -t 31 -s 16 -l none")
    assert "returned: 0x30000085 " in answer
    assert "Handle" not in answer


def test_a_swapped_pem_is_another_key(cloud: Cloud) -> None:
    tool = cloud.login()
    public, _ = tool.make_pair()
    cloud.arm("pem-swapped")
    pems = []
    for _ in range(3):
        tool.ask(f"exportPubKey -k {public} -out wrap.pem")
        pems.append((cloud.directory / "wrap.pem").read_text())
    assert pems[0] != pems[1] == pems[2]


@pytest.mark.parametrize(
    ("fault", "changed"), [("other-value", 371), ("label-changed", 3), ("extractable-changed", 354)]
)
def test_one_thing_of_the_unwrapped_key_is_wrong(cloud: Cloud, fault: str, changed: int) -> None:
    cloud.arm(fault)
    tool = cloud.login()
    handle = unwrapped(unwrap(cloud, tool))
    right = {371: check_value_by_openssl(VALUE, "aes-256-ecb", 16), 3: "brought", 354: "0x00000000", 353: "0x00000020"}
    assert [number for number, value in right.items() if tool.attribute(handle, number) != value] == [changed]


def test_success_without_a_handle(cloud: Cloud) -> None:
    cloud.arm("handle-missing")
    tool = cloud.login()
    answer = unwrap(cloud, tool)
    assert "Cfm2UnWrapWithTemplate3 returned: 0x00 : HSM Return: SUCCESS\n" in answer
    assert "Handle" not in answer
    assert "present: 1" in tool.ask("findKey -l brought")


def test_a_wrong_check_value_and_a_missing_node_strike_once(cloud: Cloud) -> None:
    tool = cloud.login()
    tool.ask("genSymKey -t 31 -s 16 -l a")
    handle = int(re.findall(r"\t(\d+)\n", tool.ask("findKey -l a"))[0])
    cloud.arm("kcv-wrong")
    assert tool.attribute(handle, 371) != tool.attribute(handle, 371)
    cloud.arm("single-missing")
    assert "returned: 0xa8 " in tool.ask(f"findSingleKey -k {handle}")
    assert "returned: 0x00 " in tool.ask(f"findSingleKey -k {handle}")


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kmu", ["g1", "g2"])
def test_whatever_jitter_varies_the_procedure_works(tmp_path: Path, kmu: str, seed: str) -> None:
    cloud = Cloud(tmp_path, kmu=kmu, nodes=3, jitter=seed)
    tool = cloud.login()
    assert "CU has logged-in" in tool.ask("loginStatus")
    handle = unwrapped(unwrap(cloud, tool))
    assert tool.attribute(handle, 371) == check_value_by_openssl(VALUE, "aes-256-ecb", 16)
    listed = re.findall(r"\b\d+\b", re.split(r"start index \S+", tool.ask("findKey -c 4"))[1].split("Cluster")[0])
    assert listed == [str(handle)]
    states = tool.ask(f"findSingleKey -k {handle}")
    assert states.count("0x00000000 : HSM Return: SUCCESS") == 3
    assert tool.end() == 0


def test_jitter_is_the_same_for_one_seed(tmp_path: Path) -> None:
    answers = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        tool = Cloud(tmp_path / name, nodes=3, jitter="7").login()
        answers.append(tool.banner + tool.ask("genSymKey -t 31 -s 16 -l a"))
    assert answers[0] == answers[1]
