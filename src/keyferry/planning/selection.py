"""Which keys of the partition cross: by names, patterns, a file, less what is excluded."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from keyferry.errors import UsageError
from keyferry.pkcs11 import KeyClass
from keyferry.planning import key_list
from keyferry.planning.key_list import TargetSpec
from keyferry.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from keyferry.pkcs11 import SourceHandle
    from keyferry.planning.key_list import KeyListEntry
    from keyferry.tools.endpoints import CanBeTold, SourceKey


@dataclass(frozen=True, slots=True)
class Selection:
    """What the command line says of the keys: which (none: all), and how they are judged.

    listed: the rows of a file. exclude: as `keys`, or a pattern of labels.
    """

    keys: tuple[str, ...] = ()
    relabel: bool = False
    reid: bool = False
    again: bool = False
    require_kcv: bool = False
    non_extractable: bool = False
    dry_run: bool = False
    label_globs: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    listed: tuple[KeyListEntry, ...] = ()

    @property
    def named(self) -> tuple[str, ...]:
        """The keys that are named one by one: what keeps one from crossing ends the command."""
        return (*self.keys, *(one.name for one in self.listed))

    @classmethod
    def recalled(cls, record: Mapping[str, Any]) -> Selection:
        """A selection from what `asdict` made of it."""
        lists = {name: tuple(record[name]) for name in ("keys", "label_globs", "exclude")}
        return cls(**{**record, **lists, "listed": key_list.recalled(record["listed"])})


def select(keys: Sequence[SourceKey], selection: Selection) -> list[tuple[SourceKey, TargetSpec]]:
    """The keys that the user chose, and what is wanted of each; every secret key where none is chosen.

    UsageError where a name or a pattern fits no key, a name fits more than one, or nothing is left.
    """
    partition = _Partition(keys)
    wants = _listed(partition, selection.listed)
    chosen = [*_chosen(partition, selection), *(key for key in keys if key.handle in wants)]
    left_out = {key.handle for name in selection.exclude for key in _excluded(partition, name)}
    left = {key.handle: key for key in chosen if key.handle not in left_out}
    if selection.exclude and not left:
        raise _refused("--exclude leaves no key")
    return [(key, wants.get(key.handle, TargetSpec())) for key in left.values()]


def require_names(selection: Selection) -> None:
    """UsageError for a `--key` that names no key in any partition."""
    for name in selection.keys:
        _demand_name(name, "--key")


def _demand_name(name: str, option: str) -> None:
    if not ((name.isascii() and name.isdecimal()) or name.startswith("label:")):
        raise _refused(f"{option} {name}: neither a handle nor label:TEXT")


class _Partition:
    """Every key, also by its names: digits are a handle, `label:TEXT` a label."""

    def __init__(self, keys: Sequence[SourceKey]) -> None:
        self.keys = keys
        self._named: dict[str, list[SourceKey]] = {}
        for key in keys:
            self._named.setdefault(str(key.handle), []).append(key)
            self._named.setdefault(f"label:{key.label}", []).append(key)

    def one(self, name: str, option: str) -> SourceKey:
        _demand_name(name, option)
        found = self._named.get(str(int(name)) if name.isdecimal() else name, [])
        if len(found) != 1:
            handles = ", ".join(str(key.handle) for key in found) or "none"
            raise _refused(f"{option} {name} fits {len(found)} keys ({handles}), not one", "name keys by handle")
        return found[0]

    def all(self, name: str, option: str) -> list[SourceKey]:
        """Those with this label, or with one like this pattern."""
        if name.startswith("label:"):
            found = self._named.get(name, [])
        else:
            found = [key for key in self.keys if fnmatchcase(key.label, name)]
        if not found:
            raise _refused(f"{option} {name} fits no key", "patterns are a shell's, and fit the whole label")
        return found


def _chosen(partition: _Partition, selection: Selection) -> list[SourceKey]:
    if not (selection.named or selection.label_globs):
        return _secret(partition.keys)
    named = [partition.one(name, "--key") for name in selection.keys]
    return [*named, *(key for name in selection.label_globs for key in _secret(partition.all(name, "--label-glob")))]


def _secret(keys: Sequence[SourceKey]) -> list[SourceKey]:
    return [key for key in keys if key.key_class is KeyClass.SECRET]


def _listed(partition: _Partition, rows: Sequence[KeyListEntry]) -> dict[SourceHandle, TargetSpec]:
    """What each row wants, by the handle of its key; UsageError where its handle and label are not one key's."""
    wants: dict[SourceHandle, TargetSpec] = {}
    for row in rows:
        key = partition.one(row.name, "--from")
        if row.label not in {None, key.label}:
            raise _refused(f"--from: key {key.handle} has the label {printable(key.label)!r}, not {row.label!r}")
        if key.handle in wants:
            raise _refused(f"--from: two rows name key {key.handle}")
        wants[key.handle] = row.want
    return wants


def _excluded(partition: _Partition, name: str) -> list[SourceKey]:
    """A name that fits nothing is a mistake: the key that was meant would cross."""
    return [partition.one(name, "--exclude")] if name.isdecimal() else partition.all(name, "--exclude")


def _refused(what: str, hint: str = "look again") -> UsageError:
    return UsageError(
        what, keys="nothing was changed", hint=f"{hint}; `keyferry inventory source` lists handles and labels"
    )


def reject_untypeable(wants: Sequence[TargetSpec], destination: CanBeTold, pair_label: str) -> None:
    """Check before any tool is started that the destination's tool accepts the labels, IDs and users requested."""
    faults = [] if destination.can_type(pair_label) else [f"label of the wrapping pair {printable(pair_label)!r}"]
    faults += [
        f"{what} {printable(text)!r}"
        for want in wants
        for what, text in (("label", want.label), ("id", want.id))
        if text is not None and not destination.can_type(text)
    ]
    faults += [
        f"shared users {', '.join(map(printable, held.shared_users)) or 'none'}, quorum {held.quorum}"
        for held in (want.sharing for want in wants)
        if not destination.supports_sharing(held)
    ]
    if faults:
        raise UsageError(
            "the destination's tool cannot make what is wanted",
            seen="\n".join(faults),
            keys="nothing was changed",
        )
