"""What vtl says, in 5.x and from 6.x on (reference/vtl.md)."""

from __future__ import annotations

import re

from keyferry.terminal.prompts import InputLimits

MANNERS = InputLimits()

BANNER = re.compile(r"vtl\b.*\bv\d+\.\d.*", re.IGNORECASE)
COUNT = re.compile(r"Number of slots\s*:\s*(?P<count>[0-9]{1,9})", re.IGNORECASE)
FOUND = re.compile(r"The following slots were found\s*:", re.IGNORECASE)
HEADER = re.compile(r"Slot(?:\s*#)?\s+Description\s+Label\s+Serial\s*#\s+Status", re.IGNORECASE)
RULE = re.compile(r"=+(?:\s+=+){4}")
VERIFIED = re.compile(r"The following \S.{0,60} were found\s*:", re.IGNORECASE)
VERIFIED_HEADER = re.compile(r"Slot(?:\s*#)?\s+Serial\s*#\s+Label", re.IGNORECASE)
VERIFIED_RULE = re.compile(r"=+(?:\s+=+){2}")
REFUSED = re.compile(r"Error\s*:.*", re.IGNORECASE)

DOCUMENTED = frozenset({"listSlots", "verify"})
PROCEDURE = frozenset({"listSlots"})
"""The verbs, and those of a migration."""

PRESENT, NOT_PRESENT = "Present", "Not present"
EMPTY = "-"
HA_DESCRIPTION = "HA Virtual Card Slot"
