"""What key_mgmt_util prints, as data: two generations of texts, and what jitter may vary in each.

A text that begins with a newline stands off from the line before it; `Screen` sets distance and indent.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from keyferry.emulator.cloudhsm.cluster import Code

if TYPE_CHECKING:
    from collections.abc import Mapping

    from keyferry.emulator.jitter import Jitter

SUCCESS = "HSM Return: SUCCESS"
NO_BLOCK = "Couldn't get cluster error info\n"
ERRORS: Mapping[Code, str] = MappingProxyType(
    {
        Code.SUCCESS: SUCCESS,
        Code.OPEN_FILE_FAILED: "CSP Error: ERR_OPEN_FILE",
        Code.BAD_PKCS_DATA: "CSP Error: ERR_BAD_PKCS_DATA",
        Code.INVALID_COMMAND: "HSM Error: Invalid command in the current state/configuration",
        Code.INVALID_SESSION: "HSM Error: Invalid session handle passed in the command",
        Code.ALREADY_LOGGED_IN: "HSM Error: This type of user has already logged in",
        Code.NOT_LOGGED_IN: "HSM Error: No user is logged in to do this operation",
        Code.USER_NOT_INITIALIZED: "HSM Error: user isn't initialized or user with this name doesn't exist",
        Code.LOGIN_FAILURE: "HSM Error: RET_USER_LOGIN_FAILURE",
        Code.INVALID_HANDLE: "HSM Error: Invalid object handle is passed to this operation",
        Code.INVALID_INPUT: "HSM Error: Invalid input data/params",
        Code.POLICY_MISMATCH: "HSM Error: This operation violates the current configured/FIPS policies",
        Code.BUSY: "HSM Error: HSM is already busy generating the keys(or random bytes) for another request.",
        Code.ACCESS_DENIED: "HSM Error: Key Access is denied",
        Code.NO_SUCH_USER: "HSM Error: This user doesn't exist",
        Code.INVALID_USER_TYPE: "HSM Error: Invalid User Type.",
        Code.OPERATION_INCOMPLETE: "HSM CLUSTER ERROR: Cluster operation is incomplete",
        Code.NODE_UNAVAILABLE: "HSM CLUSTER ERROR: Server in cluster is unavailable",
        Code.DAEMON_UNREACHABLE: "LIQUIDSECURITY: Daemon socket connection error",
        Code.LOGIN_FAILURE_AT_CLIENT: "LIQUIDSECURITY: Login failed",  # the reference knows the number only
    }
)
FUNCTIONS: Mapping[str, str] = MappingProxyType(
    {
        "loginHSM": "Cfm3LoginHSM",
        "logoutHSM": "Cfm3LogoutHSM",
        "listUsers": "Cfm3ListUsers",
        "genRSAKeyPair": "Cfm3GenerateKeyPair",
        "genSymKey": "Cfm3GenerateSymmetricKey",
        "importPubKey": "Cfm3CreatePublicKey",
        "exportPubKey": "Cfm3ExportPubKey",
        "wrapKey": "Cfm3WrapKeyWithTemplate",
        "unWrapKey": "Cfm3UnWrapKey",
        "deleteKey": "Cfm3DeleteKey",
        "setAttribute": "Cfm3SetAttribute",
        "getKeyInfo": "Cfm3GetKey",
        "findKey": "Cfm3FindKey",
        "findSingleKey": "Cfm3FindSingleKey",
        "getAttribute": "Cfm3GetAttribute",
    }
)


class Block(NamedTuple):
    """The cluster block: one line of its own, then one for each node."""

    head: str
    node: str  # of id, code, text


class Dialect(NamedTuple):
    """One form of every text that differs between clients, or that nobody has seen."""

    # what the client can do
    hidden_password: bool
    new_attributes: bool
    functions: Mapping[str, str]
    block: Block
    login_block: Block
    refusal: str  # after "returned: 0x.. ": of text
    total: str
    matching: str
    handles: str
    handles_break: str
    all_attributes: str  # of size, count
    one_file: str
    text_room: int  # bytes that a 512 dump counts for LABEL and ID together
    modulus_prefix: str
    owner: str
    shared: str
    user_count: str
    unwrapped: str
    attributes_head: str
    missing_key_function: str  # what deleteKey names for a handle that is not there
    # what varies only with jitter
    template_function: str = "Cfm3CreateUnwrapTemplate2"
    template_unwrap_function: str = "Cfm2UnWrapWithTemplate3"
    prompt: str = "\nCommand:  "
    indent: str = "\t"
    stand_off: str = "\n"
    version_line: str = ""
    password_star: bytes = b""
    newline_after_password: bool = True
    last_index_past_end: bool = False
    empty_check_value: bool = False
    blocks_on_refusal: bool = True
    wrong_password: Code = Code.LOGIN_FAILURE
    unknown_user: Code = Code.NO_SUCH_USER
    daemon_answers: bool = False
    repeats_handle: bool = True
    unknown_attributes: tuple[int, ...] = ()  # numbers that a newer firmware sends and this client does not know


_OLD_BLOCK = Block("\n\tCluster Error Status\n", "\tNode id {} and err state 0x{:08x} : {}\n")
_NEW_BLOCK = Block("\n\tCluster Status:\n", "\tNode id {} status: 0x{:08x} : {}\n")
_MIXED_BLOCK = Block("\n\tCluster Status\n", _OLD_BLOCK.node)
G1 = Dialect(
    hidden_password=False,
    new_attributes=False,
    functions=FUNCTIONS,
    block=_OLD_BLOCK,
    login_block=_OLD_BLOCK,
    refusal=": {}\n",
    total="\nTotal number of keys present {}\n",
    matching="\n number of keys matched from start index 0::{}\n",
    handles="{}\n",
    handles_break=", \n",
    all_attributes="\ngot all attributes of size {} attr cnt {}\n",
    one_file="Attributes dumped into {} file\n",
    text_room=288,
    modulus_prefix="",
    owner="\n\tOwned by user {}\n",
    shared="\n\talso, shared to following {} user(s):\n\n{}\n",
    user_count="\n\tNumber Of Users found {}\n\n",
    unwrapped="\n\tKey Unwrapped.  Key Handle: {}\n",
    attributes_head="\n\nDescription\n===========\n"
    "The following are all of the possible attribute values for getAttributes.\n\n",
    missing_key_function="Cfm3FindKey",
)
G2 = Dialect(
    hidden_password=True,
    new_attributes=True,
    functions=FUNCTIONS,
    block=_NEW_BLOCK,
    login_block=_NEW_BLOCK,
    refusal="\n\n\t{}\n",
    total="\n\tTotal number of keys present: {}\n",
    matching="\n\tNumber of matching keys from start index 0::{}\n",
    handles="\n\tHandles of matching keys:\n\t{}\n",
    handles_break=", \n\t",
    all_attributes="\nAttribute size: {}, count: {}\n",
    one_file="Written to: {} file\n",
    text_room=304,
    modulus_prefix="0x",
    owner="\n\tOwned by user: {}\n",
    shared="\n\tShared with following {} user(s):\n{}\n",
    user_count="\n\tNumber Of Users Found: {}\n\n",
    unwrapped="\n\tKey Unwrapped.  Key Handle: {} \n",
    attributes_head="\nFollowing are the possible attribute values for getAttributes:\n\n",
    missing_key_function="Cfm3DeleteKey",
)
_VERSIONS = "Version info, Client Version: 2.09.07.02, SDK API Version: 2.09.07.02, SDK Package Version: 2.0.1.2\n"


def dialect_of(generation: str, jitter: Jitter) -> Dialect:
    """The texts of `g1` or `g2`; with jitter, another of the forms that the reference leaves possible."""
    base = {"g1": G1, "g2": G2}[generation]
    pick = jitter.pick
    return base._replace(
        functions=_functions(jitter),
        login_block=pick("login-block", base.login_block, *([_MIXED_BLOCK] if base is G2 else [])),
        modulus_prefix=pick("modulus-prefix", base.modulus_prefix, "0x", ""),
        user_count=pick("user-count", base.user_count, "\n\tNumber of users found: {}\n\n"),
        unwrapped=pick("unwrapped", base.unwrapped, *_unwrapped_variants()),
        missing_key_function=pick("missing-key", base.missing_key_function, "Cfm3DeleteKey", "Cfm3FindKey"),
        template_function=pick("template", base.template_function, "Cfm3CreateUnwrapTemplate"),
        template_unwrap_function=pick("unwrap", base.template_unwrap_function, "Cfm2UnWrapKey5", "Cfm3UnWrapKey"),
        prompt=pick("prompt", base.prompt, "\nCommand: "),
        indent=pick("indent", base.indent, " " * 8, " " * 4),
        stand_off=pick("stand-off", base.stand_off, "", "\n\n"),
        version_line=pick("version-line", base.version_line, _VERSIONS, "\tSDK Version: 2.03\n"),
        password_star=pick("password-star", base.password_star, b"*"),
        newline_after_password=pick("password-newline", base.newline_after_password, False),
        last_index_past_end=pick("last-index", base.last_index_past_end, True),
        empty_check_value=pick("check-value", base.empty_check_value, True),
        blocks_on_refusal=pick("refusal-blocks", base.blocks_on_refusal, False),
        wrong_password=pick("wrong-password", base.wrong_password, Code.LOGIN_FAILURE_AT_CLIENT),
        unknown_user=pick("unknown-user", base.unknown_user, Code.USER_NOT_INITIALIZED),
        daemon_answers=pick("daemon", base.daemon_answers, True),
        repeats_handle=pick("repeated-handle", base.repeats_handle, False),
        unknown_attributes=pick("unknown-attributes", base.unknown_attributes, (0x0184, 0x10001)),
    )


def _functions(jitter: Jitter) -> Mapping[str, str]:
    return {
        **FUNCTIONS,
        "wrapKey": jitter.pick("wrap", FUNCTIONS["wrapKey"], "Cfm2WrapKey", "Cfm2WrapKey5"),
        "unWrapKey": jitter.pick("header-unwrap", FUNCTIONS["unWrapKey"], "Cfm2UnWrapKey5"),
        "findSingleKey": jitter.pick("find-single", FUNCTIONS["findSingleKey"], "Cfm3FindKey"),
    }


def _unwrapped_variants() -> list[str]:
    return [f"\n\tKey Unwrapped.{gap}Key Handle: {{}}{end}\n" for gap in (" ", "  ") for end in ("", " ")]
