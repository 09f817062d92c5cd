from __future__ import annotations

import contextlib
import signal
import sys

import pytest

from keyferry.errors import Exit, InterruptedRunError
from keyferry.events import Bus, StepStarted
from keyferry.migration.signals import Interrupts
from keyferry.terminal.signals import SIGNALS, Counter

CODES = {signal.SIGHUP: Exit.HANGUP, signal.SIGINT: Exit.INTERRUPTED, signal.SIGTERM: Exit.TERMINATED}


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_stops_the_run_before_the_next_command(number: signal.Signals) -> None:
    with Interrupts(counter=Counter()) as interrupts:
        interrupts.check()
        signal.raise_signal(number)
        with pytest.raises(InterruptedRunError) as stopped:
            interrupts.check()
    assert stopped.value.exit_code is CODES[number]
    assert "`keyferry status RUN`" in str(stopped.value.hint)


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("first", "second", "seconds", "counts"),
    [
        (signal.SIGHUP, signal.SIGHUP, 0.0002, False),
        (signal.SIGHUP, signal.SIGTERM, 0.9, False),
        (signal.SIGTERM, signal.SIGHUP, 0.9, False),
        (signal.SIGINT, signal.SIGHUP, 0.9, False),
        (signal.SIGINT, signal.SIGINT, 0.19, False),
        (signal.SIGHUP, signal.SIGHUP, 1.1, True),
        (signal.SIGHUP, signal.SIGTERM, 1.1, True),
        (signal.SIGINT, signal.SIGINT, 0.21, True),
        (signal.SIGHUP, signal.SIGINT, 0.21, True),
    ],
)
def test_signals_that_arrive_as_one_count_once(
    first: signal.Signals, second: signal.Signals, seconds: float, counts: bool
) -> None:
    clock = Clock()
    with Interrupts(counter=Counter(clock)) as interrupts:
        signal.raise_signal(first)
        clock.now += seconds
        with pytest.raises(InterruptedRunError) if counts else contextlib.nullcontext():
            signal.raise_signal(second)
        assert interrupts.signal == (second if counts else first)


def test_repetitions_do_not_put_off_the_second_signal() -> None:
    clock = Clock()
    with Interrupts(counter=Counter(clock)):
        for clock.now in (100, 100.5, 100.9):
            signal.raise_signal(signal.SIGTERM)
        clock.now = 101.1
        with pytest.raises(InterruptedRunError):
            signal.raise_signal(signal.SIGTERM)


def test_the_second_hangup_of_a_terminal_may_arrive_after_the_run_has_ended() -> None:
    counter = Counter(Clock())
    with Interrupts(counter=counter):
        signal.raise_signal(signal.SIGHUP)
    assert not counter.counts(signal.SIGHUP)


@pytest.mark.parametrize(
    ("events", "told"),
    [
        ([], "finishing the command in flight, then stopping"),
        ([StepStarted("1.2", "title")], "finishing step 1.2, then"),
        (
            [StepStarted("5.2", "title", "a\x1bkey"), StepStarted("7.2", "title", "other")],
            "finishing step 5.2 for a\\x1bkey and step 7.2 for other, then",
        ),
        ([StepStarted("5.2", "title", "key"), StepStarted("end", "title")], "finishing step end, then"),
    ],
)
def test_the_first_signal_is_acknowledged_at_once(
    events: list[StepStarted], told: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", sys.__stderr__)
    bus = Bus()
    with Interrupts(bus, Counter(Clock())):
        for event in events:
            bus.tell(event)
        signal.raise_signal(signal.SIGHUP)
        told_once = capfd.readouterr().err
        signal.raise_signal(signal.SIGHUP)
    assert told in told_once
    assert "SIGHUP received" in told_once
    assert "A second signal stops immediately" in told_once
    assert capfd.readouterr().err == ""


def test_a_second_signal_stops_it_now() -> None:
    clock = Clock()
    with Interrupts(counter=Counter(clock)):
        signal.raise_signal(signal.SIGINT)
        clock.now += 2
        with pytest.raises(InterruptedRunError) as stopped:
            signal.raise_signal(signal.SIGTERM)
    assert stopped.value.exit_code is Exit.TERMINATED


def test_afterwards_signals_mean_what_they_meant() -> None:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    with Interrupts():
        assert all(signal.getsignal(number) != before[number] for number in SIGNALS)
    assert {number: signal.getsignal(number) for number in SIGNALS} == before


def test_under_nohup_a_run_outlives_its_terminal() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interrupts(counter=Counter()) as interrupts:
            signal.raise_signal(signal.SIGHUP)
            interrupts.check()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
