"""What a journal claims about keys: `verify` compares it with what the recordings prove."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(slots=True)
class KeyClaims:
    """The lines of one key. line: the number of its last `key` line.

    handles: every handle that an unwrap gave, by the journal; adopted: those found by a question or named by a person.
    skipped_by_operator: `resolve --skip` was ordered. questioned: a resumed run looked for what its unwrap made.
    blobs: hashes of its wrapped files. current: its last unwrap gave a handle, and nothing was begun or ordered since.
    """

    line: int = 0
    end: Mapping[str, Any] | None = None
    described: Mapping[str, Any] | None = None
    intent: Mapping[str, Any] | None = None
    handles: list[int] = field(default_factory=list)
    adopted: set[int] = field(default_factory=set)
    skipped_by_operator: bool = False
    questioned: bool = False
    blobs: set[str] = field(default_factory=set)
    current: bool = False


@dataclass(slots=True)
class Claims:
    """The claims of all keys, taken in line by line. pairs: the wrapping pairs that were made.

    covers: where the last of them is. imported: handles that the public key had on the source.
    hsms: the serial numbers of the cluster's HSMs, each time.
    secrets: how often each was typed. killed: a process of the run died, so what it did last may be missing here.
    """

    keys: dict[int, KeyClaims] = field(default_factory=dict)
    wish: Mapping[str, Any] | None = None
    pairs: list[tuple[int, int, bool]] = field(default_factory=list)
    begin: Mapping[str, Any] = field(default_factory=dict)
    endpoints: list[Mapping[str, Any]] = field(default_factory=list)
    generate: Mapping[str, Any] | None = None
    covers: list[Mapping[str, Any]] = field(default_factory=list)
    planned: int = 0
    imported: set[int] = field(default_factory=set)
    secrets: Counter[str] = field(default_factory=Counter)
    hsms: set[tuple[str, ...]] = field(default_factory=set)
    killed: bool = False

    def take(self, line: Mapping[str, Any], number: int) -> str | None:
        """Return why the line cannot be, or None."""
        self._about(line)
        if line["kind"] == "resumed":
            for claims in self.keys.values():
                claims.current = False
        match line["kind"], line.get("act"):
            case (("intent" | "done"), ("wrap" | "unwrap")):
                self._act(self._of(line["key"]), line)
            case "described", _:
                self._of(line["key"]).described = {name: line[name] for name in ("extractable", "state", "rule")}
            case "resolve", _:
                claims = self._of(line["key"])
                claims.skipped_by_operator, claims.current = line["order"] == "skip", False
            case "key", _:
                claims, ends = self._of(line["key"]), {name: line[name] for name in _ENDS}
                claims.line, claims.end = number, ends | {"coverage": line.get("coverage")}
            case "question", "unwrap":
                self._of(line["key"]).questioned = True
            case "end", _:
                return self._open()
        return None

    def _about(self, line: Mapping[str, Any]) -> None:
        """Take in what a line says of the run as a whole."""
        match line["kind"], line.get("act"):
            case "begin", _:
                self.begin = line
            case "endpoints", _:
                self.endpoints.append(line)
            case "login", _:
                self.secrets[line["secret"]] += line["outcome"] == "typed"
            case "planned", _:
                self.wish, self.planned = line["wish"], line["keys"]
            case "intent", "generate":
                self.generate = line
            case "done", "generate":
                self.pairs.append((line["public"], line["private"], line.get("adopted") is True))
                self.covers.clear()
            case "done", "cover":
                self.covers.append({name: line[name] for name in ("public", "private", "coverage")})
            case "done", ("import" | "compare" | "allow wrapping"):
                self.imported |= {line["handle"]}
            case "hsms", _:
                self.hsms.add(tuple(line["serials"]))
            case "torn", _:
                self.killed = True

    def _open(self) -> str | None:
        """Why a run cannot end here: a key's outcome is not known."""
        for key, claims in self.keys.items():
            if claims.end is not None and claims.end["open"]:
                return f"the run ends, but the outcome of key {key} is still open"
        return None

    @staticmethod
    def _act(claims: KeyClaims, line: Mapping[str, Any]) -> None:
        claims.current = (line["kind"], line["act"]) == ("done", "unwrap")
        match line["kind"], line["act"]:
            case "done", "wrap":
                claims.blobs.add(line["sha256"])
            case "intent", "unwrap":
                claims.intent = line
            case "done", "unwrap":
                claims.handles.append(line["handle"])
                if "adopted" in line:
                    claims.adopted.add(line["handle"])

    def _of(self, key: int) -> KeyClaims:
        return self.keys.setdefault(key, KeyClaims())


_ENDS = (
    *("state", "rule", "proof", "kcv", "kcv_there", "handle", "nodes", "attributes", "attributes_there"),
    *("open", "code", "detail", "seen"),
)
