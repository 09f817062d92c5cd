"""Answers to what makes keys, takes them in or gives them out (key_mgmt_util.md, section 5), as in `screens`.

Where a command makes a key, its handle can stand beside a failure: then the key is on some nodes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from keyferry.tools.key_mgmt_util.dialect import words
from keyferry.tools.key_mgmt_util.reply import NUMBER, CommandReply, handle, whole
from keyferry.tools.key_mgmt_util.reply_lines import ReplyLines

if TYPE_CHECKING:
    import re
    from collections.abc import Callable

    from keyferry.pkcs11 import DestinationHandle

T = TypeVar("T")

_PAIR = words(rf"(?:Cfm\d\w+ ?: ?)?public key handle ?: ?{NUMBER} private key handle ?: ?{NUMBER}")
_SECRET = words(rf"Symmetric Key Created\. ?Key Handle ?: ?{NUMBER}")
_PUBLIC = words(rf"Public Key Handle ?: ?{NUMBER}")
_IMPORTED = words(rf"Symmetric Key (?:Unwrapped|Imported)\. ?Key Handle ?: ?{NUMBER}")
_UNWRAPPED = words(rf"Key Unwrapped\. ?Key Handle ?: ?{NUMBER}")
_ATTESTATION = words(r"Attestation Check ?: ?\[ ?PASS\w* ?\]")
_PUBLIC_PEM = words(r"PEM formatted public key is written to (.+)")
_PRIVATE_PEM = words(r"PEM formatted private key is written to (.+)")
_SYMMETRIC_FILE = words(r'(?:Wrapped|Exported) Symmetric Key written to file "(.{1,1400}?)"')
_UNWRAPPING_FAILED = words(r"(?:Error ?: ?)?AES_unwrap_key failed\.?")
_WRAPPED = words(r"Key Wrapped\.?")
_WRAPPED_FILE = words(rf'Wrapped Key written to file "(.{{1,1400}}?)"? length {NUMBER}')  # the page forgets a quote


@dataclass(frozen=True, slots=True)
class KeyPairHandles:
    public: DestinationHandle
    private: DestinationHandle

    def __str__(self) -> str:
        return f"{self.public} (public), {self.private} (private)"


@dataclass(frozen=True, slots=True)
class WrapReply:
    """Where wrapKey wrote; length: bytes of the file."""

    file: str
    length: int


def key_pair(text: str) -> CommandReply[KeyPairHandles]:
    """genRSAKeyPair."""
    sheet = ReplyLines("genRSAKeyPair", text)
    return _made(sheet, _PAIR, lambda found: KeyPairHandles(handle(sheet, found[1]), handle(sheet, found[2])))


def secret_key(text: str) -> CommandReply[DestinationHandle]:
    """genSymKey."""
    return _one_key("genSymKey", _SECRET, text)


def public_key(text: str) -> CommandReply[DestinationHandle]:
    """importPubKey."""
    return _one_key("importPubKey", _PUBLIC, text)


def symmetric_import(text: str) -> CommandReply[DestinationHandle]:
    """imSymKey: two or three results before the handle, under other names in each generation."""
    return _one_key("imSymKey", _IMPORTED, text)


def unwrapped(text: str) -> CommandReply[DestinationHandle]:
    """unWrapKey, with and without `-noheader`."""
    return _one_key("unWrapKey", _UNWRAPPED, text)


def exported(text: str) -> CommandReply[str]:
    """exportPubKey: the file's name. The tool can report success without having written one."""
    return _one_file("exportPubKey", _PUBLIC_PEM, text)


def private_export(text: str) -> CommandReply[str]:
    """exportPrivateKey: the file's name."""
    return _one_file("exportPrivateKey", _PRIVATE_PEM, text)


def symmetric_export(text: str) -> CommandReply[str]:
    """exSymKey: the file's name. What the host does with the wrapped key can fail after the HSM's success."""
    sheet = ReplyLines("exSymKey", text)
    found, failed = sheet.take_one(_SYMMETRIC_FILE), sheet.take_one(_UNWRAPPING_FAILED)
    outcome = sheet.outcome(silent=failed is not None)
    if failed:
        outcome = replace(outcome, refusal=failed.string)
    return whole(sheet, outcome, found[1] if found else None)


def wrapped(text: str) -> CommandReply[WrapReply]:
    """wrapKey: the result stands first or last, by version."""
    sheet = ReplyLines("wrapKey", text)
    sheet.take_one(_WRAPPED)
    found = sheet.take_one(_WRAPPED_FILE)
    return whole(sheet, sheet.outcome(), WrapReply(found[1], int(found[2])) if found else None)


def _one_key(verb: str, pattern: re.Pattern[str], text: str) -> CommandReply[DestinationHandle]:
    sheet = ReplyLines(verb, text)
    return _made(sheet, pattern, lambda found: handle(sheet, found[1]))


def _made(sheet: ReplyLines, pattern: re.Pattern[str], read: Callable[[re.Match[str]], T]) -> CommandReply[T]:
    """Read the handle line. A key that is on some HSMs only has it twice, before and after the cluster block."""
    found = sheet.take_repeated(pattern)
    for match in found:
        sheet.require_ended(match)
    sheet.take_one(_ATTESTATION)
    outcome = sheet.outcome()
    if len(found) > 1 and outcome.failure is None:
        raise sheet.unknown("the handle line is there twice, although every HSM succeeded", found[1].string)
    return whole(sheet, outcome, read(found[0]) if found else None)


def _one_file(verb: str, pattern: re.Pattern[str], text: str) -> CommandReply[str]:
    sheet = ReplyLines(verb, text)
    found = sheet.take_one(pattern)
    return whole(sheet, sheet.outcome(), found[1] if found else None)
