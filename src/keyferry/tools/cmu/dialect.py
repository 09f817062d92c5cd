"""What cmu asks and says (reference/cmu.md); patterns allow what versions are thought to vary."""

from __future__ import annotations

import re

from keyferry.terminal.prompts import Manners, Prompt

MANNERS = Manners()

_PASSWORD = r"[Pp]lease enter (?:the )?password for token in slot[ \t]*(?P<slot>\d+)[ \t]*:[ \t]*"  # noqa: S105 - a prompt
PASSWORD = Prompt("the password prompt", _PASSWORD.encode())
PASSWORD_AGAIN = Prompt("the password prompt again", PASSWORD.pattern, fatal=True)
QUESTION = Prompt(
    "a question that -slot should have answered", rb"Enter (?:choice|handler?)\b[^\r\n]*:[ \t]*", fatal=True
)

PASSWORD_LINE = re.compile(_PASSWORD + r"\**")
BANNER = re.compile(r"Certificate Management Utility\b.*", re.IGNORECASE)
TOKEN_QUESTION = re.compile(r"Select token|\[ *\d+ *\] *Token Label *:.*|Enter choice *: *\d+")

COLUMNS = frozenset(
    {
        "handle",
        "ouid",
        "class",
        "keytype",
        "value",
        "private",
        "token",
        "id",
        "modifiable",
        "modulus",
        "publicexponent",
    }
)
"""Columns of `list -display` that may follow the label; behind any other word the label goes on."""

WRAPPED = frozenset({"modulus", "subject", "issuer", "value"})
"""Attributes whose long hex a narrow terminal may have wrapped."""

BOOLEANS = {"true", "false", "t", "f", "1", "0"}
BOOLEAN_NAMES = frozenset(
    {
        "token",
        "private",
        "sensitive",
        "encrypt",
        "decrypt",
        "wrap",
        "unwrap",
        "sign",
        "verify",
        "derive",
        "extractable",
        "local",
        "neverextractable",
        "alwayssensitive",
        "modifiable",
    }
)

REFUSED = re.compile(
    r"\bCKR_(?!OK\b)[A-Z0-9_]+"
    r"|\bnot (?:found|valid|supported|permitted|allowed|present)\b"
    r"|\b(?:error|fail(?:ed|ure|s)?|invalid|incorrect|wrong|missing|denied|refused|locked|expired)\b"
    r"|\b(?:cannot|can't|could not|unable|unknown|unrecogni[sz]ed)\b",
    re.IGNORECASE,
)
"""A line that no other pattern knows and that has one of these is the tool's refusal."""

PIN_REFUSED = re.compile(
    r"CKR_(?:PIN_|USER_LOCKED|USER_PIN)|\b0x0*A[0-4]\b"
    r"|\b(?:incorrect|invalid|wrong|bad)\s+(?:user\s+)?(?:pin|password)\b"
    r"|\b(?:pin|password)\b.*\b(?:incorrect|invalid|wrong|locked|expired)\b"
    r"|\blog-?\s?[io]n\b.*\b(?:fail|incorrect|denied|refused|locked)|\bfail.*\blog-?\s?[io]n\b",
    re.IGNORECASE,
)
"""A refusal that tells of the PIN."""

DONE = re.compile(r"\.\.\..*|.*\bsuc+es+ful.*", re.IGNORECASE)
"""What newer versions say where older ones are silent; some builds misspell it."""

IMPORT_OPTION = "-pubkey=rsa"
