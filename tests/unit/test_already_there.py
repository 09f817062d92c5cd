"""ALREADY-THERE before and after an unwrap: what counts, and what does not."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pytest

from keyferry.errors import ToolRefusedError
from keyferry.migration.already_there import AlreadyThere
from keyferry.migration.results import KeyResult
from keyferry.pkcs11 import DestinationHandle, Kcv, SourceHandle
from keyferry.planning.evaluate import PlannedKey
from keys import arrived, source

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from collections.abc import Set as AbstractSet

    from keyferry.tools.endpoints import Destination, DestinationKey


@dataclass
class Cluster:
    """Stands for the HSMs: keys by their handles. cheap: it counts before it lists, as CloudHSM CLI does."""

    keys: dict[int, DestinationKey] = field(default_factory=dict)
    cheap: bool = False
    described: list[int] = field(default_factory=list)

    def secret_keys_now(self, believed: AbstractSet[DestinationHandle]) -> Collection[DestinationHandle]:
        return (
            believed
            if self.cheap and len(believed) == len(self.keys)
            else [DestinationHandle(one) for one in self.keys]
        )

    def labelled_secrets(self, label: str) -> Sequence[DestinationHandle]:
        return [key.handle for key in self.keys.values() if key.label == label]

    def describe(self, handle: DestinationHandle) -> DestinationKey:
        self.described.append(handle)
        if handle not in self.keys:
            raise ToolRefusedError("gone", code="0xa8", tool="x")
        return self.keys[handle]

    def make(self, handle: int, **how: Any) -> None:
        self.keys[handle] = arrived(handle=DestinationHandle(handle), **how)


LABEL, VALUE = "orders", Kcv("a1b2c3")


def wanted(**how: Any) -> KeyResult:
    return KeyResult(PlannedKey(source(handle=SourceHandle(7)), None, LABEL, "id", id_given=False, kcv=VALUE, **how))


def ask(there: AlreadyThere, cluster: Cluster, result: KeyResult) -> list[DestinationHandle]:
    return there.others(cast("Destination", cluster), result)


@pytest.mark.parametrize("cheap", [True, False])
@pytest.mark.parametrize(
    ("made", "counts"),
    [
        ({"label": LABEL, "kcv": Kcv("000000")}, True),
        ({"label": "other", "kcv": VALUE}, True),
        ({"label": LABEL, "kcv": None}, True),
        ({"label": "other", "kcv": Kcv("000000")}, False),
        ({"label": "other", "kcv": None}, False),
    ],
)
def test_a_key_that_arrived_since_counts_by_label_and_by_value(made: dict[str, Any], counts: bool, cheap: bool) -> None:
    cluster = Cluster(cheap=cheap)
    there, result = AlreadyThere([], [], again=False), wanted()
    assert ask(there, cluster, result) == []
    cluster.make(50, **made)
    assert ask(there, cluster, result) == ([50] if counts else [])
    assert ask(there, cluster, result) == ([50] if counts else [])
    assert cluster.described == [50]


def test_what_this_run_made_does_not_count() -> None:
    cluster = Cluster()
    there, result = AlreadyThere([], [DestinationHandle(40)], again=False), wanted()
    cluster.make(40, label=LABEL, kcv=VALUE)
    cluster.make(41, label=LABEL, kcv=VALUE)
    result.destination_handle = DestinationHandle(41)
    there.arrived(DestinationHandle(41))
    assert ask(there, cluster, result) == []
    cluster.make(42, label=LABEL, kcv=VALUE)
    assert ask(there, cluster, result) == [42]


@pytest.mark.parametrize(("again", "found"), [(True, [51]), (False, [50, 51])])
def test_with_again_what_was_there_at_the_plan_does_not_count(again: bool, found: list[int]) -> None:
    cluster = Cluster()
    cluster.make(50, label=LABEL, kcv=VALUE)
    there = AlreadyThere([DestinationHandle(50)], [], again=again)
    cluster.make(51, label="moved", kcv=VALUE)
    assert ask(there, cluster, wanted()) == found


def test_what_an_operator_said_is_another_key_does_not_count() -> None:
    cluster = Cluster()
    cluster.make(50, label=LABEL, kcv=VALUE)
    result = wanted()
    result.beside = frozenset({DestinationHandle(50)})
    assert ask(AlreadyThere([], [], again=False), cluster, result) == []


def test_one_deleted_and_one_made_is_seen_by_its_label_where_only_numbers_are_asked() -> None:
    cluster = Cluster(cheap=True)
    cluster.make(50, label="old", kcv=Kcv("000000"))
    there = AlreadyThere([DestinationHandle(50)], [], again=False)
    del cluster.keys[50]
    cluster.make(51, label=LABEL, kcv=VALUE)
    assert ask(there, cluster, wanted()) == [51]


def test_a_key_that_is_gone_again_does_not_count() -> None:
    cluster = Cluster()
    there = AlreadyThere([], [], again=False)
    cluster.make(50, label="other", kcv=VALUE)
    assert ask(there, cluster, wanted()) == [50]
    del cluster.keys[50]
    assert ask(there, cluster, wanted()) == []


def test_two_sessions_do_not_unwrap_keys_that_look_alike_at_once() -> None:
    there, order = AlreadyThere([], [], again=False), list[str]()
    inside = threading.Event()

    def second() -> None:
        inside.set()
        with there.reserved(wanted().planned):
            order.append("second")

    with there.reserved(wanted().planned):
        thread = threading.Thread(target=second)
        thread.start()
        inside.wait(10)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]
