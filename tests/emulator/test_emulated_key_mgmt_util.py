"""Screens of the emulated key_mgmt_util, to the byte, but for those about keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kmu_tool import BLOCK, OK, Cloud, result

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(params=["g1", "g2"])
def cloud(request: pytest.FixtureRequest, tmp_path: Path) -> Cloud:
    return Cloud(tmp_path, kmu=request.param)


@pytest.fixture
def g2(tmp_path: Path) -> Cloud:
    return Cloud(tmp_path)


@pytest.fixture
def g1(tmp_path: Path) -> Cloud:
    return Cloud(tmp_path, kmu="g1")


def test_start_up_prints_its_lines_and_help_and_exit_is_silent(cloud: Cloud) -> None:
    tool = cloud.start()
    assert tool.banner.startswith(
        "\n\tCfm3Initialize() returned app id : 01000000 \n\n\tsession_handle 1000000 \n"
        "\n\tCurrent FIPS mode is: 00000002\n\n\nHelp Commands Available:\n\nSyntax: <command> -h\n"
    )
    assert tool.ask("help") == tool.ask("quit") == tool.banner.split("00000002\n")[1]
    assert tool.ask("") == ""
    assert tool.end() == 0


def test_login_and_logout(cloud: Cloud) -> None:
    tool, user = cloud.start(), cloud.access
    line = f"loginHSM -u CU -s {user.user} -p {user.password}"
    assert tool.ask("loginStatus") == "\n\tNo user has logged-in\n"
    assert tool.ask(line) == result("Cfm3LoginHSM") + cloud.block
    assert "Cfm3LoginHSM returned: 0x9f" in tool.ask(line)
    assert tool.ask("loginStatus") == "\n\tCU has logged-in\n"
    assert tool.ask("logoutHSM") == result("Cfm3LogoutHSM") + cloud.block
    assert "Cfm3FindKey returned: 0xa0" in tool.ask("findKey")


def test_a_hidden_password_is_asked_for_with_echo_off(g2: Cloud) -> None:
    tool = g2.start()
    tool.ask(f"loginHSM -u CU -s {g2.access.user} -hpswd", "^Enter password: $")
    assert tool.child.waitnoecho(timeout=30)
    tool.child.sendline(g2.access.password)
    assert tool.answer() == "\n" + result("Cfm3LoginHSM") + BLOCK["g2"]
    assert tool.child.getecho()


def test_g1_does_not_know_the_hidden_password(g1: Cloud) -> None:
    answer = g1.start().ask("loginHSM -u CU -s crypto_user -hpswd")
    assert "Description\n===========\n" in answer
    assert "returned" not in answer


def test_a_wrong_password_in_both_forms(cloud: Cloud) -> None:
    answer = cloud.start().ask(f"loginHSM -u CU -s {cloud.access.user} -p wrong")
    error = {"g1": ": HSM Error: RET_USER_LOGIN_FAILURE\n", "g2": "\n\n\tHSM Error: RET_USER_LOGIN_FAILURE\n"}
    head = f"\n\tCfm3LoginHSM returned: 0xa3 {error[cloud.store.setting('kmu')]}"
    nodes = cloud.block.replace("0x00000000", "0x000000a3").replace(OK, "HSM Error: RET_USER_LOGIN_FAILURE")
    assert answer == head + nodes


def test_failures_are_counted_shown_and_lock(g2: Cloud) -> None:
    tool, name = g2.start(), g2.access.user
    for _ in range(5):
        assert "0xa3" in tool.ask(f"loginHSM -u CU -s {name} -p wrong")
    row = f"\t3\t         3\tCU\t\t{name:<32}\t NO               5\t\t  NO\n"
    users = tool.ask("listUsers")
    assert users.startswith(
        "\n\tNumber Of Users Found: 4\n\n"
        "\tIndex\t    User ID    \tUser Type\tUser Name\t\t\t   MofnPubKey\t LoginFailureCnt\t 2FA\n"
    )
    assert row in users
    assert users.endswith(result("Cfm3ListUsers"))
    assert "0xa3" in tool.ask(f"loginHSM -u CU -s {name} -p {g2.access.password}")


@pytest.mark.parametrize(
    ("line", "code"),
    [("-u CU -s nobody -p x", "0xce"), ("-u CO -s admin -p x", "0xdb"), ("-u CU -s admin -p x", "0xce")],
)
def test_who_cannot_log_in(g2: Cloud, line: str, code: str) -> None:
    assert f"Cfm3LoginHSM returned: {code} \n\n\tHSM Error: " in g2.start().ask(f"loginHSM {line}")


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("loginHSM -s a -p b", "Error: User type (-u) is missing."),
        ("loginHSM -u CU -s a", "Error: Password (-p) is missing."),
        ("loginHSM -u XX -s a -p b", "Error: Invalid user type specified."),
        ("genRSAKeyPair -e 65537 -l a", "Error: Modulus size (-m) is missing."),
        ("genRSAKeyPair -m 2048 -e 3 -l a", "Error: Public exponant (-e) is missing or invalid input passed"),
        ("genRSAKeyPair -m 1024 -e 65537 -l a", "Incorrect Modulus Length for FIPS mode"),
        ("genRSAKeyPair -m 2048 -e 65537", "Error: Key label (-l) is missing."),
        ("exportPubKey -k 0x1a -out a", "Error: Key handle (-k) is missing."),
        ("exportPubKey -k 7", "Error: Key File (-out) is missing."),
        ("unWrapKey -f nothing -w 7 -m 8", "Error: Key filename (-f) is missing."),
        ("unWrapKey -f blob -m 8", "Error: wrapping key handle (-w) is missing."),
        ("genSymKey -t 31 -s 32 -l a -timeout 1", "Error: Minimum servers (-min_srv) option is missing"),
        ("findKey -l a -l b", ""),
        ("findKey -l", ""),
        ("findKey -x 1", ""),
        ("deleteKey -h", ""),
    ],
)
def test_misuse_prints_the_usage_and_no_result_line(g2: Cloud, line: str, error: str) -> None:
    answer = g2.start().ask(line)
    head = f"\n\t{error}\n" if error else ""
    assert answer[: answer.index("\n\nDescription\n===========\n")].endswith(head)
    assert "Where: -h  displays this information\n" in answer
    assert "returned" not in answer


def test_a_file_that_cannot_be_read(g2: Cloud) -> None:
    (g2.directory / "empty").touch()
    tool = g2.start()
    warning = '\n\tWARNING: Failed to read from the file "{}".\n\n\tError: Key filename (-f) is missing.\n'
    assert tool.ask("unWrapKey -f none -w 7 -m 8").startswith(warning.format("none"))
    assert tool.ask("unWrapKey -f empty -w 7 -m 8").startswith(
        "\n\t empty is an empty file.\n" + warning.format("empty")
    )


def test_lines_are_cut_at_1399_and_words_split_at_blanks_only(g2: Cloud) -> None:
    tool = g2.start()
    assert tool.ask("help" + " " * 1395 + "lost") == tool.ask("help")
    assert tool.ask("findKey" + " x" * 99) == tool.ask("help")
    assert "Description" in tool.ask('findKey -l "my key"')
    assert "Help Commands" in tool.ask("findKey\t-c\t4")


def test_small_commands(g2: Cloud) -> None:
    tool = g2.login()
    assert tool.ask("Error2String -r 0xdb") == "\n\tError Code db maps to HSM Error: Invalid User Type.\n"
    assert tool.ask("Error2String -r 90").endswith(": Invalid session handle passed in the command\n")
    assert "      OBJ_ATTR_KCV                    = 371\n" in tool.ask("listAttributes")
    assert "2 [FIPS mode with single factor authentication]\n" in tool.ask("getHSMInfo")
    assert "Cfm3GenerateSymmetricKey returned: 0xb3 " in tool.ask("genSymKey -t 21 -s 24 -l no")
    assert " returned: 0xa8 " in tool.ask("wrapKey -k 1 -w 1 -out f -m 4")


def test_single_commands_end_with_255_only_if_the_login_failed(g2: Cloud) -> None:
    login = ("singlecmd", "loginHSM", "-u", "CU", "-s", g2.access.user, "-p")
    done = g2.run(*login, g2.access.password, "findKey", "-l", "none")
    assert done.returncode == 0
    assert f"{BLOCK['g2']}Command: findKey  -l  none \n\n\tTotal number of keys present: 0\n" in done.stdout
    assert g2.run(*login, "wrong", "findKey").returncode == 255
    unknown = g2.run("singlecmd", "deleteKey", "-k", "1")
    assert (unknown.returncode, "returned: 0xa0" in unknown.stdout) == (0, True)
    assert "\n\tError: Unknown commandline arguments. \n" in g2.run("what").stdout
    assert g2.run("-v").stdout.startswith("Util Version\t\t\t:\t2.03\nSDK API Version\t\t\t:\t")


def test_a_script_shows_each_line_and_passes_over_comments(g2: Cloud) -> None:
    (g2.directory / "script").write_text("# login is needed\ndeleteKey -k 1\nexit\nfindKey\n")
    done = g2.run("scriptfile", "script")
    assert done.returncode == 0
    assert (
        "Comment: # login is needed \nCommand String: deleteKey -k 1 \n\n\tCfm3DeleteKey returned: 0xa0 " in done.stdout
    )
    assert "findKey" not in done.stdout


def test_the_end_of_input_prints_prompts_but_not_for_ever(g2: Cloud) -> None:
    done = g2.run()
    assert done.stdout.count("\nCommand:  ") > 10
