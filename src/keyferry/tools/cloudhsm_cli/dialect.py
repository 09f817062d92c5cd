"""What CloudHSM CLI (Client SDK 5) prints and takes (reference/cloudhsm_cli.md). One generation is known; what its
pages of 2023 and of today print differently, as an empty id, stands here side by side.
"""

from __future__ import annotations

from keyferry.terminal.prompts import ENDED, InputLimits, Prompt

TOOL = "cloudhsm-cli"
MANNERS = InputLimits(longest_line=930, edits_lines=True)  # with the prompt it fits in a row of our terminal

PROMPT = r"(?:aws-cloudhsm|[a-z0-9_]{1,31}@cluster-[0-9a-z]{1,40}) ?>"
"""The prompt of commands; with several configured clusters and a user logged in, `<user>@cluster-<id> > `."""
COMMAND = Prompt("aws-cloudhsm >", PROMPT.encode() + b" ?")
PASSWORD = Prompt("Enter password:", rb"Enter password: ?")
QUESTION = Prompt("another question", rb"(?:Enter|Confirm) [^\n:]{1,100}: ?", fatal=True)
"""The password again, a second factor: nothing that is answered here."""
END = Prompt(ENDED, b"")

PAGE = 100
"""Keys that are asked for at once; ten if nothing is said."""

LONGEST_LABEL = 126
"""Characters; 127 from 5.11 on."""

LONGEST_USER = 31
ROLE = "crypto-user"

KEY_TYPE_CLASSES = {"AES": "aes", "DES3": "des3", "GENERIC_SECRET": "generic-secret"}
KEY_TYPES = {"aes": "AES", "des3": "DES3", "3des": "DES3", "generic-secret": "GENERIC_SECRET", "rsa": "RSA", "ec": "EC"}
HASHES = ("sha1", "sha224", "sha256", "sha384", "sha512")
FULL = "full"
"""The coverage of a key that is on every HSM of the cluster."""

INCONSISTENT = "inconsistent"
"""Stands in place of a boolean, number, role, status or coverage about which the HSMs of the cluster disagree."""

FLAGS = frozenset(
    {"encrypt", "decrypt", "sign", "verify", "wrap", "unwrap", "derive", "wrap-with-trusted", "trusted", "token"}
    | {"private", "sensitive", "always-sensitive", "extractable", "never-extractable", "local", "modifiable"}
    | {"destroyable"}
)
NUMBERS = frozenset({"key-length-bytes", "modulus-size-bits"})
"""Attributes of a key that are booleans, and those that are numbers."""

FEWEST_HSMS = 2
"""A key must be available on so many, unless the client was configured otherwise."""

QUOTAS = (("CNN35XX", 3300), ("", 16666))
"""Keys of a cluster by what the model's name holds: hsm1.medium, and all others (hsm2m.medium)."""

START_HINT = "configure it first (`configure-cli -a ADDRESS`), and see that it can write its log directory"
