"""What was typed beyond the document, and what a run does not prove."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from keyferry.pkcs11 import MODULUS_STRENGTH
from keyferry.report.model import Exceptional
from keyferry.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from keyferry.report.model import ReportedKey, ReportedWrappingKey, Step, TimelineEntry

_DOCUMENTED = {
    "loginHSM": ("-u", "-s", "-p", "-hpswd"),
    "genRSAKeyPair": ("-m", "-e", "-l"),
    "exportPubKey": ("-k", "-out"),
    "unWrapKey": ("-f", "-w", "-m", "-noheader", "-l", "-kc", "-kt"),
}
"""The document's verbs of key_mgmt_util and their options (reference/procedure-keystrokes.md)."""
_ALONE = ("-nex", "-noheader", "-hpswd", "-sess")
_WHY = {
    ("genRSAKeyPair", "-nex"): "the private half of the wrapping pair cannot leave the cluster",
    ("unWrapKey", "-nex"): "the new key cannot leave the cluster again",
    ("unWrapKey", "-t"): "OAEP's hash is named, because key_mgmt_util's page states no default",
    ("unWrapKey", "-id"): "the new key keeps the CKA_ID of the old one, or gets one by which it can be found again",
}
_QUESTIONS = {
    "key_mgmt_util": ("listUsers", "findKey", "findSingleKey", "getAttribute", "getHSMInfo", "getKeyInfo"),
    "cmu": ("cmu getAttribute",),
    "cloudhsm-cli": ("cluster hsm-info", "user list", "key list"),
}
_DES3_STRENGTH = 112  # bits (NIST SP 800-57 part 1)
_NAMED = 12  # handles that a sentence names


def additions(
    acts: Sequence[TimelineEntry], keys: Sequence[ReportedKey], steps: Sequence[Step], tool: str | None
) -> Iterator[Exceptional]:
    """Each option that the document's own commands do not have, with its first place, and what else was done.

    tool: by which the destination was reached.
    """
    if tool not in ("key_mgmt_util", None):
        yield Exceptional("tool", f"the destination was reached through {tool}; the document has key_mgmt_util there")
    count: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str], TimelineEntry] = {}
    for act in acts:
        for command in act.commands if act.tool == "key_mgmt_util" else ():
            for found in _options(command.typed):
                count[found] += 1
                first.setdefault(found, act)
    for (verb, option), times in count.items():
        act, why = first[verb, option], _WHY.get((verb, option), "not in the document")
        yield Exceptional(option, f"{verb} {option}, {_times(times)}: {why}", act.at, act.place)
    yield from _pair_kept(acts)
    yield from _questions(acts)
    if shown := sum(key.kcv is not None for key in keys):
        yield Exceptional(
            "check value",
            f"ckdemo encrypted a block of zeros under {counted(shown, 'key')} of the source"
            " for the check value; the file was erased at once",
        )
    yield from _order({step.number: step.first for step in steps})


def _pair_kept(acts: Sequence[TimelineEntry]) -> Iterator[Exceptional]:
    """What -nex is in CloudHSM CLI's words."""
    for act in acts if any(act.tool == "cloudhsm-cli" for act in acts) else ():
        if any("generate-asymmetric-pair" in one.typed and "extractable=false" in one.typed for one in act.commands):
            why = _WHY["genRSAKeyPair", "-nex"]
            yield Exceptional("extractable=false", f"key generate-asymmetric-pair: {why}", act.at, act.place)


def _options(typed: str) -> Iterator[tuple[str, str]]:
    """The options of a documented verb that the document does not have; values are passed over."""
    verb, *rest = typed.split() or [""]
    known, words = _DOCUMENTED.get(verb), iter(rest if rest != ["-h"] else [])
    for word in words if known else ():
        if word not in (known or ()):
            yield verb, word
        if word not in _ALONE:
            next(words, None)


def _questions(acts: Sequence[TimelineEntry]) -> Iterator[Exceptional]:
    asked = Counter(
        f"{act.tool} {verb.removeprefix('cmu ')}"
        for act in acts
        for command in act.commands
        for verb in _QUESTIONS.get(act.tool, ())
        if f"{command.typed} ".startswith(f"{verb} ")
    )
    if asked:
        told = ", ".join(f"{verb} ({count:,})" for verb, count in asked.items())
        yield Exceptional("questions", f"asked, which changes nothing: {told}")


def _order(first: dict[str, str | None]) -> Iterator[Exceptional]:
    described, generated = first.get("5.1"), first.get("1.2")
    if described and generated and described < generated:
        yield Exceptional(
            "order",
            "steps 4.3, 4.4, 4.5 and 5.1 came before 1.2, so that every key had its verdict before anything was"
            " changed; one session of each tool served the whole run (7.1 is the session of 1.1)",
        )


def not_proven(keys: Sequence[ReportedKey], pair: ReportedWrappingKey | None, *, complete: bool) -> Iterator[str]:
    """In the order in which an auditor should weigh it."""
    if not complete:
        yield "What happened after the last line of this record: the run was not ended by its own balance."
    if unsure := [key for key in keys if key.state == "needs_operator"]:
        yield f"What became of {named(unsure)}: a person must look before anything is done again."
    yield (
        "What the vendors' programs and the HSMs' firmware do: the hashes tell which programs ran; that they and the"
        " HSMs are what they claim to be is trusted, not shown."
    )
    crossed = [key for key in keys if key.crossed]
    if by_length := [key for key in crossed if key.proof == "length"]:
        yield f"That the value of {named(by_length)} is the same: no check value could be compared, only the length."
    if any(key.proof == "kcv" for key in crossed):
        yield (
            "That keys with equal check values are identical: a check value is three bytes, so another key has the"
            " same one in 1 of 16,777,216 cases."
        )
    if pair is not None:
        yield from _of_the_pair(crossed, pair)
    yield "That the clock was right: all times are those of the host on which Keyferry ran."
    yield (
        "That the record is the one that was written then, to anyone who has no head and no signature from outside:"
        " whoever can rewrite everything can forge everything."
    )


def _of_the_pair(crossed: Sequence[ReportedKey], pair: ReportedWrappingKey) -> Iterator[str]:
    strength = MODULUS_STRENGTH.get(pair.bits or 0)
    if strength and (stronger := [key for key in crossed if _strength(key) > strength]):
        yield (
            f"The full strength of {named(stronger)}: each was wrapped under RSA {pair.bits}, which has {strength} bits"
            " of strength, so whoever kept a wrapped file may attack that instead."
        )
    if pair.extractable:
        yield "That the private half never left the cluster: the pair was made extractable, as the document has it."
    yield (
        f"That the wrapping pair ({pair.public_handle} and {pair.private_handle}) is gone: backups of the cluster that"
        " were made while it was there hold it until they are deleted or expire."
    )


def _strength(key: ReportedKey) -> int:
    return _DES3_STRENGTH if key.type == "DES3" else key.bits or 0


def named(keys: Sequence[ReportedKey]) -> str:
    """How many they are, and the handles of the first of them."""
    handles = ", ".join(str(key.source_handle) for key in keys[:_NAMED])
    more = f" and {len(keys) - _NAMED:,} more" if len(keys) > _NAMED else ""
    return f"{len(keys):,} {'key' if len(keys) == 1 else 'keys'} ({handles}{more})"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"
