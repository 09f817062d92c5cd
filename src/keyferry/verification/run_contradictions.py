"""Where a journal contradicts the recordings in what it says of the run as a whole: the parties, the wrapping pair."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from keyferry.planning.plan import IDENTITY
from keyferry.verification.contradictions import different

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from keyferry.planning.plan import Plan
    from keyferry.verification.claims import Claims
    from keyferry.verification.evidence import Evidence


class RunContradictions:
    """Compares one run. der: the exported public key, None if its file is not in the record."""

    def __init__(self, claims: Claims, evidence: Evidence, plan: Plan, der: bytes | None, *, stable: bool) -> None:
        self._claims, self._evidence, self._plan = claims, evidence, plan
        self._der, self._lasting = der, stable

    def all(self, info: Path) -> Iterator[str]:
        """Yield what is wrong. info: the run's `run.json`."""
        about = json.loads(info.read_bytes())
        shared = ("run_id", "keyferry", "operator", "settings")
        yield from different({name: about[name] for name in shared}, self._claims.begin, f"{info.name} has")
        yield from self._wish()
        yield from self._endpoints()
        yield from self._pair()
        for name, times in self._evidence.secrets.items():
            if times > self._claims.secrets[name]:
                told = self._claims.secrets[name]
                yield f"the recordings show that the {name} was typed {times} times, and the journal says {told}"

    def _wish(self) -> Iterator[str]:
        selection = self._plan.selection
        wanted = {
            "digest": self._plan.settings["wrapping.hash"],
            "require_kcv": selection.require_kcv,
            "extractable": not selection.non_extractable,
        }
        yield from different(wanted, self._claims.wish or {}, "the plan was made for")
        if self._claims.planned != len(self._plan.keys):
            yield f"{self._claims.planned} keys are planned, and the plan has {len(self._plan.keys)}"

    def _endpoints(self) -> Iterator[str]:
        """The partition and the crypto user are the plan's; the user is who logged in."""
        for side, planned in (("source", self._plan.source), ("destination", self._plan.destination)):
            wanted = {name: value for name, value in planned.items() if name in IDENTITY[side]}
            for line in self._claims.endpoints:
                yield from different(wanted, line.get(side) or wanted, "the plan was made on")
        user = self._plan.destination.get("user")
        if strangers := self._evidence.users - {user}:
            yield f"a recording shows a login as {min(strangers)}, and the plan was made as {user}"

    def _pair(self) -> Iterator[str]:
        """WRAPPING-KEY-MATCH, by what the tools printed."""
        if self._claims.generate is not None:
            settings = {name: self._plan.settings[f"wrapping.{name}"] for name in ("bits", "extractable")}
            yield from different(settings, self._claims.generate, "the plan wants")
            typed = (self._claims.generate["label"], self._claims.generate["bits"])
            made = {self._evidence.pairs.get((public, private)) for public, private, _adopted in self._claims.pairs}
            if made - {typed, None}:
                yield f"the wrapping pair was made with another label or size than {typed[0]}, {typed[1]} bits"
        elif any(not adopted for _public, _private, adopted in self._claims.pairs):
            yield "a wrapping pair was made, but that was not intended before"
        if any(claims.blobs for claims in self._claims.keys.values()):
            # A run that saw another key in its place stopped before the first wrap.
            if self._lasting and (wrong := {str(one) for one in self._claims.imported} - self._evidence.imports):
                yield f"no recording shows that object {min(wrong)} of the source is the exported public key"
            for public, private, _adopted in self._claims.pairs[-1:]:
                yield from self._halves(public, private)

    def _halves(self, public: int, private: int) -> Iterator[str]:
        if not self._claims.covers:
            yield "the journal does not say on which HSMs the wrapping pair is"
        for line in self._claims.covers:
            yield from self._covered(line, {"public": public, "private": private})
        for half in (public, private):
            key = self._evidence.halves.get(half)
            if key is None or half not in self._evidence.once_whole:  # an HSM may join later
                yield f"no recording shows half {half} of the wrapping pair on every HSM"
            elif key.public_key is None or (self._der and f"{key.public_key.modulus:x}" not in self._der.hex()):
                yield f"half {half} of the wrapping pair has another modulus than the exported public key"
        key = self._evidence.halves.get(private)
        if key and not (key.local and key.may_unwrap):
            yield f"the private half {private} was not made in the HSM, or cannot unwrap"
        if key and key.extractable and not self._plan.settings["wrapping.extractable"]:
            yield f"the private half {private} is extractable"

    def _covered(self, line: Mapping[str, Any], halves: Mapping[str, int]) -> Iterator[str]:
        """Each line about the pair's coverage has what one of the answers about each half printed."""
        for half, handle in halves.items():
            told = (line[half], (line["coverage"] or {}).get(half) or None)
            printed = self._evidence.coverages.get(handle, [])
            if told not in [(list(one.nodes), dict(one.words) or None) for one in printed]:
                yield f"no recording shows the coverage that the journal has of the {half} half of the wrapping pair"
