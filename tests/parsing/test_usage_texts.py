"""Help texts of one command: its flags, that it does not exist, or that the text is not understood."""

from __future__ import annotations

import pytest

from keyferry.tools.abilities import Needs, Usage
from keyferry.tools.cloudhsm_cli import commands as cli_commands
from keyferry.tools.cloudhsm_cli import screens as cli
from keyferry.tools.key_mgmt_util import commands as kmu_commands
from keyferry.tools.key_mgmt_util.screens import info as kmu

KMU_UNWRAP = """
Description
===========
Unwraps sensitive keys onto the HSM.

Syntax: unWrapKey -h -f <key-file-name> -w <wrapping-key-handle>
                  [-sess] [-min_srv <n>] [-m <wrapping-mechanism>] [-t <hash-type>] [-nex]
                  [-noheader] [-l <key-label>] [-id <key-id>] [-kt <key-type>] [-kc <key-class>]

Where: -h  displays this information
       -x  is no flag of this command
"""
LISTING = "\n\nHelp Commands Available:\n\nSyntax: <command> -h\n\n   Command   Description\n"
OLD_CLI = """Login to your cluster

USAGE:
    cloudhsm-cli login [OPTIONS] --username <USERNAME> --role <ROLE> [SUBCOMMAND]

OPTIONS:
        --password <PASSWORD>    Optional: Plaintext user's password
        --role <ROLE>            Role the user has in the Cluster
"""
NEW_CLI = """Usage: key generate-file --encoding <ENCODING> --path <PATH> --filter [<FILTER>...]

Options:
      --cluster-id <CLUSTER_ID>
          Unique Id
  -h, --help
          Print help (see a summary with '-h')
"""


def test_flags_of_key_mgmt_util() -> None:
    flags = {"-h", "-f", "-w", "-sess", "-min_srv", "-m", "-t", "-nex", "-noheader", "-l", "-id", "-kt", "-kc"}
    for text in (KMU_UNWRAP, KMU_UNWRAP.replace("\n", "\r\n"), f"{KMU_UNWRAP}\n\tCfm3GetPartitionInfo returned: 0x00"):
        assert kmu.usage("unWrapKey", text) == Usage(flags=frozenset(flags))
    nothing = "\n\tThis command doesn't expect any arguments\n\nDescription:\nLists users.\n"
    assert kmu.usage("listUsers", nothing) == Usage(flags=frozenset())


def test_a_command_that_key_mgmt_util_does_not_know() -> None:
    assert kmu.usage("unWrapKey", LISTING) == Usage(known=False)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "garbage",
        KMU_UNWRAP[: KMU_UNWRAP.index("Where")],
        KMU_UNWRAP.replace("Syntax: unWrapKey", "Syntax: wrapKey"),
    ],
)
def test_a_text_of_key_mgmt_util_that_is_not_understood(text: str) -> None:
    assert kmu.usage("unWrapKey", text) == Usage()


def test_options_of_cloudhsm_cli() -> None:
    assert cli.usage("login", OLD_CLI) == Usage(flags=frozenset({"--username", "--role", "--password"}))
    flags = {"--encoding", "--path", "--filter", "--cluster-id", "--help"}
    assert cli.usage("key generate-file", NEW_CLI) == Usage(flags=frozenset(flags))


@pytest.mark.parametrize(
    "text",
    ["error: The subcommand 'unwrap' wasn't recognized\n\nUSAGE:\n", "error: unrecognized subcommand 'unwrap'\n"],
)
def test_a_command_that_cloudhsm_cli_does_not_know(text: str) -> None:
    assert cli.usage("key unwrap rsa-oaep", text) == Usage(known=False)


@pytest.mark.parametrize("text", ["", "garbage", OLD_CLI[: OLD_CLI.index("USAGE")], NEW_CLI])
def test_a_text_of_cloudhsm_cli_that_is_not_understood(text: str) -> None:
    assert cli.usage("login", text) == Usage()


def test_what_a_run_types_is_what_is_probed() -> None:
    all_of_it = Needs(non_extractable=True, sharing=True)
    assert kmu_commands.needed(all_of_it, visible=False)["unWrapKey"] == {
        *("-f", "-w", "-m", "-t", "-noheader", "-l", "-kc", "-kt", "-id", "-nex", "-u", "-m_value")
    }
    assert kmu_commands.needed(Needs(), visible=True)["loginHSM"] == {"-u", "-s", "-p"}
    assert "getKeyInfo" not in kmu_commands.needed(Needs(), visible=True)
    unwrap = cli_commands.needed(Needs())["key unwrap rsa-oaep"]
    assert unwrap == {
        *("--filter", "--hash-function", "--mgf", "--key-type-class", "--label", "--data-path", "--attributes")
    }
