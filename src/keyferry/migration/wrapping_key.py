"""Steps 1.2 to 4.6: the wrapping pair, and its public half on the other side (WRAPPING-KEY-NEW, -MATCH)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from keyferry import steps
from keyferry.errors import CheckFailedError, MismatchError, NeedsOperatorError, ToolRefusedError
from keyferry.pkcs11 import KeyClass, PublicKey, Sha256
from keyferry.run.manifest import PEM
from keyferry.run.state import IMPORT_BEGUN, PairStage, PairState
from keyferry.text import counted
from keyferry.tools.endpoints import Pair

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from keyferry.migration.endpoints import Endpoints
    from keyferry.migration.in_flight import InFlight
    from keyferry.pkcs11 import DestinationHandle, SourceHandle
    from keyferry.planning.job import WrappingKeyOptions
    from keyferry.run.directory import RunDirectory
    from keyferry.tools.endpoints import DestinationKey


@dataclass(frozen=True, slots=True)
class WrappingKey:
    """The pair on the destination, its public half on the source. sha256: of the DER SubjectPublicKeyInfo."""

    label: str
    pair: Pair
    source_handle: SourceHandle | None
    public_key: PublicKey
    sha256: Sha256

    def json(self) -> dict[str, object]:
        return {
            "label": self.label,
            "public_handle": self.pair.public,
            "private_handle": self.pair.private,
            "source_handle": self.source_handle,
            "sha256": self.sha256,
        }


class Wrapping:
    """Makes the wrapping key and proves it the same in four places before anything is wrapped.

    past: how far an earlier process of this run came; each step is then found done, or done now.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        directory: RunDirectory,
        wish: WrappingKeyOptions,
        past: PairState | None = None,
        in_flight: InFlight | None = None,
    ) -> None:
        """in_flight: waits for a generation of an earlier process."""
        self._endpoints = endpoints
        self._directory = directory
        self._journal = directory.journal
        self._wish = wish
        self._past = past or PairState()
        self._in_flight = in_flight

    def make(self, digest: str) -> WrappingKey:
        return self.bring(self.export(digest), digest)

    def export(self, digest: str) -> WrappingKey:
        """Steps 1.2 and 2.1, on the destination only."""
        self._endpoints.destination.use_digest(digest)
        return self._export(self._pair())

    def bring(self, key: WrappingKey, digest: str) -> WrappingKey:
        """Steps 3 to 4.6, on the source only."""
        handle = self._on_source(key)
        self._endpoints.source.use_digest(digest)
        return replace(key, source_handle=handle)

    def _pair(self) -> Pair:
        past = self._past
        if past.public is not None and past.private is not None:
            return Pair(past.public, past.private)
        if past.stage is PairStage.GENERATE_INTENT and (found := self._made_before()):
            return found
        return self._generate()

    def _made_before(self) -> Pair | None:
        """What came of a generation whose end nobody saw. The label was free before it (WRAPPING-KEY-NEW)."""
        destination, label = self._endpoints.destination, self._wish.label
        handles = destination.labelled(label)
        if not handles and self._in_flight and self._in_flight.wait(self._past.intended):
            handles = destination.labelled(label)
        found = [destination.describe(handle) for handle in handles]
        self._journal.write("question", act="generate", label=label, found=[key.handle for key in found])
        if not found:
            return None
        halves = {key.key_class: key for key in found}
        if len(found) != 2 or halves.keys() != {KeyClass.PUBLIC, KeyClass.PRIVATE}:
            raise self._several("the destination", "1.2", [key.handle for key in found])
        pair = Pair(halves[KeyClass.PUBLIC].handle, halves[KeyClass.PRIVATE].handle)
        self._generated(pair, adopted=True)
        return pair

    def _on_source(self, key: WrappingKey) -> SourceHandle:
        """The imported public key: found where an earlier process may have imported it, else imported now."""
        handle = None
        if self._past.stage in IMPORT_BEGUN:
            found = self._endpoints.source.labelled(key.label)
            self._journal.write("question", act="import", label=key.label, found=list(found))
            if len(found) > 1:
                raise self._several("the source", "4.2", found)
            handle = found[0] if found else None
        if handle is None:
            self._move(key)
            return self._import(key)
        self._journal.write("done", act="import", handle=handle, adopted=True)
        return self._allowed(key, handle)

    def _several(self, side: str, step: str, found: Sequence[int]) -> NeedsOperatorError:
        return NeedsOperatorError(
            f"which objects labelled {self._wish.label!r} this run made cannot be told: {side} has {len(found)}",
            rule="WRAPPING-KEY-MATCH",
            step=step,
            seen=", ".join(map(str, found)),
            keys="no key was wrapped since",
            hint="remove those that are not this run's with the tool itself, then `keyferry resume` again",
        )

    def check_free(self) -> None:
        """WRAPPING-KEY-NEW: nothing on the destination has the pair's label, so what carries it later is ours."""
        if found := self._endpoints.destination.labelled(self._wish.label):
            raise CheckFailedError(
                f"the destination already has {counted(len(found), 'key')} labelled {self._wish.label!r}",
                rule="WRAPPING-KEY-NEW",
                step="1.2",
                seen=", ".join(map(str, found)),
                keys="nothing was changed",
                hint="remove what an earlier run left, or choose another label: `[wrapping] label`",
            )

    def _generate(self) -> Pair:
        steps.start(self._endpoints.bus, "1.2")
        wish, destination = self._wish, self._endpoints.destination
        self._journal.write("intent", act="generate", label=wish.label, bits=wish.bits, extractable=wish.extractable)
        pair = destination.make_pair(wish.label, wish.bits, extractable=wish.extractable)
        self._generated(pair)
        return pair

    def _generated(self, pair: Pair, **how: object) -> None:
        self._journal.write("done", act="generate", public=pair.public, private=pair.private, **how)
        self._check_coverage(pair)

    def _check_coverage(self, pair: Pair) -> None:
        """CLUSTER-COVERAGE of both halves."""
        destination = self._endpoints.destination
        public, private = (destination.coverage(half) for half in (pair.public, pair.private))
        words = {"public": public.words, "private": private.words} if public.words else None
        self._journal.write("done", act="cover", public=public.nodes, private=private.nodes, coverage=words)

    def _export(self, pair: Pair) -> WrappingKey:
        steps.start(self._endpoints.bus, "2.1")
        public, private = self._halves(pair)
        self._check_private(private)
        if self._past.public is not None:  # made by an earlier process: an HSM may have joined the cluster since
            self._check_coverage(pair)
        if self._past.sha256 is None or not self._pem.exists():
            self._fetch(pair.public)
        exported, digest = read_pem(self._pem)
        self._same_file({"the journal": self._past.sha256 or digest, "the PEM file": digest}, "2.1")
        known = {
            "the public half's attributes": public.public_key,
            "the private half's attributes": private.public_key,
        }
        places = self._match(known | {"the PEM file": exported}, "2.1")
        self._journal.write("done", act="export", sha256=digest, places=places)
        return WrappingKey(self._wish.label, pair, None, exported, digest)

    def _halves(self, pair: Pair) -> tuple[DestinationKey, DestinationKey]:
        destination = self._endpoints.destination
        try:
            return destination.describe(pair.public), destination.describe(pair.private)
        except ToolRefusedError as refusal:
            raise NeedsOperatorError(
                f"the wrapping pair {pair.public}, {pair.private} cannot be read on the destination: {refusal.what}",
                rule="WRAPPING-KEY-MATCH",
                seen=refusal.seen,
                keys="what was wrapped under a lost pair can never be unwrapped; the source keys are as before",
                hint="if somebody removed the pair, make a new plan: it recognizes keys that were migrated already",
            ) from refusal

    def _fetch(self, handle: DestinationHandle) -> None:
        host = self._endpoints.destination_host
        host.remove(PEM)
        self._endpoints.destination.export_public_key(handle, PEM)
        if not host.size(PEM):
            raise MismatchError(
                "the public key was exported, but there is no file", rule="WRAPPING-KEY-MATCH", step="2.1"
            )
        there = host.fetch(PEM, self._pem)
        self._endpoints.destination.record_file(PEM, self._pem.read_bytes())
        self._same_file({"the destination client": there, "the run directory": hash_of(self._pem)}, "2.1")
        self._journal.write("done", act="fetch", file=PEM, host="destination", sha256=there)

    def _move(self, key: WrappingKey) -> None:
        steps.start(self._endpoints.bus, "3")
        there = self._endpoints.source_host.put(self._pem, PEM)
        self._same_file({"the run directory": hash_of(self._pem), "the source client": there}, "3")
        self._journal.write("done", act="move", file=PEM, host="source", sha256=there, key=key.sha256)

    def _import(self, key: WrappingKey) -> SourceHandle:
        source = self._endpoints.source
        steps.start(self._endpoints.bus, "4.1")
        self._journal.write("intent", act="import", label=key.label, sha256=key.sha256)
        handle = source.import_public_key(PEM, key.label)
        self._journal.write("done", act="import", handle=handle)
        return self._allowed(key, handle)

    def _allowed(self, key: WrappingKey, handle: SourceHandle) -> SourceHandle:
        """4.2 and 4.6: compared with the pair, then allowed to wrap."""
        source = self._endpoints.source
        steps.start(self._endpoints.bus, "4.2")
        places = self._match({"the pair": key.public_key, "the source HSM": source.public_key(handle)}, "4.2")
        self._journal.write("done", act="compare", handle=handle, places=places)
        steps.start(self._endpoints.bus, "4.6")
        self._journal.write("intent", act="allow wrapping", handle=handle)
        source.allow_wrapping(handle)
        self._journal.write("done", act="allow wrapping", handle=handle)
        return handle

    @property
    def _pem(self) -> Path:
        return self._directory.files / PEM

    def _check_private(self, private: DestinationKey) -> None:
        """WRAPPING-KEY-MATCH: the private half was made in the HSM, can unwrap, and cannot leave."""
        wanted = {"LOCAL": private.local is True, "UNWRAP": private.may_unwrap is True}
        if not self._wish.extractable:
            wanted["not EXTRACTABLE"] = private.extractable is False
        if missing := [name for name, holds in wanted.items() if not holds]:
            raise MismatchError(
                f"the private half {private.handle} is not {', '.join(missing)}",
                rule="WRAPPING-KEY-MATCH",
                step="2.1",
                keys="nothing was wrapped",
            )

    @staticmethod
    def _match(places: Mapping[str, PublicKey | None], step: str) -> dict[str, Sha256]:
        """WRAPPING-KEY-MATCH: modulus and exponent are the same everywhere. Gives the fingerprint of each place."""
        if None in places.values() or len(set(places.values())) != 1:
            told = [f"{place}: {_short(key)}" for place, key in places.items()]
            raise MismatchError(
                "public key mismatch: the imported key is not the wrapping pair's",
                rule="WRAPPING-KEY-MATCH",
                step=step,
                seen="\n".join(told),
                keys="nothing was wrapped, so no key has left the source partition",
                hint="find out who can write to the folders of both hosts before anything else",
            )
        return {place: fingerprint(key) for place, key in places.items() if key is not None}

    @staticmethod
    def _same_file(hashes: Mapping[str, Sha256], step: str) -> None:
        if len(set(hashes.values())) != 1:
            raise MismatchError(
                f"{PEM} is not the same everywhere",
                rule="WRAPPING-KEY-MATCH",
                step=step,
                seen="\n".join(f"{place}: {digest}" for place, digest in hashes.items()),
                keys="nothing was wrapped",
            )


def read_pem(path: Path) -> tuple[PublicKey, Sha256]:
    """The RSA public key of a PEM file and the SHA-256 of its DER SubjectPublicKeyInfo, or MismatchError."""
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - slow to import, rarely needed
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - as above
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey  # noqa: PLC0415 - as above

    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPublicKey):
        raise MismatchError(
            f"{path} is missing, or is not an RSA public key", rule="WRAPPING-KEY-MATCH", keys="nothing was wrapped"
        )
    numbers = PublicKey(key.public_numbers().n, key.public_numbers().e)
    return numbers, fingerprint(numbers)


def fingerprint(key: PublicKey) -> Sha256:
    """The SHA-256 of the DER SubjectPublicKeyInfo."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - as above
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers  # noqa: PLC0415 - as above

    form, kind = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    der = RSAPublicNumbers(key.exponent, key.modulus).public_key().public_bytes(form, kind)
    return Sha256(hashlib.sha256(der).hexdigest())


def hash_of(path: Path) -> Sha256:
    return Sha256(hashlib.sha256(path.read_bytes()).hexdigest())


def _short(key: PublicKey | None) -> str:
    if key is None:
        return "none"
    modulus = f"{key.modulus:x}"
    return f"modulus {modulus[:16]}...{modulus[-16:]} ({key.bits} bits), exponent {key.exponent}"
