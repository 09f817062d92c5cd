"""A tool that dies, drips, floods, comes late or says what no list has: each has its end, and a resumed run its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from killed import arrivals
from runs import DESTINATIONS

if TYPE_CHECKING:
    from undisturbed import Plain

KMU, CKDEMO, CLI = "key_mgmt_util", "ckdemo", "cloudhsm-cli"
UNWRAP = "key-unwrap-rsa-oaep"


def beside(*cases: tuple[object, ...]) -> list[tuple[object, ...]]:
    """Each case, which begins with its tool, behind the tool of the cluster that is used in it."""
    return [(case[0] if case[0] in DESTINATIONS else KMU, *case) for case in cases]


@pytest.mark.parametrize(
    ("plain", "tool", "fault", "verb", "status", "state"),
    beside(
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
        ("cmu", "die-after", "import", 9, None),
        ("cmu", "noise", "import", 10, None),
        ("cmu", "flood", "list", 10, None),
        ("vtl", "die-after", "listSlots", 9, None),
        ("vtl", "flood", "listSlots", 10, None),
        (CLI, "die-before", UNWRAP, 9, "needs_operator"),
        (CLI, "die-after", UNWRAP, 9, "needs_operator"),
        (CLI, "late", UNWRAP, 9, "needs_operator"),
        (CLI, "noise", UNWRAP, 10, "needs_operator"),
        (CLI, "flood", UNWRAP, 10, "needs_operator"),
        (CLI, "die-after", "key-generate-asymmetric-pair-rsa", 9, None),
        (CLI, "lost-answer", "key-generate-asymmetric-pair-rsa", 10, None),
        (CLI, "lost-answer", UNWRAP, 10, "needs_operator"),
        (CLI, "disconnected", UNWRAP, 9, "needs_operator"),
        (CLI, "logged-out", UNWRAP, 10, "needs_operator"),
    ),
    indirect=["plain"],
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


@pytest.mark.parametrize(
    ("plain", "tool", "verb"),
    beside((KMU, "unWrapKey"), (KMU, "getAttribute"), (CKDEMO, "wrapKey"), (CLI, UNWRAP)),
    indirect=["plain"],
)
def test_a_second_prompt_is_never_taken_for_the_next_answer(plain: Plain, tool: str, verb: str) -> None:
    """Seen together with the first it is passed over; seen later, before the next command, it ends the session."""
    world = plain.fresh(f"two-{verb}")
    world.arm(tool, "two-prompts", verb)
    done = world.migrate()
    assert done.status in (0, 10), done.err
    plain.is_reached(world, done if done.status == 0 else world.resume())


@pytest.mark.parametrize(
    ("plain", "tool", "verb"),
    beside((KMU, "unWrapKey"), (KMU, "listUsers"), (CKDEMO, "findObject"), ("cmu", "import"), (CLI, "key-list")),
    indirect=["plain"],
)
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
