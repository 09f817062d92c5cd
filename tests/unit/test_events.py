from __future__ import annotations

import re

import pytest

from keyferry import steps
from keyferry.events import Bus, Event, Noticed, StepStarted


def test_every_listener_hears_every_event_in_the_order_they_joined() -> None:
    bus, heard = Bus(), list[tuple[str, Event]]()
    bus.join(lambda event: heard.append(("first", event)))
    bus.tell(Noticed("a"))
    bus.join(lambda event: heard.append(("second", event)))
    bus.tell(Noticed("b"))
    assert heard == [("first", Noticed("a")), ("first", Noticed("b")), ("second", Noticed("b"))]


def test_a_step_is_told_with_the_documents_title() -> None:
    bus, heard = Bus(), list[Event]()
    bus.join(heard.append)
    steps.start(bus, "5.2", "payments")
    steps.start(bus, "6")
    assert heard == [StepStarted("5.2", steps.TITLES["5.2"], "payments"), StepStarted("6", steps.TITLES["6"])]
    with pytest.raises(KeyError):
        steps.start(bus, "5.3")


DOCUMENT = ["1.1", "1.2", "2.1", "3", "4.1", "4.2", "4.3", "4.4", "4.5", "4.6", "5.1", "5.2", "6", "7.1", "7.2"]
"""The steps of reference/procedure.md."""


def test_the_documents_steps_are_all_there_and_no_others() -> None:
    assert [number for number in steps.TITLES if re.match(r"[1-9]", number)] == DOCUMENT
