"""Manifests of earlier states: each is kept when a run goes on, so that a head that was noted then still verifies."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from keyferry.recording.chain_reader import wrong
from keyferry.run import manifest
from keyferry.text import canonical

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from keyferry.run.manifest import ManifestBuilder

_FIELDS = frozenset(
    {"schema", "run_id", "keyferry", "journal", "sessions", "tools", "plan", "moved", "totals", "files", "head"}
)


def read(folder: Path, name: str) -> dict[str, Any]:
    """Return a manifest. MismatchError if it is not as one is written, or if its head is not its own."""
    data = (folder / name).read_bytes()
    try:
        value: dict[str, Any] = json.loads(data)
        if canonical(value) != data or value["schema"] != manifest.SCHEMA:
            raise wrong(name, 1, "not as a manifest is written")
        if manifest.head_of(value) != value["head"]:
            raise wrong(name, 1, "its head is not that of what it holds")
        if value.keys() != _FIELDS or not isinstance(value["files"], dict):
            raise wrong(name, 1, "not the fields of a manifest")
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        raise wrong(name, 1, "not as a manifest is written") from None
    return value


@dataclass(slots=True)
class Earlier:
    """One earlier state. since: what extended the record after it."""

    name: str
    told: dict[str, Any]
    reached: bool = False
    since: list[str] = field(default_factory=list)
    remade: set[str] = field(default_factory=set)

    @property
    def head(self) -> str:
        return str(self.told["head"])


class EarlierStates:
    """The kept manifests of a record, held against its journal while that is read, then against its files."""

    def __init__(self, folder: Path, there: AbstractSet[str]) -> None:
        self._folder = folder
        self.states = [
            Earlier(name, read(folder, name)) for name in sorted(there) if name.startswith(f"{manifest.MANIFESTS}/")
        ]
        for one in self.states:
            if one.name != manifest.kept_name(one.head):
                raise wrong(one.name, 1, "its name is not that of its head")

    def take(self, line: Mapping[str, Any]) -> str | None:
        """Take a journal's line in behind the states that were reached; return why it cannot be, or None."""
        if line["kind"] == "resumed":
            return self._resumed(line)
        if any(one.told["journal"]["head"] == line["prev"] for one in self.states):
            return "the run does not go on here as its kept manifest says: a `resumed` line is missing"
        names = _made(line)
        for one in self.states if names else ():
            one.remade |= names if one.reached else set()
        return None

    def _resumed(self, line: Mapping[str, Any]) -> str | None:
        head = line.get("head")
        before = [one for one in self.states if one.told["journal"]["head"] == line["prev"]]
        if [one.head for one in before] != ([] if head is None else [head]):
            return (
                f"the manifest of the state before it is not kept: {manifest.kept_name(head) if head else 'none named'}"
            )
        for one in self.states:
            if one.reached:
                one.since.append(_named(line))
        return None

    def at(self, story: ManifestBuilder, journal: Mapping[str, object], run_id: str) -> None:
        """Compare each state whose journal ended here with what the journal comes to."""
        for one in self.states:
            if one.told["journal"] == journal:
                told = one.told
                ours = manifest.compose(self._folder, run_id, told["keyferry"], story, journal, told["files"])
                if ours != told:
                    raise wrong(one.name, 1, "not what the journal and the sessions came to at that time")
                one.reached = True

    def check(self, there: AbstractSet[str], story: ManifestBuilder, *, complete: bool) -> dict[str, tuple[str, ...]]:
        """Return every earlier head with what extended the record since; MismatchError for one that does not hold."""
        for one in self.states:
            if not one.reached:
                raise wrong(one.name, 1, "the journal never ended as it says")
            if complete and not one.since:
                raise wrong(one.name, 1, "the journal does not go on after it")
            for name, told in one.told["files"].items():
                self._file(one, name, told, there, story)
        return {one.head: tuple(dict.fromkeys(one.since)) for one in self.states}

    def _file(self, one: Earlier, name: str, told: Any, there: AbstractSet[str], story: ManifestBuilder) -> None:  # noqa: ANN401 - JSON; what it depends on
        if name == manifest.JOURNAL or name in one.remade or (name == manifest.PLAN and one.told["plan"] is None):
            return
        if name not in there:
            if story.removed.get(name.removeprefix("files/")) != told["sha256"]:
                raise wrong(name, None, f"is missing, and {one.name} lists it")
        elif manifest.measured(self._folder / name) != told:
            raise wrong(name, None, f"not the file that {one.name} lists")


def _made(line: Mapping[str, Any]) -> set[str]:
    """The files that an act makes anew."""
    if line["kind"] not in ("intent", "done") or line["act"] not in manifest.MAKING:
        return set()
    return {f"files/{line['file']}" if "file" in line else f"files/{line['key']}.wrapped"}


def _named(line: Mapping[str, Any]) -> str:
    steps = line.get("steps")
    return str(line.get("by") or (str(steps) if steps else "resume"))


def heads(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the head of each kept manifest, and the head of the journal at that time."""
    for path in sorted((folder / manifest.MANIFESTS).glob("*.json")):
        told = read(folder, str(path.relative_to(folder)))
        yield told["head"], told["journal"]["head"]
