"""A tool that dies, drips, floods, comes late or says what no list has: each has its end, and a resumed run its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from killed import arrivals

if TYPE_CHECKING:
    from undisturbed import Plain

KMU, CKDEMO = "key_mgmt_util", "ckdemo"


@pytest.mark.parametrize(
    ("tool", "fault", "verb", "status", "state"),
    [
        (KMU, "die-before", "unWrapKey", 9, "needs_operator"),
        (KMU, "die-after", "unWrapKey", 9, "needs_operator"),
        (KMU, "late", "unWrapKey", 9, "needs_operator"),
        (KMU, "noise", "unWrapKey", 10, "needs_operator"),
        (KMU, "flood", "unWrapKey", 10, "needs_operator"),
        (KMU, "die-after", "genRSAKeyPair", 9, None),
        (KMU, "late", "genRSAKeyPair", 9, None),
        (KMU, "die-before", "exportPubKey", 9, None),
        (CKDEMO, "die-before", "wrapKey", 9, "failed"),
        (CKDEMO, "die-after", "wrapKey", 9, "failed"),
        (CKDEMO, "late", "wrapKey", 9, "failed"),
        (CKDEMO, "noise", "wrapKey", 10, "failed"),
        (CKDEMO, "flood", "wrapKey", 10, "failed"),
        (CKDEMO, "die-after", "setAttribute", 9, None),
    ],
)
def test_the_run_ends_and_the_resumed_one_is_as_if_undisturbed(
    plain: Plain, tool: str, fault: str, verb: str, status: int, state: str | None
) -> None:
    world = plain.fresh(f"{tool}-{fault}-{verb}")
    world.arm(tool, fault, verb)
    limit = "2" if fault == "late" else "30"
    done = world.migrate(KEYFERRY_LIMITS_ANSWER=limit, KEYFERRY_LIMITS_GENERATE=limit)
    assert done.status == status, done.err
    if state:
        assert done.states[state] == 1
        assert "OUTCOME-UNKNOWN" in done.rules
    plain.is_reached(world, world.resume())


@pytest.mark.parametrize("verb", ["unWrapKey", "getAttribute"])
def test_a_second_prompt_is_never_taken_for_the_next_answer(plain: Plain, verb: str) -> None:
    """Seen together with the first it is passed over; seen later, before the next command, it ends the session."""
    world = plain.fresh(f"two-{verb}")
    world.arm(KMU, "two-prompts", verb)
    done = world.migrate()
    assert done.status in (0, 10), done.err
    plain.is_reached(world, done if done.status == 0 else world.resume())


@pytest.mark.parametrize(("tool", "verb"), [(KMU, "unWrapKey"), (KMU, "listUsers"), (CKDEMO, "findObject")])
def test_an_answer_that_drips_is_an_answer(plain: Plain, tool: str, verb: str) -> None:
    world = plain.fresh(f"drip-{tool}-{verb}")
    world.arm(tool, "drip", verb)
    plain.is_reached(world, world.migrate())


def test_a_code_of_no_list_is_a_refusal_with_nothing_done(plain: Plain) -> None:
    world = plain.fresh("code")
    before = len(arrivals(world))
    world.arm(KMU, "unknown-code", "unWrapKey", nth=2)
    done = world.migrate()
    assert (done.status, done.states, done.rules) == (3, {"verified": 1, "failed": 1}, {"TOOL-REFUSED"}), done.err
    assert len(arrivals(world)) == before + 1
    assert "0x7f" in done.document["keys"][1]["detail"]
