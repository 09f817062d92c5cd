from __future__ import annotations


class CkrError(Exception):
    """A Cryptoki call that did not return CKR_OK: which one, and the name of what it returned."""

    def __init__(self, function: str, ckr: str) -> None:
        super().__init__(f"{function} returned {ckr}")
        self.function = function
        self.ckr = ckr
