from __future__ import annotations

import signal

import pytest

from keyferry.errors import Exit, InterruptedRunError
from keyferry.procedure.interrupts import SIGNALS, Interrupts

CODES = {signal.SIGHUP: Exit.HANGUP, signal.SIGINT: Exit.INTERRUPTED, signal.SIGTERM: Exit.TERMINATED}


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_stops_the_run_before_the_next_command(number: signal.Signals) -> None:
    with Interrupts() as interrupts:
        interrupts.check()
        signal.raise_signal(number)
        with pytest.raises(InterruptedRunError) as stopped:
            interrupts.check()
    assert stopped.value.exit_code is CODES[number]


def test_a_second_signal_stops_it_now() -> None:
    with Interrupts():
        signal.raise_signal(signal.SIGINT)
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
        with Interrupts() as interrupts:
            signal.raise_signal(signal.SIGHUP)
            interrupts.check()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
