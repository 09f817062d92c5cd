"""The imported public key, as cmu and ckdemo show it: both must show what was asked for, and the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from keyferry.errors import MismatchError, NeedsOperatorError
from keyferry.pkcs11 import PublicKey
from keyferry.tools.cmu.dialect import BOOLEAN_NAMES, TRUE
from keyferry.tools.lines import unknown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from keyferry.pkcs11 import SourceHandle
    from keyferry.tools.ckdemo.screens import Shown

_ASKED: Final = {"token": True, "local": False, "decrypt": False, "sign": False, "unwrap": False}
"""What an imported public key of the token is by PKCS#11: not made in the HSM, and no private half."""

_CKA: Final = {"neverextractable": "CKA_NEVER_EXTRACTABLE", "alwayssensitive": "CKA_ALWAYS_SENSITIVE"}


def public_key(attributes: Mapping[str, str]) -> PublicKey:
    """Return the numbers that cmu shows."""
    try:
        return PublicKey(int(attributes["modulus"], 16), int(attributes["publicexponent"], 16))
    except (KeyError, ValueError):
        raise unknown("cmu", "getAttribute", "no public key among the attributes", str(sorted(attributes))) from None


def require_same(shown: Shown, key: PublicKey, attributes: Mapping[str, str]) -> None:
    """Demand that all that cmu shows of the imported key is what was asked for, and what ckdemo shows.

    Raises:
        MismatchError: something is another (WRAPPING-KEY-MATCH).
    """
    if public_key(attributes) != key:
        what, seen = "cmu and ckdemo read different public keys back from the source HSM", None
    elif wrong := list(_wrong(shown, attributes)):
        what, seen = "what cmu shows of the imported public key is not what was imported", "\n".join(wrong)
    else:
        return
    raise MismatchError(
        what,
        rule="WRAPPING-KEY-MATCH",
        tool="cmu",
        seen=seen,
        keys="nothing was wrapped under this key",
        hint="find out who else works in this partition, then remove the imported key before the next run",
    )


def _wrong(shown: Shown, attributes: Mapping[str, str]) -> Iterator[str]:
    kind = attributes["class"]
    if kind.lower() != "publickey":
        yield f"cmu: class={kind}, asked for: publicKey"
    if (told := attributes.get("keytype", "RSA")).upper() != "RSA":
        yield f"cmu: keytype={told}, asked for: RSA"
    for name in sorted(BOOLEAN_NAMES & attributes.keys()):
        found = attributes[name].lower() in TRUE
        other = shown.flag(_CKA.get(name, f"CKA_{name.upper()}"))
        if found is not _ASKED.get(name, found):
            yield f"cmu: {name}={attributes[name]}, asked for: {str(not found).lower()}"
        elif other is not None and found is not other:
            yield f"cmu: {name}={attributes[name]}, ckdemo: {str(other).lower()}"


def several(label: str, tool: str, found: Sequence[SourceHandle | None]) -> NeedsOperatorError:
    """Make the error for an import after which more than one object has the label that none had before."""
    handles = ", ".join(str(one) for one in found if one is not None)
    return NeedsOperatorError(
        f"another run, or a copy of this run's folder, imported a key labelled {label!r} at the same time",
        rule="WRAPPING-KEY-NEW",
        tool=tool,
        seen=f"{tool} shows {len(found)} objects with that label" + (f": {handles}" if handles else ""),
        keys="no key was wrapped; only public keys were imported",
        hint="let one run go on at a time: end the other one, remove the public keys with that label with"
        " `keyferry cmu delete`, then `keyferry resume` this run; two runs need two labels (`--wrapping-label`)",
    )
