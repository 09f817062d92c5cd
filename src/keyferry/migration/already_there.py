"""ALREADY-THERE, asked again immediately before and after each unwrap: other runs may carry the same keys."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from keyferry.errors import NeedsOperatorError, ToolRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from keyferry.migration.results import KeyResult
    from keyferry.pkcs11 import DestinationHandle
    from keyferry.planning.evaluate import PlannedKey
    from keyferry.tools.endpoints import Destination, DestinationKey

RULE = "ALREADY-THERE"


class SecondCopyError(NeedsOperatorError):
    """A key is on the destination twice: somebody else made it too. No other key is carried."""


class AlreadyThere:
    """Which keys of the destination have a planned key's label or check value and are not this run's own.

    One object for all sessions of a run. Nothing is written to an HSM as a lock, so another run can still unwrap the
    same key between the question and the unwrap; the question after the unwrap then finds both.
    """

    def __init__(self, before: Iterable[DestinationHandle], made: Iterable[DestinationHandle], *, again: bool) -> None:
        """before: the secret keys when the plan was made. made: by this run. again: those of before do not count."""
        self._made = set(made)
        self._excused = frozenset(before) if again else frozenset[int]()
        self._present = {*before, *self._made}
        self._strangers: dict[DestinationHandle, DestinationKey] = {}
        self._changed = threading.Condition()
        self._busy: set[tuple[str, str]] = set()

    @contextlib.contextmanager
    def reserved(self, one: PlannedKey) -> Iterator[None]:
        """Within this, no other session of this run unwraps a key with the same label or check value."""
        names = {("label", one.new_label)} | ({("value", one.kcv)} if one.kcv else set())
        with self._changed:
            while self._busy & names:
                self._changed.wait(1)  # a signal just before a wait does not end it
            self._busy |= names
        try:
            yield
        finally:
            with self._changed:
                self._busy -= names
                self._changed.notify_all()

    def arrived(self, handle: DestinationHandle) -> None:
        """This run has made this key."""
        with self._changed:
            self._made.add(handle)
            self._present.add(handle)
            self._strangers.pop(handle, None)

    def others(self, destination: Destination, result: KeyResult) -> list[DestinationHandle]:
        """Ask the HSMs now; gives the handles that count."""
        self._look(destination)
        labelled = set(destination.labelled_secrets(result.planned.new_label))
        with self._changed:
            alike = {key.handle for key in self._strangers.values() if _is_alike(result.planned, key)}
            return sorted((alike | labelled) - self._made - self._excused - result.beside - {result.destination_handle})

    def _look(self, destination: Destination) -> None:
        with self._changed:
            present = frozenset(self._present)
        now = frozenset(destination.secret_keys_now(present))
        described = {key.handle: key for key in _described(destination, now - present)}
        with self._changed:
            self._present = (self._present - (present - now)) | described.keys()
            self._strangers |= {handle: key for handle, key in described.items() if handle not in self._made}
            for gone in self._strangers.keys() - self._present:
                del self._strangers[gone]


def _described(destination: Destination, handles: Iterable[DestinationHandle]) -> Iterator[DestinationKey]:
    for handle in handles:
        with contextlib.suppress(ToolRefusedError):  # it was deleted since it was listed
            yield destination.describe(handle)


def _is_alike(one: PlannedKey, key: DestinationKey) -> bool:
    return key.label == one.new_label or (one.kcv is not None and key.kcv == one.kcv)


def already_there(result: KeyResult, others: Iterable[DestinationHandle]) -> None:
    """End a key that came to the destination since the run began."""
    result.others |= frozenset(others)
    handles = ", ".join(map(str, others))
    result.end("skipped", RULE, f"since this run began it came to the destination: {handles}")


def second_copy(result: KeyResult, others: Iterable[DestinationHandle], destination: Destination) -> SecondCopyError:
    """Return the error for a key that is on the destination a second time."""
    mine, theirs = result.destination_handle, ", ".join(map(str, others))
    return SecondCopyError(
        f"key {result.planned.name!r} is on the destination twice: {mine} is this run's, {theirs} is not",
        rule=RULE,
        step="7.2",
        keys="no other key was migrated after this one; the source key is unchanged",
        hint=f"look with `{destination.question(result.planned.new_label)}` and find out which other run carries the"
        f" same keys. Remove one with the tool, then `keyferry resolve RUN {result.handle} --adopt {mine} | --skip`",
    )
