from __future__ import annotations

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixture_files import FIXTURES, Fixture, errors, of_tool
from keyferry.errors import UnknownScreenError
from keyferry.pkcs11 import PublicKey
from keyferry.tools.key_mgmt_util.attributes import attributes
from keyferry.tools.key_mgmt_util.dialect import REFUSALS
from keyferry.tools.key_mgmt_util.parsing import VERBS, parse
from keyferry.tools.key_mgmt_util.screens import common

CASES = ("ok", "error", "empty", "truncated", "garbage")
DIALECTS = ("g1", "g2")


@pytest.mark.parametrize("fixture", of_tool("key_mgmt_util"))
def test_fixture(fixture: Fixture) -> None:
    if fixture.expected.get("exit") == 10:
        with pytest.raises(UnknownScreenError) as unknown:
            parse(fixture.verb, fixture.text)
        assert fixture.expected["shows"] in f"{unknown.value.what}\n{unknown.value.seen}"
    else:
        assert parse(fixture.verb, fixture.text) == fixture.expected


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_its_fixtures(dialect: str, verb: str) -> None:
    there = {path.name for path in (FIXTURES / "key_mgmt_util" / dialect).iterdir()}
    assert {f"{verb}--{case}.{kind}" for case in CASES for kind in ("txt", "json")} <= there


KNOWN_CODES = {
    *(0x1B, 0x82, 0x90, 0x9D, 0x9F, 0xA0, 0xA3, 0xA8, 0xB3, 0xBB, 0xC6, 0xCE, 0xDB),
    *(0x30000080, 0x30000085, 0x40000040, 0x40000049),
}
"""Every code of the reference's table (section 6)."""


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_known_error_has_its_fixture(dialect: str) -> None:
    there = errors("key_mgmt_util", dialect)
    assert there.codes >= KNOWN_CODES
    assert not there.without(refusal.pattern for refusal in REFUSALS)


GOOD = [
    fixture
    for parameter in of_tool("key_mgmt_util")
    for fixture in parameter.values
    if fixture.expected.get("exit") != 10 and fixture.verb != "attributeFile"
]
INDENTS = st.sampled_from(["", " ", "\t", "    ", "\t \t"])
LINE_ENDS = st.sampled_from(["\n", "\r\n", "\r\r\n", "\n\0"])


@given(st.sampled_from(GOOD), INDENTS, LINE_ENDS, st.sampled_from([" ", "\t", "   "]), st.booleans())
def test_layout_means_nothing(fixture: Fixture, indent: str, end: str, blank: str, spaced: bool) -> None:
    found = [line.strip() for line in fixture.text.splitlines()]
    found = [line for line in found if line or spaced]
    text = end.join(indent + re.sub(r"[ \t]+", lambda _: blank, line) for line in found)
    assert parse(fixture.verb, text) == fixture.expected


@given(st.sampled_from(GOOD), st.booleans(), st.booleans())
def test_echo_and_prompts_mean_nothing(fixture: Fixture, echoed: bool, prompted: bool) -> None:
    body = re.sub(r"(?m)^Command:.*$", "", fixture.text)
    echo = f"Command:  {fixture.verb} -x y\r\n" if echoed and fixture.verb != "startup" else ""
    text = f"{echo}{body}" + ("\r\nCommand:  " if prompted else "")
    assert parse(fixture.verb, text) == fixture.expected


@given(st.sampled_from(GOOD), st.data())
def test_a_line_that_does_not_belong_is_an_error(fixture: Fixture, data: st.DataObject) -> None:
    """Where free text is documented (usage, the list of commands, the banner) it can say anything."""
    found = fixture.text.splitlines()
    known = [place for place, line in enumerate(found) if re.search(r"Cluster|Node id|SUCCESS|[hH]andle|Owned", line)]
    if fixture.verb == "startup" or not known:
        return
    found.insert(
        data.draw(st.sampled_from(known)), data.draw(st.sampled_from(["~ what ~", "0x", "Node id", "Command: x"]))
    )
    with pytest.raises(UnknownScreenError):
        parse(fixture.verb, "\n".join(found))


@given(st.sampled_from(GOOD), st.data())
def test_a_damaged_screen_is_read_or_refused(fixture: Fixture, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(fixture.text)))
    end = data.draw(st.integers(start, len(fixture.text)))
    damaged = fixture.text[:start] + data.draw(st.text(max_size=8)) + fixture.text[end:]
    with contextlib.suppress(UnknownScreenError):
        assert parse(fixture.verb, damaged)["ok"] in (True, False)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_two_answers_in_one_text_are_refused(dialect: str) -> None:
    text = (FIXTURES / "key_mgmt_util" / dialect / "deleteKey--ok.txt").read_text()
    body = re.sub(r"(?m)^Command:.*$", "", text)
    for both in (text + text, body + body):
        with pytest.raises(UnknownScreenError):
            parse("deleteKey", both)


@pytest.mark.parametrize(
    "text",
    [
        "Cfm3DeleteKey returned: 0x00 : HSM Error: Key Access is denied",
        "Cfm3DeleteKey returned: 0x01 : HSM Return: SUCCESS",
        "Cfm3LoginHSM returned: 0x00 : HSM Return: SUCCESS",
        "Cluster Status:\nNode id 1 status: 0x00000000 : HSM Return: SUCCESS",
        "Cfm3DeleteKey returned: 0x00 : HSM Return: SUCCESS\nNode id 1 status: 0x00000000 : HSM Return: SUCCESS",
        "Error: Key handle (-k) is missing.\nCfm3DeleteKey returned: 0x00 : HSM Return: SUCCESS",
        "Cfm3DeleteKey returned: 0x00 : HSM Return: SUCCESS\n\nDescription\n===========\nDeletes.",
    ],
)
def test_contradictions_are_refused(text: str) -> None:
    with pytest.raises(UnknownScreenError):
        parse("deleteKey", text)


def test_a_failed_node_is_a_failure_beside_success() -> None:
    text = (
        "Cfm3FindSingleKey returned: 0x00 : HSM Return: SUCCESS\nCluster Status:\n"
        "Node id 14 status: 0x00000000 : HSM Return: SUCCESS\nNode id 3 status: 0x000000a8 : HSM Error: none\n"
    )
    assert parse("findSingleKey", text)["error"] == {"code": 0xA8, "text": "HSM Error: none"}


NAMES = st.text("abcXYZ_0123.-", min_size=1, max_size=31)
LABELS = st.one_of(st.sampled_from(["OBJ_ATTR_KCV", "", "Command:", "0x04", "$ cat f"]), NAMES)


@given(LABELS, LABELS, st.integers(2**2047, 2**2048 - 1), st.integers(2, 300), LINE_ENDS)
def test_the_attribute_file_gives_what_was_written(label: str, id_: str, modulus: int, width: int, end: str) -> None:
    printed = f"{modulus:0512x}" if modulus % 2 else f"0x{modulus:0512x}"
    wrapped = end.join(printed[place : place + width] for place in range(0, len(printed), width))
    pairs = {"LABEL": label, "ID": id_, "MODULUS": wrapped, "TOKEN": "0x01", "PUBLIC_EXPONENT": "0x010001"}
    found = attributes("".join(f"OBJ_ATTR_{name}{end}{value}{end}" for name, value in pairs.items()))
    assert (found.label, found.id, found.token) == (label, id_, True)
    assert found.public_key == PublicKey(modulus, 65537)
    assert (found.flag("UNWRAP"), found.kcv) == (None, None)


@given(st.lists(st.tuples(NAMES, st.integers(0, 20)), max_size=4), st.sampled_from(["", " NO"]))
def test_user_rows_are_read_whatever_the_name(rows: list[tuple[str, int]], factor: str) -> None:
    text = f"Number of users found: {len(rows)}\n Index  User ID  User Type  User Name  MofnPubKey\n"
    text += "".join(
        f"{place} {place + 3} CU {name}\t\tNO   {count}{factor}\n" for place, (name, count) in enumerate(rows)
    )
    text += "Cfm3ListUsers returned: 0x00 : HSM Return: SUCCESS\n"
    found = common.users(text).fields
    assert found is not None
    assert [(user.name, user.login_failures) for user in found] == rows


@given(st.lists(st.integers(1, 2**64 - 1), unique=True, max_size=60), st.sampled_from([1, 7, 15, 60]))
def test_handles_are_read_however_many_stand_in_a_line(handles: list[int], width: int) -> None:
    rows = [", ".join(map(str, handles[place : place + width])) for place in range(0, len(handles), width)]
    text = f"\tTotal number of keys present: {len(handles)}\n"
    if handles:
        text += f"\tNumber of matching keys from start index 0::{len(handles) - 1}\n\tHandles of matching keys:\n\t"
    text += ", \n\t".join(rows) + "\n\tCfm3FindKey returned: 0x00 : HSM Return: SUCCESS\n"
    assert parse("findKey", text)["handles"] == handles


def test_a_handle_of_more_than_64_bits_is_none() -> None:
    text = f"Cfm3UnWrapKey returned: 0x00 : HSM Return: SUCCESS\nKey Unwrapped. Key Handle: {2**64}"
    with pytest.raises(UnknownScreenError):
        parse("unWrapKey", text)


def test_a_rolled_back_key_is_not_success() -> None:
    text = (
        "Cfm3GenerateKeyPair returned: 0x00 : HSM Return: SUCCESS\n"
        "Cfm3GenerateKeyPair: public key handle: 6 private key handle: 9\n"
        "Cluster Status:\nNode id 1 status: 0x00000000 : HSM Return: SUCCESS\n"
        "Checking key status (1 seconds)..\nCluster Status:\nNode id 1 status: 0x00000000 : HSM Return: SUCCESS\n"
        "Couldn't verify key sync on 2 servers\nRolling back\nCfm3DeleteKey returned: 0x00 : HSM Return: SUCCESS\n"
    )
    assert parse("genRSAKeyPair", text)["ok"] is False


@pytest.mark.parametrize("digits", ["c33c", "c33cbdc3", "c33cbdc33cbd"])
def test_a_check_value_has_three_bytes_or_none(digits: str) -> None:
    with pytest.raises(UnknownScreenError, match="KCV"):
        parse("attributeFile", f"OBJ_ATTR_CLASS\n0x04\nOBJ_ATTR_KCV\n0x{digits}\n")


@pytest.mark.parametrize("said", ["Daemon socket connection error", "Invalid Operation"])
@pytest.mark.parametrize("behind", ["", "\n[root@host ~]# "])
def test_a_start_without_an_hsm_may_say_that_alone(said: str, behind: str) -> None:
    found = parse("startup", f"$ /opt/cloudhsm/bin/key_mgmt_util\nLIQUIDSECURITY: {said}{behind}")
    assert (found["ok"], found["error"]) == (False, {"code": None, "text": f"LIQUIDSECURITY: {said}"})
    with pytest.raises(UnknownScreenError):
        parse("startup", f"LIQUIDSECURITY: {said}\nwhat?\n")
    with pytest.raises(UnknownScreenError):
        parse("unWrapKey", f"LIQUIDSECURITY: {said}\n")


@pytest.mark.parametrize(
    ("verb", "text"),
    [
        (
            "genSymKey",
            "Cfm3GenerateSymmetricKey returned: 0x00 : HSM Return: SUCCESS\nSymmetric Key Created.  Key Handle: 52",
        ),
        ("unWrapKey", "Cfm3UnWrapKey returned: 0x00 : HSM Return: SUCCESS\nKey Unwrapped.  Key Handle: 52"),
        (
            "genRSAKeyPair",
            "Cfm3GenerateKeyPair returned: 0x00 : HSM Return: SUCCESS\npublic key handle: 52    private key handle: 5",
        ),
        ("exSymKey", 'Cfm3WrapKey returned: 0x00 : HSM Return: SUCCESS\nWrapped Symmetric Key written to file "aes'),
        ("deleteKey", "\tCfm3DeleteKey returned: 0xa"),
        ("listAttributes", "Description\n===========\nThe following are all of the possible attr"),
        ("findKey", "Description\n===========\nLooks for k"),
    ],
)
def test_a_value_that_breaks_off_is_not_taken_for_a_whole_one(verb: str, text: str) -> None:
    with pytest.raises(UnknownScreenError):
        parse(verb, text)


@pytest.mark.parametrize("behind", ["\n", " \n", "\n\nCommand:", "\n\nCommand:  ", "\n$ "])
def test_a_handle_is_whole_where_anything_is_behind_it(behind: str) -> None:
    made = "Cfm3GenerateSymmetricKey returned: 0x00 : HSM Return: SUCCESS\n\tSymmetric Key Created.  Key Handle: 52"
    assert parse("genSymKey", made + behind)["handle"] == 52


def test_an_attribute_that_stands_twice_in_a_file_is_not_understood() -> None:
    once = "OBJ_ATTR_CLASS\n0x04\nOBJ_ATTR_KEY_TYPE\n0x1f\n"
    assert attributes(once).key_type == 31
    with pytest.raises(UnknownScreenError, match="twice"):
        attributes(once + "OBJ_ATTR_KEY_TYPE\n0x15\n")


SECRET = "s3cr3t-of-till"
SHOWN = (
    f"Command:  loginHSM -u CU -p {SECRET} -s till\n",
    f"loginHSM -u CU -s till -p {SECRET}\n",
    f"Command:  loginHSM -u CU -s till -hpswd\nEnter password: {SECRET}\n",
    f"$ key_mgmt_util singlecmd loginHSM -u CU -s till -p {SECRET} listUsers\n",
)


@pytest.mark.parametrize("shown", SHOWN)
@pytest.mark.parametrize("verb", VERBS)
def test_a_password_on_the_screen_is_in_no_error(shown: str, verb: str) -> None:
    with pytest.raises(UnknownScreenError) as error:
        parse(verb, f"{shown}what?\n{shown}")
    assert SECRET not in f"{error.value.what}{error.value.seen}"


LOGGED_IN = "\n\tCfm3LoginHSM returned: 0x00 : HSM Return: SUCCESS\n"
BANNER = (
    "\n\tCfm3Initialize() returned app id : 01000000 \n\n\tsession_handle 1000000 \n"
    "\n\tCurrent FIPS mode is: 00000002\n"
)
LISTING = "\n\nHelp Commands Available:\n\nSyntax: <command> -h ...\n\n   exit   Leaves\n"
DELETED = "\n\tCfm3DeleteKey returned: 0x00 : HSM Return: SUCCESS\n"


@pytest.mark.parametrize(
    "text",
    [
        f"SDK Version: 2.03\n{BANNER}{LISTING}\nCommand:  deleteKey -k 7\n{DELETED}\nCommand:  ",
        f"{BANNER}{LISTING}\nCommand:  \n{DELETED}\nCommand:  \nCommand:  ",
        f"{BANNER}{LOGGED_IN}Command: deleteKey  -k  7 \n{DELETED}",
        f"Command:\nCommand:  deleteKey -k 7{DELETED}",
        f"{BANNER}{LOGGED_IN}Command: deleteKey  -k  7 \n{DELETED}[ec2-user@ip-10-0-0-7 ~]$ ",
    ],
)
def test_what_stands_around_an_answer_means_nothing(text: str) -> None:
    assert parse("deleteKey", text)["ok"] is True


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"{BANNER}{LISTING}\nCommand:  loginHSM -u CU\n{LOGGED_IN}\nCommand:  deleteKey -k 7\n{DELETED}", "loginHSM"),
        (f"{BANNER}what?\n{LOGGED_IN}Command: deleteKey  -k  7 \n{DELETED}", "what?"),
        (f"{BANNER}\n\tCfm3LoginHSM returned: 0xff : no\nCommand: deleteKey  -k  7 \n{DELETED}", "deleteKey"),
        (f"what?\nCommand:  deleteKey -k 7\n{DELETED}", "what?"),
        (f"deleteKey -k 7\n{DELETED}\nCommand:  deleteKey -k 8\n", "-k 8"),
        (f"Error: Key handle (-k) is missing.\n\nDescription\n======\nX\n{DELETED}", "SUCCESS"),
        ("Description\n===========\n", "==="),
    ],
)
def test_what_stands_around_it_is_not_just_anything(text: str, shown: str) -> None:
    with pytest.raises(UnknownScreenError) as error:
        parse("deleteKey", text)
    assert shown in f"{error.value.what}{error.value.seen}"


def test_questions_are_read_where_nothing_is_echoed() -> None:
    asked = (
        "Command:  \t\tThis attribute is defined as a boolean value.\n\t\tEnter the boolean attribute value (0 or 1):\n"
    )
    assert parse("setAttribute", f"{asked}\n\tCfm3SetAttribute returned: 0x00 : HSM Return: SUCCESS\n")["ok"] is True
    assert parse("loginHSM", f"\nCommand:  Enter password: \n{LOGGED_IN}\nCommand:  ")["ok"] is True


def test_as_many_attributes_as_the_tool_tells() -> None:
    screen = (
        "Attribute size: 9, count: {}\nWritten to: f file\n\tCfm3GetAttribute returned: 0x00 : HSM Return: SUCCESS\n"
    )
    file = "$ cat f\nOBJ_ATTR_CLASS\n0x04\nOBJ_ATTR_ID\n\n"
    assert parse("getAttribute", screen.format(2) + file)["attributes"] == {"OBJ_ATTR_CLASS": "0x04", "OBJ_ATTR_ID": ""}
    with pytest.raises(UnknownScreenError, match="2 attributes"):
        parse("getAttribute", screen.format(3) + file)


def test_a_login_on_the_command_line_has_no_echo() -> None:
    text = f"{BANNER}\n\tCfm3LoginHSM returned: 0xa3 \n\n\tHSM Error: RET_USER_LOGIN_FAILURE\n"
    assert parse("loginHSM", text)["error"] == {"code": 0xA3, "text": "HSM Error: RET_USER_LOGIN_FAILURE"}
    assert parse("loginHSM", BANNER + LOGGED_IN)["ok"] is True


PROMPTS = ["$ ", "[ec2-user@ip-10-0-0-7 ~]$ ", "root@host:/tmp# ", "bash-5.1$ "]


@pytest.mark.parametrize("prompt", PROMPTS)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_file_is_read_as_the_shell_showed_it(prompt: str, end: str) -> None:
    shown = f"{prompt}cat ./attr_7\nOBJ_ATTR_LABEL\n$ cat f\nOBJ_ATTR_ID\n\n{prompt}".replace("\n", end)
    assert parse("attributeFile", shown)["attributes"] == {"OBJ_ATTR_LABEL": "$ cat f", "OBJ_ATTR_ID": ""}
    with pytest.raises(UnknownScreenError):
        parse("attributeFile", f"{shown}{end}{prompt}")
