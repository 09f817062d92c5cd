"""Both sides at work at once, with sides of the test's own that wait for each other where a clock would lie."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from keyferry.errors import InterruptedRunError, KeyferryError, MismatchError, UnreachableError
from keyferry.migration.pipeline import AHEAD, Pipeline
from keyferry.migration.signals import Interrupts
from keyferry.terminal.cancel import CancelToken, cancellable, ready
from keyferry.terminal.signals import Counter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from keyferry.migration.results import KeyResult
    from keyferry.migration.transfer import KeyTransfer

HANGS = 100


class Sides:
    """Stands for a KeyTransfer: what happened to which key, and what a test wants to happen at one."""

    def __init__(self, **at: Callable[[int], None]) -> None:
        self.at = at
        self.left: list[int] = []
        self.entered: list[int] = []
        self.moved: list[list[int]] = []
        self.furthest = 0

    @contextlib.contextmanager
    def recording_errors(self, result: KeyResult) -> Iterator[None]:
        try:
            yield
        except KeyferryError as error:
            result.error = error
            result.state = "failed"
            if not isinstance(error, MismatchError):
                raise

    def wrap(self, result: KeyResult) -> None:
        self._reached("leave", result.handle)
        self.left.append(result.handle)
        self.furthest = max(self.furthest, len(self.left) - len(self.entered))

    def arrive(self, result: KeyResult, batch: Sequence[KeyResult]) -> None:
        self.moved.append([one.handle for one in batch])
        with self.recording_errors(result):
            self._reached("enter", result.handle)
            self.entered.append(result.handle)
            result.state = "verified"

    def _reached(self, half: str, key: int) -> None:
        if half in self.at:
            self.at[half](key)


def _keys(count: int) -> list[KeyResult]:
    return [cast("KeyResult", SimpleNamespace(handle=one, state="planned", error=None)) for one in range(count)]


def _carry(*sides: Sides, keys: int, most: int | None = None) -> tuple[Pipeline, list[KeyResult]]:
    results = _keys(keys)
    with Interrupts(counter=Counter(itertools.count(0, 10).__next__)) as interrupts:
        carrying = Pipeline(interrupts, most)
        carrying.together(cast("Sequence[KeyTransfer]", sides), results)
    return carrying, results


def _fails(error: KeyferryError, at: int = 2) -> Callable[[int], None]:
    def act(key: int) -> None:
        if key == at:
            raise error

    return act


def test_the_next_key_is_wrapped_while_the_last_is_proved_and_what_lies_ready_moves_at_once() -> None:
    entered, wrapped = threading.Event(), threading.Event()

    def leave(key: int) -> None:
        assert key != 1 or entered.wait(HANGS)
        if key == 5:
            wrapped.set()

    def enter(key: int) -> None:
        entered.set()
        assert key or wrapped.wait(HANGS)

    sides = Sides(leave=leave, enter=enter)
    _carrying, results = _carry(sides, keys=6)
    assert sides.left == sides.entered == list(range(6))
    assert {result.state for result in results} == {"verified"}
    assert sides.moved[1][:4] == [1, 2, 3, 4]


def test_no_more_lies_ready_than_was_said() -> None:
    sides = Sides()
    sides.at["enter"] = lambda _key: None if len(sides.left) < AHEAD else os.sched_yield()
    _carry(sides, keys=8 * AHEAD)
    assert sides.furthest <= 2 * AHEAD + 1


@pytest.mark.parametrize("workers", [1, 3])
def test_every_key_goes_one_way_once(workers: int) -> None:
    sides = [Sides() for _worker in range(workers)]
    _carry(*sides, keys=50)
    assert sorted(key for side in sides for key in side.entered) == list(range(50))
    assert all(side.left == side.entered == sorted(side.left) for side in sides)


@pytest.mark.parametrize("half", ["leave", "enter"])
def test_a_key_that_fails_stops_no_other(half: str) -> None:
    sides = Sides(**{half: _fails(MismatchError("x"))})
    carrying, results = _carry(sides, keys=6)
    assert [result.state for result in results].count("verified") == 5
    assert (carrying.failures, carrying.enough, results[2].state) == (1, False, "failed")


@pytest.mark.parametrize("half", ["leave", "enter"])
@pytest.mark.parametrize("error", [UnreachableError("gone"), KeyError("a defect")])
def test_what_ends_one_side_ends_the_run(half: str, error: Any) -> None:
    sides = Sides(**{half: _fails(error)})
    with pytest.raises(type(error)) as raised:
        _carry(sides, keys=8 * AHEAD)
    assert raised.value is error
    assert len(sides.entered) <= len(sides.left) < 8 * AHEAD


def test_one_failure_too_many_is_enough() -> None:
    sides = Sides(enter=_fails(MismatchError("x")))
    carrying, results = _carry(sides, keys=8 * AHEAD, most=1)
    assert carrying.enough
    assert [result.state for result in results[3:]] == ["planned"] * (8 * AHEAD - 3)


@pytest.mark.parametrize("half", ["leave", "enter"])
def test_the_first_signal_lets_each_side_end_its_key(half: str) -> None:
    noted = threading.Event()

    def act(key: int) -> None:
        if key == 1:
            os.kill(os.getpid(), signal.SIGINT)
            assert noted.wait(HANGS)

    with Interrupts(counter=Counter()) as interrupts:
        note = signal.getsignal(signal.SIGINT)
        assert callable(note)

        def heard(number: int, frame: Any) -> None:
            note(number, frame)
            noted.set()

        signal.signal(signal.SIGINT, heard)
        sides, results = Sides(**{half: act}), _keys(8 * AHEAD)
        with pytest.raises(InterruptedRunError):
            Pipeline(interrupts, None).together([cast("KeyTransfer", sides)], results)
    assert 1 in (sides.left if half == "leave" else sides.entered)
    assert len(sides.left) < 8 * AHEAD
    assert not any(result.error for result in results)


@pytest.mark.parametrize("half", ["leave", "enter"])
def test_a_second_signal_ends_a_side_that_hangs(half: str) -> None:
    silent, _never = os.pipe()

    def hang(key: int) -> None:
        if key == 1:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGTERM)
            ready(silent, HANGS * 1000)

    before, sides = {*threading.enumerate()}, Sides(**{half: hang})
    with pytest.raises(InterruptedRunError) as stopped:
        _carry(sides, keys=3)
    # The other side may see the first signal before the second is sent; only the second ends the side that hangs.
    assert stopped.value.exit_code in {128 + signal.SIGINT, 128 + signal.SIGTERM}
    assert {*threading.enumerate()} <= before  # what others left may have ended meanwhile


def test_a_wait_ends_with_bytes_or_time_or_the_end_of_the_writer() -> None:
    listen, tell = os.pipe()
    with CancelToken() as stop, cancellable(stop):
        assert not ready(listen, 0)
        os.write(tell, b"x")
        assert ready(listen, HANGS)
        os.read(listen, 1)
        os.close(tell)
        assert ready(listen, HANGS)
        stop.give(signal.SIGHUP)
        with pytest.raises(InterruptedRunError):
            ready(listen, HANGS)
    os.close(listen)
