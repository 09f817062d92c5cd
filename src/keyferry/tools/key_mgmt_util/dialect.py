"""What AWS documents of key_mgmt_util, as tables: argument values, prompts and the texts that are recognised.

Both generations of output (and the mixtures in between) are read with the same patterns: where they differ,
a pattern knows both wordings.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Final

from keyferry.terminal.prompts import ENDED, InputLimits, Prompt

TOOL: Final = "key_mgmt_util"


def words(pattern: str) -> re.Pattern[str]:
    """A pattern for a line whose blanks and tabs have become one blank each; case does not count."""
    return re.compile(pattern, re.IGNORECASE | re.ASCII)


# What can be typed, and what asks for it

MANNERS: Final = InputLimits(longest_line=1399)  # the tool drops what comes after
LONGEST_LABEL: Final = 126
"""Characters of a label or an id: the HSM keeps 127, but some builds accept one less."""
COMMAND: Final = Prompt("Command:", rb"Command:[ ]{1,2}")
PASSWORD: Final = Prompt("Enter password:", rb"(?i:enter[ \t]+password)[ \t]*:[ \t]*")
PASSWORD_AGAIN: Final = Prompt("Enter password:", PASSWORD.pattern, fatal=True)
VALUE: Final = Prompt(
    "Enter the boolean attribute value (0 or 1):",
    rb"(?i:enter[ \t]+the[ \t]+boolean[ \t]+attribute[ \t]+value)[ \t]*\(0[ \t]+or[ \t]+1\)[ \t]*:[ \t]*",
)
COMMAND_TWICE: Final = Prompt("Command: twice", rb"Command:[ ]{1,2}[\r\n\0]+[ \t]*Command:[ ]{1,2}")
COMMAND_AND_SILENCE: Final = Prompt("Command: and silence", rb"[\r\n\0][ \t]*Command:[ ]{1,2}", settle=0.5)
"""After VALUE: the end of the typed line is read as an empty command, so the prompt comes again.

A build that does not do so is waited for only until it is silent.
"""
END: Final = Prompt(ENDED, b"")

BUSY: Final = 0xBB
NOT_LOGGED_IN: Final = 0xA0
"""The one refusal that says that the command was not done (throttling): it may be typed again."""
MOST_REPEATS: Final = 5
NOT_LISTED: Final = words(r"Failed to fetch the keys\b.*|No more keys are found\.?")
"""findKey counted the keys and then could not list them all."""
BUSY_WAIT: Final = 1.0
"""Seconds before it is typed again."""

# Argument values

WITHOUT_VALUE: Final = frozenset({"-h", "-2fa", "-hpswd", "-nex", "-noheader", "-sess", "-attest", "-wk"})
"""Flags that take no value; what stands behind any other one is its value."""
RSA_OAEP: Final = 8
"""-m of wrapKey and unWrapKey."""
HASHES: Final = {"sha1": 2, "sha256": 3, "sha384": 4, "sha512": 5, "sha224": 6}
"""-t of wrapKey and unWrapKey; there is no flag for MGF1's hash, which is taken to be the same."""
KEY_TYPES: Final = {"GENERIC_SECRET": 16, "DES3": 21, "AES": 31}
"""-kt of unWrapKey, -t of genSymKey and findKey, for the types that can cross."""
KEYS_OF_A_CLUSTER: Final = 3300
"""The documented quota of hsm1.medium, the one type that this tool reaches."""
APPROVERS: Final = (None, *range(1, 9))
"""-m_value of unWrapKey; 0 is documented, and refused by the tool, so it is left out instead."""
PUBLIC_KEY, PRIVATE_KEY, SECRET_KEY = 2, 3, 4
"""-kc of unWrapKey, -c of findKey, and the values of the attribute CLASS."""
ATTRIBUTES: Final = MappingProxyType(
    {
        "CLASS": 0,
        "TOKEN": 1,
        "PRIVATE": 2,
        "LABEL": 3,
        "TRUSTED": 134,
        "KEY_TYPE": 256,
        "ID": 258,
        "SENSITIVE": 259,
        "ENCRYPT": 260,
        "DECRYPT": 261,
        "WRAP": 262,
        "UNWRAP": 263,
        "SIGN": 264,
        "VERIFY": 266,
        "DERIVE": 268,
        "MODULUS": 288,
        "MODULUS_BITS": 289,
        "PUBLIC_EXPONENT": 290,
        "VALUE_LEN": 353,
        "EXTRACTABLE": 354,
        "LOCAL": 355,
        "NEVER_EXTRACTABLE": 356,
        "ALWAYS_SENSITIVE": 357,
        "DESTROYABLE": 370,
        "KCV": 371,
        "ALL": 512,
        "WRAP_WITH_TRUSTED": 528,
        "WRAP_TEMPLATE": 1073742353,
        "UNWRAP_TEMPLATE": 1073742354,
    }
)
"""-a of getAttribute and setAttribute, by the names that getAttribute writes, less OBJ_ATTR_."""
ALL_ATTRIBUTES: Final = ATTRIBUTES["ALL"]
TOKEN: Final = ATTRIBUTES["TOKEN"]
"""The one attribute that setAttribute changes."""

# Success

FUNCTIONS: Final = {
    "startup": frozenset({"Initialize"}),
    "loginHSM": frozenset({"LoginHSM"}),
    "logoutHSM": frozenset({"LogoutHSM"}),
    "genRSAKeyPair": frozenset({"GenerateKeyPair"}),
    "genSymKey": frozenset({"GenerateSymmetricKey"}),
    "exportPubKey": frozenset({"ExportPubKey"}),
    "importPubKey": frozenset({"CreatePublicKey"}),
    "exportPrivateKey": frozenset({"WrapKey", "WrapKeyWithTemplate"}),
    "imSymKey": frozenset({"UnWrapKey", "ImportUnWrapKey"}),
    "exSymKey": frozenset({"WrapKey", "WrapKeyWithTemplate"}),
    "wrapKey": frozenset({"WrapKey", "WrapKeyWithTemplate"}),
    "unWrapKey": frozenset({"UnWrapKey", "UnWrapWithTemplate"}),
    "findKey": frozenset({"FindKey"}),
    "findSingleKey": frozenset({"FindSingleKey", "FindKey"}),
    "getAttribute": frozenset({"GetAttribute"}),
    "setAttribute": frozenset({"SetAttribute"}),
    "getKeyInfo": frozenset({"GetKey", "GetKeyInfo"}),
    "deleteKey": frozenset({"DeleteKey"}),
    "listUsers": frozenset({"ListUsers"}),
    "getHSMInfo": frozenset({"GetHSMInfo"}),
    "listAttributes": frozenset(),
    "Error2String": frozenset(),
    "help": frozenset(),
}
"""The functions that report a verb's success, less `Cfm3` and a last digit. A failure may come from any."""
DOCUMENTED: Final = frozenset(FUNCTIONS) - {"startup"} | {"exit"}
"""The commands that may be typed."""
PROCEDURE: Final = frozenset(
    {
        "listUsers",
        "loginHSM",
        "findKey",
        "findSingleKey",
        "getAttribute",
        "getKeyInfo",
        "genRSAKeyPair",
        "exportPubKey",
        "unWrapKey",
        "logoutHSM",
        "exit",
    }
)
"""Those of a migration."""
STEPS: Final = {
    "startup": frozenset({"OpenSession", "GetPartitionInfo"}),
    "genRSAKeyPair": frozenset({"DeleteKey", "FindSingleKey"}),
    "genSymKey": frozenset({"DeleteKey", "FindSingleKey"}),
    "importPubKey": frozenset({"DeleteKey", "FindSingleKey"}),
    "exportPrivateKey": frozenset({"UnWrapHostKey"}),
    "imSymKey": frozenset({"WrapHostKey", "ImportWrapKey", "CreateUnwrapTemplate", "DeleteKey", "FindSingleKey"}),
    "exSymKey": frozenset({"UnWrapHostKey"}),
    "unWrapKey": frozenset({"CreateUnwrapTemplate", "DeleteKey", "FindSingleKey"}),
}
"""Functions that may report success besides: a step before, or what `-min_srv` polls and rolls back."""

SUCCESS: Final = words(r"HSM Return ?: ?SUCCESS ?>?")

# Refusals

ERRORS_WITH_TEXT: Final = frozenset(
    {0x1B, 0x82, 0x90, 0x9D, 0x9F, 0xA0, 0xA3, 0xA8, 0xB3, 0xBB, 0xC6, 0xCE, 0xDB, 0x40000040}
)
"""Codes whose text is documented: where it is missing, the screen was cut short."""

CLIENT_CODES: Final = 0x100
"""Codes below this are the firmware's: the HSM refused. Others are the cluster client's (0x300000xx), the daemon's
(0x400000xx) or undocumented: the HSM may have done what was asked."""
WRONG_PASSWORD: Final = frozenset({0xA3, 0x40000049})
"""Codes of a login that speak of the password."""

REFUSALS: Final = tuple(
    words(pattern)
    for pattern in (
        r"Error: .+",
        r"WARNING: Failed to read from the file .+",
        r".{1,1400} is an empty file\.?",
        r"Valid m_value range is .+",
        r"Incorrect Modulus Length for FIPS mode.*",
        r"Failed to open file.*",
        r"This attribute is either not modifiable or unknown\.?",
        r"\d{1,20} is not a symmetric key\.?",
        r"Version Mismatch with sdk api.*",
        r".*error while loading shared libraries:.*",
    )
)
"""Lines with which a command is refused, with or without usage text, mostly without a result line."""

START_HINTS: Final = (
    ("Daemon socket connection error", "start the daemon cloudhsm-client, configured with an HSM that is there"),
    ("Invalid Operation", "restart the daemon cloudhsm-client; the cluster must have an HSM it can reach"),
    ("error while loading shared libraries", "install the package that brings the missing library"),
    ("Version Mismatch", "bring client, library and daemon to one version, then restart the daemon"),
    ("get_peer_version", "bring client, library and daemon to one version, then restart the daemon"),
)
"""Words of a start that failed, and what to do about it."""
START_HINT: Final = "see that the daemon cloudhsm-client runs and that this host reaches the cluster"
