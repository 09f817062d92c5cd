"""What key_mgmt_util answers to a command that it cannot read."""

from __future__ import annotations


class Misused(Exception):  # noqa: N818 - an answer of the tool, not a mistake of ours
    """The usage text is the answer, after these lines (none: just the usage text); no result line follows."""

    def __init__(self, *lines: str) -> None:
        super().__init__(*lines)
        self.lines = lines
