"""What a verified run leaves behind is taken away: the wrapping pair, the imported public key, the wrapped files.

Nothing else can be named: every object is this run's own by the journal, and compared with the pair before it goes.
"""

from __future__ import annotations

import contextlib
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from keyferry.errors import CheckFailedError, KeyferryError, MismatchError, UsageError
from keyferry.migration.endpoints import remote_host
from keyferry.migration.identity import same_cluster, same_owner
from keyferry.migration.resume import may_log_in, ordered, reopened
from keyferry.migration.signals import Interrupts
from keyferry.migration.start import opened
from keyferry.migration.wrapping_key import hash_of, read_pem
from keyferry.pkcs11 import KeyClass
from keyferry.run import state
from keyferry.run.journal import read
from keyferry.run.manifest import PEM
from keyferry.run.state import JOURNAL, PairStage, Stage
from keyferry.run.unbegun import is_unbegun
from keyferry.terminal.host import remove_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from keyferry.config import Config
    from keyferry.events import Bus
    from keyferry.migration.endpoints import Endpoints
    from keyferry.pkcs11 import DestinationHandle, PublicKey, SourceHandle
    from keyferry.run.directory import RunDirectory
    from keyferry.run.state import RunState
    from keyferry.tools.endpoints import Source


SIDES = ("source", "destination")


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What is there and will be removed. label: of the wrapping pair."""

    label: str
    source: Sequence[SourceHandle]
    destination: Sequence[DestinationHandle]
    files: Sequence[Path]
    folders: Sequence[tuple[str, str]]

    def told(self) -> Iterator[str]:
        """Each of them in a line."""
        yield from (f"public key {handle}, {self.label!r}, of the source partition" for handle in self.source)
        yield from (
            f"half {handle} of the wrapping pair, {self.label!r}, of the cluster" for handle in self.destination
        )
        yield from (f"wrapped file {path}" for path in self.files)
        yield from (f"folder {path} on {where or 'this host'}" for where, path in self.folders)


def cleanup(
    config: Config,
    run_dir: Path,
    bus: Bus,
    confirm: Callable[[Leftovers], None],
    sides: tuple[str, ...] = SIDES,
) -> tuple[Leftovers, str | None]:
    """Remove what a run leaves. Give that and the record's new head.

    sides: those that this host reaches; a run is cleaned up when both are. confirm: shown what is there before anything
    is removed; raises to stop it. What is typed has a record of its own beside the run's: `RUN-cleanup-ID`. The run's
    own journal gets the files that went. CheckFailedError where the run is not over and verified, where another run
    needs its pair, or where what has the pair's label is not the pair.
    """
    with reopened(run_dir) as (directory, past):
        with _folders_all_the_same(config, directory, sides):
            _check_verified(past, run_dir)
            _check_needed(past, run_dir)
        config, _order = ordered(config, past, run_dir)
        user = {"user": config.text("destination", "user"), "tool": config.text("destination", "tool")}
        if "destination" in sides:
            same_owner(past, "destination", user)
        may_log_in(past, config)
        where = run_dir.with_name(f"{run_dir.name}-cleanup-{secrets.token_hex(4)}")
        with opened(config, where, bus, sides) as (endpoints, record), Interrupts(bus) as interrupts:
            left = _Cleaning(endpoints, record, directory, past, interrupts).clean(confirm)
        directory.go_on(past, by="cleanup", record=where.name, record_head=record.head)
        for path in left.files:
            # The line comes first: a file that is gone must be named, whenever this process dies.
            directory.journal.write("done", act="remove", file=path.name, sha256=hash_of(path))
            path.unlink()
        remove_folders(config, directory.journal.path, sides)
        directory.journal.write("done", act="clean up", label=left.label, sides=list(sides))
        directory.finish()
        return left, directory.head


@contextlib.contextmanager
def _folders_all_the_same(config: Config, directory: RunDirectory, sides: tuple[str, ...]) -> Iterator[None]:
    """Where the rest must stay, what dead processes left in temporary directories goes: no run needs that again."""
    try:
        yield
    except (CheckFailedError, UsageError) as error:
        if folders := remove_folders(config, directory.journal.path, sides):
            gone = (
                f"its private folders are gone from the temporary directories, where any was left: {len(folders)} noted"
            )
            error.keys = f"{error.keys}; {gone}" if error.keys else gone
        raise


class _Cleaning:
    """Takes the pair and its public half off both sides. record: of this; directory: of the run."""

    def __init__(
        self,
        endpoints: Endpoints,
        record: RunDirectory,
        directory: RunDirectory,
        past: RunState,
        interrupts: Interrupts,
    ) -> None:
        self._record, self._directory, self._past = record, directory, past
        self._interrupts = interrupts
        self._source = endpoints.source if "source" in endpoints.present else None
        self._destination = endpoints.destination if "destination" in endpoints.present else None
        self._key, _digest = read_pem(directory.files / PEM)

    def clean(self, confirm: Callable[[Leftovers], None]) -> Leftovers:
        self._look()
        left = self._left()
        with self._interrupts.asking():
            confirm(left)
        if self._source:
            for handle in left.source:
                with self._removing(f"public key {handle} of the source partition"):
                    self._off_source(self._source, handle)
        if self._destination:
            for half in left.destination:
                with self._removing(f"half {half} of the wrapping pair"):
                    self._destination.delete_half(half, self._key)
        if still := self._left().destination:
            raise MismatchError(f"halves of the wrapping pair are still on the cluster: {', '.join(map(str, still))}")
        if self._source:
            self._source.close()
        if self._destination:
            self._destination.close()
        return left

    def _look(self) -> None:
        if self._destination:
            self._destination.preflight()
            same_cluster(self._past, self._destination.cluster_fingerprints())
        if self._source:
            self._source.preflight()
            same_owner(self._past, "source", self._source.identity())
            self._source.open_session()
            self._source.log_in()
        if self._destination:
            self._destination.log_in()

    def _left(self) -> Leftovers:
        """What carries the pair's label on the sides that are reached, if all of it is the pair."""
        label = self._past.pair.label or ""
        source = self._source.labelled(label) if self._source else ()
        destination = self._destination.labelled(label) if self._destination else ()
        ours = {self._past.pair.public, self._past.pair.private}
        for handle in source:
            found_there = self._source.public_key(handle) if self._source else None
            self._check(f"object {handle} of the source partition", found_there)
        for half in destination:
            found = self._destination.describe(half) if self._destination else None
            is_half = found and found.key_class in (KeyClass.PUBLIC, KeyClass.PRIVATE) and half in ours
            self._check(f"key {half} of the cluster", found.public_key if found and is_half else None)
        files = sorted(self._directory.files.glob("*.wrapped"))
        reached = {"source": self._source, "destination": self._destination}
        folders = [
            (where, path) for where, path in self._past.folders if (reached[where] if where else Path(path).exists())
        ]
        return Leftovers(label, source, destination, files, folders)

    def _check(self, what: str, found: PublicKey | None) -> None:
        if found != self._key:
            raise CheckFailedError(
                f"{what} has the wrapping pair's label, but is not the pair's",
                rule="WRAPPING-KEY-MATCH",
                keys="nothing was removed",
                hint="find out whose it is; give it another label, or remove it with the tool itself",
            )

    def _off_source(self, source: Source, handle: SourceHandle) -> None:
        source.delete_public_key(handle, self._key)
        if handle in source.labelled(self._past.pair.label or ""):
            raise MismatchError(f"the public key {handle} is still in the source partition")

    @contextlib.contextmanager
    def _removing(self, what: str) -> Iterator[None]:
        """Each with its intent and its end in the journal."""
        self._interrupts.check()
        self._record.journal.write("intent", act="delete", what=what)
        yield
        self._record.journal.write("done", act="delete", what=what)


def _check_verified(past: RunState, run_dir: Path) -> None:
    if past.pair.stage is PairStage.NONE:
        raise UsageError(f"the run in {run_dir} made no wrapping pair, so it left nothing")
    unsure = _unsure(past)
    if not past.ended or past.open_keys or unsure:
        raise CheckFailedError(
            f"the run in {run_dir} is not over and verified",
            seen=f"keys not verified: {', '.join(map(str, unsure))}" if unsure else "the run did not end",
            keys="nothing was removed: what is left of this run may still need its wrapping pair",
            hint="`keyferry status RUN` says what is open; `keyferry resolve RUN KEY --skip` gives a key up",
        )


def _unsure(run: RunState) -> list[SourceHandle]:
    return [key.handle for key in run.keys.values() if key.stage in (Stage.FAILED, Stage.NEEDS_OPERATOR)]


def _check_needed(past: RunState, run_dir: Path) -> None:
    """Refused while another run needs the pair. Runs are looked for beside this one."""
    for journal in sorted(run_dir.parent.glob(f"*/{JOURNAL}")):
        other_dir = journal.parent
        if other_dir.samefile(run_dir) or is_unbegun(other_dir):
            continue
        try:
            other = state.load(other_dir)
        except KeyferryError as error:
            raise _needed(other_dir, f"what it needs cannot be read: {error.what}") from error
        same = other.pair.sha256 == past.pair.sha256 or other.pair.label == past.pair.label
        if same and other.pair.stage is not PairStage.NONE and (not other.ended or other.open_keys or _unsure(other)):
            raise _needed(other_dir, "it is not over, or keys of it are without a good end")


def _needed(other: Path, why: str) -> CheckFailedError:
    return CheckFailedError(
        f"another run may need this wrapping pair: {other}",
        seen=why,
        keys="nothing was removed",
        hint="end that run, or take its folder away from beside this one",
    )


def remove_folders(config: Config, journal: Path, sides: Collection[str] = ("source", "destination")) -> list[str]:
    """Remove every private folder of a run, here and on the hosts of these sides; gives their names.

    Nothing is logged in to.

    UnreachableError where a host cannot be reached. Folders that are gone already are no matter.
    """
    noted = [(entry["where"], entry["folder"]) for entry in read(journal).entries if entry["kind"] == "folder"]
    noted = [(where, folder) for where, folder in noted if where in ("", *sides)]
    for where in dict.fromkeys(where for where, _folder in noted):
        folders = [folder for place, folder in noted if place == where]
        if where == "":
            for folder in folders:
                remove_folder(folder)
            continue
        with remote_host(config, where) as host:
            for folder in folders:
                host.remove_folder(folder)
    return [folder for _where, folder in noted]
