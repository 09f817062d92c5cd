"""What cmu asks and says (reference/cmu.md); patterns allow what versions are thought to vary."""

from __future__ import annotations

import re

from keyferry.terminal.prompts import InputLimits, Prompt

MANNERS = InputLimits()

_PASSWORD = r"[Pp]lease enter (?:the )?password for token in slot[ \t]*(?P<slot>\d+)[ \t]*:[ \t]*"  # noqa: S105 - a prompt
PASSWORD = Prompt("the password prompt", _PASSWORD.encode())
PASSWORD_AGAIN = Prompt("the password prompt again", PASSWORD.pattern, fatal=True)
CHOICE = Prompt("the choice of a token", rb"Enter choice[ \t]*:[ \t]*")
QUESTION = Prompt(
    "a question that -slot should have answered", rb"Enter (?:choice|handler?)\b[^\r\n]*:[ \t]*", fatal=True
)

PASSWORD_LINE = re.compile(_PASSWORD + r"\**")
BANNER = re.compile(r"Certificate Management Utility\b.*", re.IGNORECASE)
SELECT_TOKEN = re.compile(r"Select token:?", re.IGNORECASE)
TOKEN = re.compile(
    r"\[[ \t]*(?P<number>[0-9]{1,20})[ \t]*\][ \t]*Token (?:Label|Serial)[^:]{0,20}:(?P<name>.*)", re.IGNORECASE
)
CHOSEN = re.compile(r"Enter choice[ \t]*:[ \t]*[0-9]*", re.IGNORECASE)
SELECT_OBJECT = re.compile(r"Select object to \w+:?", re.IGNORECASE)
OBJECTS_HEADER = re.compile(r"Handler?\s+Label", re.IGNORECASE)
OBJECT = re.compile(r"[0-9]{1,20}(?:\s.*)?")
OBJECT_CHOSEN = re.compile(r"Enter handler?\b[^:]{0,40}:[ \t]*[0-9]+", re.IGNORECASE)

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

TRUE = {"true", "t", "1"}
BOOLEANS = TRUE | {"false", "f", "0"}
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
    r"|\b(?:incorrect|invalid|wrong|bad)\s{1,9}(?:user\s{1,9})?(?:pin|password)\b"
    r"|\b(?:pin|password)\b.{0,200}\b(?:incorrect|invalid|wrong|locked|expired)\b"
    r"|\blog-?\s?[io]n\b.{0,200}\b(?:fail|incorrect|denied|refused|locked)|\bfail.{0,200}\blog-?\s?[io]n\b",
    re.IGNORECASE,
)
"""A refusal that tells of the PIN. What may stand between its words is bounded: a search stays linear."""

DONE = re.compile(r"\.\.\..*|.*\bsuc+es+ful.*", re.IGNORECASE)
"""What newer versions say where older ones are silent; some builds misspell it."""

MADE = re.compile(r"->\s{0,9}handle\s{0,9}\(\s{0,9}(?P<handle>[0-9]{1,20})\s{0,9}\)", re.IGNORECASE)
"""Where a newer version's word of success names the new object's handle."""

DOCUMENTED = frozenset({"list", "getAttribute", "setAttribute", "import", "delete"})
PROCEDURE = frozenset({"list", "getAttribute", "import"})
"""The verbs, and those of a migration."""

IMPORT_OPTION = "-pubkey=rsa"
CLASS_FILTERS = ("public", "private", "secret", "certificate", "data")
OUID_COLUMNS = "-display=handle,ouid,label"
