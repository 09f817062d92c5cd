"""Many keys under way at once: while the destination proves one, the source wraps the next."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections import deque
from typing import TYPE_CHECKING

from keyferry import steps
from keyferry.errors import CheckFailedError, InterruptedRunError
from keyferry.migration.identity import same_identity
from keyferry.terminal.cancel import CancelToken, cancellable
from keyferry.terminal.signals import SIGNALS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from keyferry.errors import KeyferryError
    from keyferry.migration.endpoints import Endpoints, Worker
    from keyferry.migration.results import KeyResult
    from keyferry.migration.signals import Interrupts
    from keyferry.migration.transfer import KeyTransfer
    from keyferry.tools.endpoints import Source


AHEAD = 16
"""Wrapped files that may lie ready in all; so many again may be in the transfers that the destination works on."""


class _Ready:
    """The keys of a lane whose wrapped files lie ready, in order: from one thread to another."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._keys: deque[KeyResult] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def put(self, result: KeyResult) -> None:
        """Wait until there is room, or nobody takes any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._keys) < self._most)
            self._keys.append(result)
            self._changed.notify_all()

    def take(self) -> list[KeyResult]:
        """Wait for the next, and give all there are; none when there are no more to come."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or bool(self._keys))
            taken = list(self._keys)
            self._keys.clear()
            self._changed.notify_all()
        return taken

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()


class Pipeline:
    """Takes keys across, one by one or with both sides at work at once.

    A key's failure stops no other, unless it ends the session or is one too many (`enough`). Then, and at a
    signal, each side ends the key that it is at and begins no other; at a second signal each stops now.
    """

    def __init__(
        self,
        interrupts: Interrupts,
        most_failures: int | None,
        after_batch: Callable[[KeyTransfer], None] = lambda _transfer: None,
    ) -> None:
        """after_batch: called with the carrier after each batch of keys, and at the latest after AHEAD keys."""
        self._after_batch = after_batch
        self._interrupts = interrupts
        self._most_failures = most_failures
        self.failures = 0
        self._over = False
        self._running = 0
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._errors: list[BaseException] = []

    @property
    def enough(self) -> bool:
        """Whether as many keys failed as may."""
        return self._most_failures is not None and self.failures >= self._most_failures

    def one_by_one(self, carrier: KeyTransfer, results: Iterable[KeyResult]) -> None:
        number = 0
        for number, result in enumerate(results, 1):
            self._interrupts.check()
            carrier.cross(result)
            self._count(result)
            if self.enough:
                return
            if number % AHEAD == 0:
                self._after_batch(carrier)
        if number % AHEAD:
            self._after_batch(carrier)

    def together(self, carriers: Sequence[KeyTransfer], results: Iterable[KeyResult]) -> None:
        """Two threads for each carrier, one on each side; each key goes one carrier's way, in order.

        Raises what ended a side, or InterruptedRunError; what a key failed of is in its result.
        """
        todo = iter(results)
        with CancelToken() as stop:
            try:
                for carrier in carriers:
                    ready = _Ready(max(2, AHEAD // len(carriers)))
                    self._start(stop, self._leave, carrier, todo, ready)
                    self._start(stop, self._enter, carrier, ready)
                self._wait()
            except InterruptedRunError:
                self._over = True
                stop.give(self._interrupts.signal)
                self._wait()
                raise
        if self._errors:
            raise self._errors[0]
        self._interrupts.check()

    def _start(self, stop: CancelToken, work: Callable[..., None], *what: object) -> None:
        def guarded() -> None:
            try:
                with cancellable(stop):
                    work(*what)
            except BaseException as error:  # noqa: BLE001 - it is raised in the main thread
                self._errors.append(error)
                self._over = True
            finally:
                with self._changed:
                    self._running -= 1
                    self._changed.notify_all()

        with held_back():  # a thread keeps the mask: signals are for the main thread, which holds them back for itself
            with self._changed:
                self._running += 1
            self._threads.append(threading.Thread(target=guarded, daemon=True))
            self._threads[-1].start()

    def _wait(self) -> None:
        """Until all have ended. A signal just before a wait does not end it, so none lasts longer than a second.

        Thread.join alone takes a thread for ended where a signal ends the wait (bpo-45274)."""
        with self._changed:
            while self._running:
                self._changed.wait(1)
        for thread in self._threads:  # they are at their last line
            thread.join()

    def _leave(self, carrier: KeyTransfer, todo: Iterator[KeyResult], ready: _Ready) -> None:
        try:
            while (result := self._next(todo)) is not None:
                with carrier.recording_errors(result):
                    carrier.wrap(result)
                self._count(result)
                if result.state == "planned":
                    ready.put(result)
        finally:
            ready.close()

    def _enter(self, carrier: KeyTransfer, ready: _Ready) -> None:
        try:
            while (batch := ready.take()) and not self._stopping:
                self._enter_all(carrier, batch)
        finally:
            ready.close()

    def _enter_all(self, carrier: KeyTransfer, batch: Sequence[KeyResult]) -> None:
        for place, result in enumerate(batch):
            if self._stopping:
                return
            carrier.arrive(result, batch[place:])
            self._count(result)
        self._after_batch(carrier)

    def _next(self, todo: Iterator[KeyResult]) -> KeyResult | None:
        with self._changed:
            return None if self._stopping else next(todo, None)

    @property
    def _stopping(self) -> bool:
        return self._over or self._interrupts.signal != 0

    def _count(self, result: KeyResult) -> None:
        with self._changed:
            self.failures += result.error is not None
            self._over = self._over or self.enough


def canary(error: KeyferryError) -> KeyferryError:
    """CANARY: the first key is verified before the second is wrapped; if it fails, no second is wrapped."""
    error.fill(hint="the first key was not migrated, so no other was tried (CANARY)")
    return error


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Let no signal in between; a thread that is started inside never gets one."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def require_stable_handles(sessions: int, source: Source) -> None:
    """CheckFailedError where a key's handle means another key in the next session."""
    if sessions > 1 and not source.has_stable_handles():
        raise CheckFailedError(
            f"{sessions} sessions cannot share the keys of an HA group: its handles differ from session to session",
            rule="SLOT-MATCH",
            tool="ckdemo",
            keys="nothing was changed",
            hint="leave --sessions out, or name a member's own slot: --slot serial:...",
        )


def opened(endpoints: Endpoints, wanted: int, digest: str, interrupts: Interrupts) -> Iterator[Worker]:
    """Open lanes until there are `wanted` with the first, one after another: a secret is typed only where its last
    login succeeded (LOGIN-ONCE).
    """
    for number in range(2, wanted + 1):
        interrupts.check()
        worker = endpoints.another_worker(number)
        steps.start(endpoints.bus, "4.3", worker=number)
        worker.source.preflight()
        same_identity("source", endpoints.source.identity(), worker.source.identity())
        steps.start(endpoints.bus, "4.4", worker=number)
        worker.source.open_session()
        steps.start(endpoints.bus, "4.5", worker=number)
        worker.source.log_in()
        worker.source.use_digest(digest)
        steps.start(endpoints.bus, "1.1", worker=number)
        worker.destination.preflight()
        endpoints.record_process(worker.destination)
        worker.destination.log_in()
        same_identity("destination", endpoints.destination.identity(), worker.destination.identity())
        worker.destination.use_digest(digest)
        yield worker
