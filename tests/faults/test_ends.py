"""Each mishap has its end: the exit code, the rule, and what became of the keys."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from runs import DESTINATIONS, World, through

if TYPE_CHECKING:
    from pathlib import Path

UNWRAP = "key-unwrap-rsa-oaep"
UNTOUCHED = {"verified": 0, "failed": 0, "needs_operator": 0}


@pytest.fixture(params=["5", "7"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    return World.create(tmp_path / "hsm", luna=request.param, keys=10)


@pytest.mark.parametrize(
    ("tool", "fault", "at", "status", "state", "rule"),
    [
        ("key_mgmt_util", "other-value", "unWrapKey", 6, "needs_operator", "KCV-MATCH"),
        ("key_mgmt_util", "label-changed", "unWrapKey", 6, "failed", "ATTRIBUTES-MATCH"),
        ("key_mgmt_util", "extractable-changed", "unWrapKey", 6, "failed", "ATTRIBUTES-MATCH"),
        ("key_mgmt_util", "node-failed", "unWrapKey", 7, "needs_operator", "CLUSTER-COVERAGE"),
        ("key_mgmt_util", "handle-missing", "unWrapKey", 10, "needs_operator", "OUTCOME-UNKNOWN"),
        ("key_mgmt_util", "garbage", "unWrapKey", 10, "needs_operator", "OUTCOME-UNKNOWN"),
        ("key_mgmt_util", "die", "unWrapKey", 9, "needs_operator", "OUTCOME-UNKNOWN"),
        ("cloudhsm-cli", "other-value", UNWRAP, 6, "needs_operator", "KCV-MATCH"),
        ("cloudhsm-cli", "label-changed", UNWRAP, 6, "failed", "ATTRIBUTES-MATCH"),
        ("cloudhsm-cli", "extractable-changed", UNWRAP, 6, "failed", "ATTRIBUTES-MATCH"),
        ("cloudhsm-cli", "usage-changed", UNWRAP, 6, "failed", "ATTRIBUTES-MATCH"),
        ("cloudhsm-cli", "node-failed", UNWRAP, 7, "needs_operator", "CLUSTER-COVERAGE"),
        ("cloudhsm-cli", "reference-missing", UNWRAP, 10, "needs_operator", "OUTCOME-UNKNOWN"),
        ("cloudhsm-cli", "garbage", UNWRAP, 10, "needs_operator", "OUTCOME-UNKNOWN"),
        ("cloudhsm-cli", "die", UNWRAP, 9, "needs_operator", "OUTCOME-UNKNOWN"),
        ("cloudhsm-cli", "busy", UNWRAP, 1, "failed", "TOOL-REFUSED"),
        ("ckdemo", "blob-truncated", "wrapKey", 6, "failed", "BLOB-SIZE"),
        ("ckdemo", "blob-empty", "wrapKey", 6, "failed", "BLOB-SIZE"),
        ("ckdemo", "blob-stale", "wrapKey", 6, "failed", "BLOB-SIZE"),
        ("ckdemo", "blob-flipped", "wrapKey", 1, "failed", "TOOL-REFUSED"),
        ("ckdemo", "garbage", "wrapKey", 10, "failed", "OUTCOME-UNKNOWN"),
        ("ckdemo", "die", "wrapKey", 9, "failed", "OUTCOME-UNKNOWN"),
    ],
)
def test_the_first_key_goes_wrong_and_no_second_is_tried(
    world: World, tool: str, fault: str, at: str, status: int, state: str, rule: str
) -> None:
    world.arm(tool, fault, at)
    done = world.migrate(**through(tool))
    assert done.status == status, done.err
    assert done.states == {state: 1, "planned": done.states["planned"], "skipped": done.states["skipped"]}
    assert rule in done.rules
    for word in ("error: ", "keys: ", "record: ", "step "):
        assert word in done.err


def test_a_key_swapped_before_it_is_wrapped_shows_in_the_check_value(world: World) -> None:
    world.arm("ckdemo", "other-key-wrapped", "wrapKey")
    done = world.migrate("--key", "label:orders-0001")
    assert (done.status, done.rules) == (6, {"KCV-MATCH"}), done.err


def test_one_key_that_fails_later_does_not_stop_the_others(world: World) -> None:
    world.arm("ckdemo", "blob-flipped", "wrapKey", nth=2)
    done = world.migrate()
    assert done.status == 3, done.err
    assert done.states["failed"] == 1
    assert done.states["verified"] >= 2
    assert "planned" not in done.states


@pytest.mark.parametrize(
    ("tool", "at"),
    [("key_mgmt_util", "exportPubKey"), ("cmu", "import"), ("cloudhsm-cli", "key-generate-file")],
)
def test_a_swapped_public_key_is_refused_before_any_wrap(world: World, tool: str, at: str) -> None:
    world.arm(tool, "pem-swapped", at)
    done = world.migrate(**through(tool))
    assert done.status == 6, done.err
    assert "WRAPPING-KEY-MATCH" in done.err
    assert not list((world.directory / "run" / "files").glob("*.wrapped"))
    assert not any("Wrap key" in line or '"wrap"' in line for line in journal(world))


def test_a_wrong_pin_is_typed_once(world: World) -> None:
    wrong = world.directory / "secrets" / "wrong"
    wrong.write_text("not-the-pin-1")
    wrong.chmod(0o600)
    done = world.migrate("--pin", f"file:{wrong}")
    assert done.status == 4, done.err
    assert "LOGIN-ONCE" in done.err
    assert typed(world, "partition PIN") == 1
    assert typed(world, "crypto user's password") == 0


@pytest.mark.parametrize("tool", DESTINATIONS)
def test_a_wrong_password_is_typed_once(world: World, tool: str) -> None:
    wrong = world.directory / "secrets" / "wrong"
    wrong.write_text("not-the-password-1")
    wrong.chmod(0o600)
    done = world.migrate("--password", f"file:{wrong}", **through(tool))
    assert done.status == 4, done.err
    assert typed(world, "crypto user's password") == 1


@pytest.mark.parametrize(
    ("tool", "fault", "at"),
    [
        ("key_mgmt_util", "counter-raised", "listUsers"),
        ("key_mgmt_util", "user-2fa", "listUsers"),
        ("cloudhsm-cli", "user-locked", "user-list"),
        ("ckdemo", "pin-count-low", "tokenInfo"),
    ],
)
def test_near_a_lock_out_no_secret_is_typed(world: World, tool: str, fault: str, at: str) -> None:
    world.arm(tool, fault, at)
    done = world.migrate(**through(tool))
    assert done.status == 5, done.err
    assert "LOCKOUT-NEAR" in done.err
    assert typed(world, "partition PIN") == typed(world, "crypto user's password") == 0


def test_a_raised_counter_may_be_allowed(world: World) -> None:
    world.arm("ckdemo", "pin-count-low", "tokenInfo")
    assert world.migrate("--allow-raised-counter").status == 0


def test_a_slot_swapped_between_listing_and_session_gets_no_pin(world: World) -> None:
    world.arm("ckdemo", "slots-swapped", "slots")
    done = world.migrate()
    assert done.status == 8, done.err
    assert "SLOT-MATCH" in done.err
    assert typed(world, "partition PIN") == 0


@pytest.mark.parametrize("option", ["--source-bin", "--destination-bin"])
def test_a_tool_that_is_not_there(world: World, option: str, tmp_path: Path) -> None:
    done = world.migrate(option, str(tmp_path / "nowhere"))
    assert done.status == 9, done.err
    assert "nothing was changed" in done.err


@pytest.mark.parametrize(
    ("tool", "at"),
    [
        ("vtl", "listSlots"),
        ("ckdemo", "startup"),
        ("ckdemo", "tokenInfo"),
        ("ckdemo", "openSession"),
        ("ckdemo", "findObject"),
        ("ckdemo", "displayObject"),
        ("ckdemo", "encryptFile"),
        ("ckdemo", "setAttribute"),
        ("cmu", "list"),
        ("key_mgmt_util", "listUsers"),
        ("key_mgmt_util", "genRSAKeyPair"),
        ("key_mgmt_util", "exportPubKey"),
        ("key_mgmt_util", "findKey"),
        ("key_mgmt_util", "getAttribute"),
        ("key_mgmt_util", "findSingleKey"),
        ("cloudhsm-cli", "user-list"),
        ("cloudhsm-cli", "key-generate-asymmetric-pair-rsa"),
        ("cloudhsm-cli", "key-generate-file"),
        ("cloudhsm-cli", "key-list"),
    ],
)
def test_unknown_text_is_shown_not_guessed_at(world: World, tool: str, at: str) -> None:
    world.arm(tool, "garbage", at)
    done = world.migrate(**through(tool))
    assert done.status == 10, done.err
    assert "seen:" in done.err


@pytest.mark.parametrize(
    ("tool", "at"), [("ckdemo", "login"), ("key_mgmt_util", "loginHSM"), ("cloudhsm-cli", "login")]
)
def test_a_login_that_nobody_understands_counts_as_refused(world: World, tool: str, at: str) -> None:
    world.arm(tool, "garbage", at)
    done = world.migrate(**through(tool))
    assert done.status in (4, 10), done.err
    assert typed(world, "partition PIN") <= 1
    assert typed(world, "crypto user's password") <= 1


@pytest.mark.parametrize(("tool", "fault"), [("key_mgmt_util", "daemon-down"), ("cloudhsm-cli", "not-configured")])
def test_a_tool_that_does_not_start(world: World, tool: str, fault: str) -> None:
    world.arm(tool, fault, "startup")
    done = world.migrate(**through(tool))
    assert done.status == 9, done.err
    assert "hint:" in done.err


@pytest.mark.parametrize(
    ("tool", "at"), [("ckdemo", "findObject"), ("cloudhsm-cli", "key-list"), ("cmu", "import"), ("vtl", "listSlots")]
)
def test_a_tool_that_hangs_is_ended_at_its_limit(world: World, tool: str, at: str) -> None:
    world.arm(tool, "hang", at)
    done = world.migrate(
        KEYFERRY_LIMITS_ANSWER="1", KEYFERRY_LIMITS_LOGIN="1", KEYFERRY_LIMITS_START="9", **through(tool)
    )
    assert done.status == 9, done.err


def test_log_lines_around_an_answer_are_passed_over(world: World) -> None:
    for at in ("startup", "login", UNWRAP, "key-list"):
        world.arm("cloudhsm-cli", "log-noise", at)
    assert world.migrate(**through("cloudhsm-cli")).status == 0


def test_a_key_that_is_not_on_every_hsm_is_named(world: World) -> None:
    world.arm("cloudhsm-cli", "coverage-partial", "key-list")
    done = world.migrate(**through("cloudhsm-cli"))
    assert done.status == 6, done.err
    assert "CLUSTER-COVERAGE" in done.err


def test_a_cluster_of_one_hsm_is_refused_before_a_password_is_typed(tmp_path: Path) -> None:
    world = World.create(tmp_path / "one", nodes=1)
    done = world.migrate(**through("cloudhsm-cli"))
    assert done.status == 8, done.err
    assert "DESTINATION-AVAILABILITY" in done.err
    assert typed(world, "crypto user's password") == 0
    world.store.set("key_availability_check", "off")
    configured = world.migrate(run="2", KEYFERRY_DESTINATION_KEY_AVAILABILITY_CHECK="false", **through("cloudhsm-cli"))
    assert configured.status == 0, configured.err


def test_a_busy_hsm_is_asked_again(world: World) -> None:
    world.arm("key_mgmt_util", "busy", "unWrapKey")
    assert world.migrate().status == 0


@pytest.mark.parametrize("tool", DESTINATIONS)
def test_keys_that_are_there_already_are_skipped_unless_told_otherwise(world: World, tool: str) -> None:
    """What one tool unwrapped the other finds."""
    first = world.migrate(**through(tool))
    again = world.migrate(run="second", **through(next(iter({*DESTINATIONS} - {tool}))))
    assert again.status == 0, again.err
    assert "verified" not in again.states
    assert "ALREADY-THERE" in again.rules
    assert again.document["wrapping_key"] is None
    third = world.migrate("--again", run="third", **through(tool))
    assert third.states["verified"] == first.states["verified"]
    labels = [done.document["wrapping_key"]["label"] for done in (first, third)]
    assert len(set(labels)) == 2
    assert all(re.fullmatch("classic_wrap_[0-9a-f]{8}", label) for label in labels)


def test_a_wrapping_label_that_is_taken_is_refused_before_anything(world: World) -> None:
    first = world.migrate("--key", plain_key(world), "--wrapping-label", "classic_wrap")
    assert first.document["wrapping_key"]["label"] == "classic_wrap"
    done = world.migrate("--again", "--wrapping-label", "classic_wrap", run="second")
    assert done.status == 8
    assert "WRAPPING-KEY-NEW" in done.err


def test_a_named_key_that_cannot_cross_ends_it_before_anything(world: World) -> None:
    planned = world.migrate("--dry-run", run="look").document["keys"]
    skipped = next(key for key in planned if key["state"] == "skipped")
    done = world.migrate("--key", str(skipped["source_handle"]))
    assert done.status == 8
    assert skipped["rule"] in done.err
    assert done.document["wrapping_key"] is None


def test_keys_without_a_check_value_fail_when_one_is_demanded(world: World) -> None:
    done = world.migrate("--require-kcv")
    assert done.status == 3, done.err
    assert all(key["proof"] == "kcv" for key in done.document["keys"] if key["state"] == "verified")
    assert {key["rule"] for key in done.document["keys"] if key["state"] == "failed"} == {"KCV-MATCH"}


def plain_key(world: World) -> str:
    keys = world.migrate("--dry-run", run="plain").document["keys"]
    return str(next(key["source_handle"] for key in keys if key["state"] == "planned"))


def journal(world: World) -> list[str]:
    return (world.directory / "run" / "journal.jsonl").read_text().splitlines()


def typed(world: World, secret: str) -> int:
    """How often the record says that a secret was typed."""
    sessions = (world.directory / "run" / "sessions").glob("*.cast")
    events = [json.loads(line) for path in sessions for line in path.read_text().splitlines()[1:]]
    return sum(event[1:] == ["s", secret] for event in events)
