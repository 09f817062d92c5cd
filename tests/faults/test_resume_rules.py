"""What a resumed run asks, whom it refuses, and what a person may answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from keyferry.run.journal import Journal
from killed import arrivals, by_hand, copied, deleted
from runs import World, keyferry, through

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from runs import Done


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.create(tmp_path / "hsm", keys=3)


def lines(world: World, kind: str) -> list[dict[str, Any]]:
    journal = (world.directory / "run" / "journal.jsonl").read_text().splitlines()
    return [line for line in map(json.loads, journal) if line["kind"] == kind]


def resolve(world: World, key: object, *order: object) -> Done:
    return keyferry("resolve", world.directory / "run", key, *order)


def ended(done: Done, status: int, **states: int) -> None:
    assert done.status == status, done.err
    assert done.states == states


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_an_unwrap_that_was_done_is_adopted(world: World, nth: int) -> None:
    world.arm("key_mgmt_util", "die", "unWrapKey", nth=nth)
    assert world.migrate().status == 9
    ended(world.resume(), 0, verified=3)
    [question] = lines(world, "question")[-1:]
    assert len(question["found"]) == 1
    assert len(arrivals(world)) == 3


def test_an_unwrap_that_was_not_done_is_done_once(world: World) -> None:
    world.arm("key_mgmt_util", "hang", "unWrapKey", nth=2)
    assert world.migrate(KEYFERRY_LIMITS_ANSWER="1").status == 9
    ended(world.resume(), 0, verified=3)
    assert [line["found"] for line in lines(world, "question") if line["act"] == "unwrap"] == [[]]


def doubtful(world: World) -> tuple[int, list[int]]:
    """A key whose unwrap was done unseen, and which somebody unwrapped too; its handle, and both on the destination."""
    world.arm("key_mgmt_util", "die", "unWrapKey", nth=2)
    assert world.migrate().status == 9
    (key,) = [key for key in world.status()["keys"] if key["rule"] == "OUTCOME-UNKNOWN"]
    known = {key["destination_handle"] for key in world.status()["keys"]}
    (mine,) = set(arrivals(world)) - known
    return key["source_handle"], [mine, copied(world, mine)]


def test_two_that_may_be_it_need_a_person(world: World) -> None:
    key, both = doubtful(world)
    done = world.resume()
    ended(done, 7, verified=2, needs_operator=1)
    (asked,) = [one for one in done.document["keys"] if one["state"] == "needs_operator"]
    assert asked["rule"] == "OUTCOME-AMBIGUOUS"
    for word in (*map(str, both), f"findKey -l {asked['new_label']}", f"keyferry resolve RUN {key} --adopt"):
        assert word in asked["detail"]
    assert world.resume().status == 7  # it is not asked again, nor guessed


@pytest.mark.parametrize("which", [0, 1])
def test_the_one_that_a_person_names_is_proved(world: World, which: int) -> None:
    key, both = doubtful(world)
    world.resume()
    assert resolve(world, key, "--adopt", (str, hex)[which](both[which])).status == 0
    assert world.status()["keys"][1]["decision"] == "adopt"
    done = world.resume()
    ended(done, 0, verified=3)
    assert both[which] in [one["destination_handle"] for one in done.document["keys"]]


def test_a_person_may_give_a_key_up_or_have_it_done_again(world: World) -> None:
    key, both = doubtful(world)
    world.resume()
    assert resolve(world, key, "--skip").status == 0
    ended(world.resume(), 0, verified=2, skipped=1)
    assert set(both) < set(arrivals(world))


def test_what_is_tried_again_is_neither_of_them(world: World) -> None:
    key, both = doubtful(world)
    world.resume()
    assert resolve(world, key, "--retry").status == 0
    done = world.resume()
    ended(done, 0, verified=3)
    (again,) = [one for one in done.document["keys"] if one["source_handle"] == key]
    assert again["destination_handle"] not in both


@pytest.mark.parametrize(
    ("key", "order"),
    [
        ("1", ("--skip",)),
        ("label:nobody", ("--skip",)),
        ("{key}", ()),
        ("{key}", ("--skip", "--retry")),
        ("{other}", ("--retry",)),
        ("{key}", ("--adopt", "{taken}")),
        ("{key}", ("--adopt", "first")),
        ("{key}", ("--adopt", "{pair}")),
    ],
)
def test_an_answer_that_cannot_be_is_refused(world: World, key: str, order: tuple[str, ...]) -> None:
    mine, _both = doubtful(world)
    status = world.status()
    (done,) = [one for one in status["keys"] if one["stage"] == "verified"]
    words = {
        "key": mine,
        "other": done["source_handle"],
        "taken": done["destination_handle"],
        "pair": status["wrapping_key"]["private_handle"],
    }
    before = lines(world, "resolve")
    assert resolve(world, key.format(**words), *(word.format(**words) for word in order)).status == 2
    assert lines(world, "resolve") == before


def test_a_key_on_some_nodes_is_taken_once_the_cluster_is_whole(world: World) -> None:
    world.arm("key_mgmt_util", "node-failed", "unWrapKey", nth=2)
    first = world.migrate()
    ended(first, 7, verified=2, needs_operator=1)
    (half,) = [one for one in first.document["keys"] if one["state"] == "needs_operator"]
    world.store.run("INSERT OR IGNORE INTO cloud_copy SELECT k.handle, n.id FROM cloud_key k, cloud_node n")
    (newest,) = world.store.rows("SELECT handle FROM cloud_key WHERE label = ?", half["new_label"].encode())
    assert resolve(world, half["source_handle"], "--adopt", newest["handle"]).status == 0
    ended(world.resume(), 0, verified=3)


def test_another_crypto_user_is_refused_before_anything_is_typed(world: World) -> None:
    world.arm("key_mgmt_util", "die", "unWrapKey")
    world.migrate()
    before = (world.directory / "run" / "journal.jsonl").read_bytes()
    done = world.resume("--user", "somebody_else")
    assert (done.status, "RUN-OWNER" in done.err) == (8, True), done.err
    assert (world.directory / "run" / "journal.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    ("tool", "pair", "other"),
    [
        ("key_mgmt_util", "genRSAKeyPair", "UPDATE cloud_user SET id = id + 7"),
        ("cloudhsm-cli", "key-generate-asymmetric-pair-rsa", "UPDATE cloud_node SET id = id + 7"),
    ],
)
def test_another_cluster_is_refused_before_the_password_is_typed(
    world: World, tool: str, pair: str, other: str
) -> None:
    """Not even a pair was made, so no key and no label tells the clusters apart."""
    world.environment.update(through(tool))
    world.arm(tool, "die-before", pair)
    assert world.migrate().status == 9
    logins = len(lines(world, "login"))
    world.store.run(other)
    done = world.resume()
    assert (done.status, "RUN-OWNER" in done.err) == (8, True), done.err
    assert len(lines(world, "login")) == logins


def test_another_partition_is_refused_before_the_pin_is_typed(world: World) -> None:
    world.arm("key_mgmt_util", "die", "unWrapKey")
    world.migrate()
    logins = len(lines(world, "login"))
    other = world.store.row("SELECT label FROM luna_partition ORDER BY id DESC")
    assert other is not None
    done = world.resume("--slot", f"label:{other['label']}")
    assert (done.status, "RUN-OWNER" in done.err) == (8, True), done.err
    assert len(lines(world, "login")) == logins


def test_a_refused_secret_is_not_typed_again_without_an_order(world: World) -> None:
    wrong = world.directory / "secrets" / "wrong"
    wrong.write_text("not-the-password-1")
    wrong.chmod(0o600)
    assert world.migrate("--password", f"file:{wrong}").status == 4
    logins = len(lines(world, "login"))
    done = world.resume()
    assert (done.status, "LOGIN-ONCE" in done.err) == (4, True), done.err
    assert len(lines(world, "login")) == logins
    assert world.resume("--type-again").status == 5  # the counter says that somebody failed
    ended(world.resume("--type-again", "--allow-raised-counter"), 0, verified=3)


def test_a_second_controller_is_refused(world: World) -> None:
    world.arm("key_mgmt_util", "die", "unWrapKey")
    world.migrate()
    journal, _found = Journal.reopen(world.directory / "run" / "journal.jsonl")
    done = world.resume()
    assert done.status == 11, done.err
    assert resolve(world, world.status()["keys"][0]["source_handle"], "--skip").status == 11
    journal.close()
    ended(world.resume(), 0, verified=3)


def _edit_journal(run: Path) -> None:
    path = run / "journal.jsonl"
    path.chmod(0o600)
    path.write_bytes(path.read_bytes().replace(b'"act":"wrap"', b'"act":"mrap"', 1))


def _shorten_journal(run: Path) -> None:
    path = run / "journal.jsonl"
    path.chmod(0o600)
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))


def _tear_journal(run: Path) -> None:
    path = run / "journal.jsonl"
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-9])


def _edit_plan(run: Path) -> None:
    path = run / "plan.json"
    path.chmod(0o600)
    path.write_bytes(path.read_bytes().replace(b'"AES"', b'"DES"', 1))


def _edit_session(run: Path) -> None:
    path = run / "sessions" / "003-ckdemo.cast"
    path.chmod(0o600)
    path.write_bytes(path.read_bytes().replace(b"Token", b"Taken", 1))


def _shorten_session(run: Path) -> None:
    path = run / "sessions" / "003-ckdemo.cast"
    path.chmod(0o600)
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))


def _remove_session(run: Path) -> None:
    (run / "sessions" / "002-vtl.cast").unlink()


@pytest.mark.parametrize(
    "edit",
    [_edit_journal, _shorten_journal, _tear_journal, _edit_plan, _edit_session, _shorten_session, _remove_session],
)
def test_what_was_edited_is_not_gone_on_with(world: World, edit: Callable[[Path], None]) -> None:
    world.arm("key_mgmt_util", "die", "unWrapKey")
    world.migrate()
    edit(world.directory / "run")
    done = world.resume()
    assert done.status == 8, done.err
    assert "nothing was typed" in done.err


def test_a_wrapped_file_that_was_changed_meanwhile_is_not_unwrapped(world: World) -> None:
    world.arm("key_mgmt_util", "hang", "unWrapKey", nth=2)
    world.migrate(KEYFERRY_LIMITS_ANSWER="1")
    (key,) = [key for key in world.status()["keys"] if key["rule"] == "OUTCOME-UNKNOWN"]
    blob = world.directory / "run" / "files" / f"{key['source_handle']}.wrapped"
    blob.chmod(0o600)
    blob.write_bytes(bytes(256))
    done = world.resume()
    ended(done, 6, verified=2, failed=1)
    assert done.rules == {"BLOB-INTACT"}
    assert resolve(world, key["source_handle"], "--retry").status == 0
    ended(world.resume(), 0, verified=3)


def test_a_key_that_somebody_moved_meanwhile_is_not_moved_again(world: World) -> None:
    world.arm("key_mgmt_util", "hang", "unWrapKey", nth=2)
    world.migrate(KEYFERRY_LIMITS_ANSWER="1")
    (left,) = [key for key in world.status()["keys"] if key["stage"] not in ("verified", "skipped", "needs operator")]
    by_hand(world, left["source_handle"])
    done = world.resume()
    ended(done, 0, verified=2, skipped=1)
    assert done.rules == {"ALREADY-THERE"}


def test_a_key_that_was_deleted_on_classic_fails_alone(world: World) -> None:
    world.arm("ckdemo", "hang", "wrapKey", nth=2)
    world.migrate(KEYFERRY_LIMITS_ANSWER="1")
    (left,) = [key for key in world.status()["keys"] if key["stage"] == "planned"]
    world.store.run("DELETE FROM luna_object WHERE handle = ?", left["source_handle"])
    done = world.resume()
    ended(done, 3, verified=2, failed=1)
    assert done.rules == {"PLAN-MATCH"}


def test_an_arrived_key_that_is_gone_does_not_balance(world: World) -> None:
    world.arm("key_mgmt_util", "die", "unWrapKey", nth=2)
    world.migrate()
    (there,) = [key["destination_handle"] for key in world.status()["keys"] if key["stage"] == "verified"]
    deleted(world, there)
    done = world.resume()
    assert (done.status, "TOTALS-BALANCE" in done.err, f"gone: {there}" in done.err) == (6, True, True), done.err


def test_the_run_stops_after_so_many_failures(tmp_path: Path) -> None:
    world = World.create(tmp_path / "hsm", keys=6)
    for _ in range(2):  # the second and, counted from there, the second again
        world.arm("ckdemo", "blob-flipped", "wrapKey", nth=2)
    done = world.migrate("--max-failures", "2")
    assert (done.status, done.states["failed"], done.states["planned"] > 0) == (3, 2, True), done.err
    again = world.resume()
    assert (again.status, "planned" in again.states, again.states["failed"]) == (3, False, 2), again.err


@pytest.mark.parametrize("nth", [1, 3])
def test_on_an_ha_group_keys_are_found_again_under_other_handles(world: World, nth: int) -> None:
    group = world.store.row("SELECT label FROM luna_group")
    assert group is not None
    slot = ("--slot", f"label:{group['label']}")
    world.arm("key_mgmt_util", "die", "unWrapKey", nth=nth)
    assert world.migrate(*slot).status == 9
    done = world.resume(*slot)
    ended(done, 0, verified=3)
    values = {bytes(row["value"]) for row in world.store.rows("SELECT value FROM cloud_key WHERE class = 4")}
    assert len(values) >= len(arrivals(world)) == 3
