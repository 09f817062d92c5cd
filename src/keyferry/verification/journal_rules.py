"""What the lines of a journal mean, besides being whole, and what they may not say behind one another."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from keyferry.text import value
from keyferry.tools.endpoints import STABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from keyferry.run.manifest import ManifestBuilder


@dataclass(slots=True)
class JournalRules:
    """What the journal's lines mean, taken in one by one. Each gives why it is wrong, or None.

    extractable: keys that were described, and whether they may leave. wrapped, moved: hashes of their files.
    leaving: keys whose wrap was intended; entering: files whose unwrap was.
    lasting: whether a source handle means the same key in every session.
    key: the fingerprint of the public key that was exported; compared: whether the source has read it back since;
    refused: whether the run once ended because the source showed another.
    banners: by session, the version that its tool told.
    approved: hashes of the plan that was approved, and of the signature.
    hsms: the serial numbers that this process compares with; moving: whether it saw others since.
    """

    migration: bool = False
    stable: bool = False
    extractable: dict[int, bool] = field(default_factory=dict)
    wrapped: dict[int, str] = field(default_factory=dict)
    moved: dict[int, str] = field(default_factory=dict)
    leaving: set[int] = field(default_factory=set)
    entering: set[str] = field(default_factory=set)
    label: str | None = None
    key: str | None = None
    compared: bool = False
    refused: bool = False
    banners: dict[str, str] = field(default_factory=dict)
    approved: tuple[str, str] | None = None
    hsms: set[str] = field(default_factory=set)
    moving: bool = False

    def take(self, line: Mapping[str, Any], story: ManifestBuilder) -> str | None:
        match line["kind"]:
            case "begin":
                self.migration = bool(line["order"])
            case "approval":
                self.approved = (line["plan"], line["signature"])
            case "endpoints":
                self.stable = line.get("source", {}).get("kind") == STABLE
            case "described":
                self.extractable[line["key"]] = line["extractable"] is True
            case "hsms":
                self.moving = not line["baseline"] and (self.moving or set(line["serials"]) != self.hsms)
                self.hsms = set(line["serials"]) if line["baseline"] else self.hsms
            case "banner":
                self.banners[line["file"]] = line["banner"]
            case "intent" | "done":
                return self._act(line)
            case _:
                return self._judgement(line, story)
        return None

    def _judgement(self, line: Mapping[str, Any], story: ManifestBuilder) -> str | None:
        match line["kind"]:
            case "error":
                self.refused = self.refused or line.get("rule") == "WRAPPING-KEY-MATCH"
            case "planned":
                self.migration = True
                if self.approved and self.approved[0] != line["sha256"]:
                    return "the executed plan is not the one that was approved"
            case "key" if line["state"] == "verified":
                return self._verified(line)
            case "end" if self.moving:
                return "the run is called ended, but the HSMs of the cluster had changed during it"
            case "end" if line["totals"] != story.totals or (self.wrapped and not _balanced(line["totals"])):
                told, before = value(line["totals"]), value(story.totals)
                return f"the totals do not balance: {told}; the lines before come to {before}"
        return None

    def _act(self, line: Mapping[str, Any]) -> str | None:
        match line["kind"], line["act"]:
            case _, "wrap":
                return self._wrap(line)
            case "done", "move" if isinstance(line.get("key"), int):  # of the PEM's move it is a fingerprint
                return self._move(line["key"], line)
            case _, "unwrap":
                return self._unwrap(line)
        return self._public_key(line)

    def _move(self, key: int, line: Mapping[str, Any]) -> str | None:
        if self.wrapped.get(key) != line["sha256"] or line["host"] != "destination":
            return f"what was moved for key {key} is not what was wrapped"
        self.moved[key] = line["sha256"]
        return None

    def _unwrap(self, line: Mapping[str, Any]) -> str | None:
        key, file = line["key"], f"{line['key']}.wrapped"
        if key not in self.moved:
            return f"key {key} is unwrapped, but no wrapped file of it was moved before"
        if line["kind"] == "done" and file not in self.entering:
            return f"key {key} was unwrapped, but that was not intended before"
        self.entering.add(file)
        return None

    def _verified(self, line: Mapping[str, Any]) -> str | None:
        key, both = line["key"], {line["kcv"], line["kcv_there"]}
        if f"{key}.wrapped" not in self.entering:
            return f"key {key} is called verified, but was never unwrapped"
        if len(both) > 1 and (None not in both or line["proof"] == "kcv"):
            return f"key {key} is called verified, but its check values differ"
        return None

    def _wrap(self, line: Mapping[str, Any]) -> str | None:
        key = line["key"]
        if line["kind"] == "done" and (key not in self.leaving or line["host"] != "source"):
            return f"key {key} was wrapped, but that was not intended before"
        if not self.extractable.get(key):
            return f"key {key} is wrapped, but was not described as extractable before"
        if not self.compared:
            return f"key {key} is wrapped, but the imported public key had not been compared before"
        self.moved.pop(key, None)
        self.leaving.add(key)
        if line["kind"] == "done":
            self.wrapped[key] = line["sha256"]
        return None

    def _public_key(self, line: Mapping[str, Any]) -> str | None:
        match line["kind"], line.get("act"):
            case "done", "export":
                self.key, self.compared = line["sha256"], False
                if {self.key} != set(line["places"].values()):
                    return "the public key that was exported is not the same in all places"
            case "intent", "import":
                self.label = line["label"]
                if line["sha256"] != self.key:
                    return "the public key that is imported is not the one that was exported"
            case "done", "compare":
                self.compared = {self.key} == set(line["places"].values())
                if not self.compared:
                    return "the source HSM has another public key than the one that was exported"
        return None


def _balanced(totals: Mapping[str, int]) -> bool:
    return totals["planned"] == sum(totals.values()) - totals["planned"]
