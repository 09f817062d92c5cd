"""RUN-OWNER: what a run saw of its sides must be seen again; nothing seen is not the same."""

from __future__ import annotations

import pytest

from keyferry.errors import CheckFailedError
from keyferry.migration.identity import same_cluster, same_identity
from keyferry.run.state import RunState

SEEN = {"label": "payments", "serial": "1582", "kind": "partition"}


@pytest.mark.parametrize("now", [[], ["5.3G1"]])
def test_a_cluster_that_shows_nothing_known_is_another(now: list[str]) -> None:
    with pytest.raises(CheckFailedError) as refused:
        same_cluster(RunState(cluster_fingerprints=frozenset({"5.1G1", "5.2G1"})), now)
    assert refused.value.rule == "RUN-OWNER"


@pytest.mark.parametrize("now", [["5.2G1", "5.3G1"], ["5.1G1"]])
def test_one_hsm_seen_again_is_enough(now: list[str]) -> None:
    same_cluster(RunState(cluster_fingerprints=frozenset({"5.1G1", "5.2G1"})), now)
    same_cluster(RunState(), now)


@pytest.mark.parametrize("now", [{}, {"label": "payments", "kind": "partition"}, SEEN | {"serial": "1583"}])
def test_a_field_that_is_not_shown_again_is_not_the_same(now: dict[str, str]) -> None:
    with pytest.raises(CheckFailedError) as refused:
        same_identity("source", SEEN, now)
    assert "serial" in (refused.value.seen or "")


def test_a_side_that_is_the_same() -> None:
    same_identity("source", SEEN, SEEN | {"firmware": "7.9"})
