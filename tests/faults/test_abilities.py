"""CLIENT-ABILITY: a client that cannot do what the run needs is refused before any secret is typed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from runs import World, keyferry, through

if TYPE_CHECKING:
    from pathlib import Path

KMU, CLI = "key_mgmt_util", "cloudhsm-cli"
UNWRAP = "key unwrap rsa-oaep"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.create(tmp_path / "hsm", keys=3)


def typed(world: World) -> list[str]:
    """The lines that were typed, and the names of the secrets."""
    casts = sorted((world.directory / "run" / "sessions").glob("*.cast"))
    events = [json.loads(line) for cast in casts for line in cast.read_text().splitlines()[1:]]
    return [str(event[2]).strip() for event in events if event[1] in "is"]


def events(world: World) -> list[list[object]]:
    casts = sorted((world.directory / "run" / "sessions").glob("*.cast"))
    return [json.loads(line) for cast in casts for line in cast.read_text().splitlines()[1:]]


@pytest.mark.parametrize(
    ("tool", "lack", "shown"),
    [
        (KMU, "unWrapKey:-noheader", "-noheader"),
        (KMU, "genRSAKeyPair:-nex", "-nex"),
        (KMU, "loginHSM:-hpswd", "password_visible"),
        (KMU, "unWrapKey", "no command `unWrapKey`"),
        (CLI, f"{UNWRAP}:--data-path", "--data-path"),
        (CLI, UNWRAP, f"no command `{UNWRAP}`"),
    ],
)
def test_a_client_that_lacks_something_gets_no_secret(world: World, tool: str, lack: str, shown: str) -> None:
    world.store.set(f"{tool}_lacks", lack)
    done = world.migrate(**through(tool))
    assert done.status == 8, done.err
    for text in ("CLIENT-ABILITY", shown, "nothing was changed"):
        assert text in done.err
    assert not [event for event in events(world) if event[1] == "s"]


def test_what_the_run_does_not_type_is_not_asked_for(world: World) -> None:
    world.store.set("key_mgmt_util_lacks", "unWrapKey:-nex,unWrapKey:-u,genSymKey,getKeyInfo,deleteKey")
    assert world.migrate().status == 0
    assert "unWrapKey -h" in typed(world)
    refused = world.migrate("--non-extractable", "--dry-run", run="again")
    assert (refused.status, "-nex" in refused.err) == (8, True), refused.err


def test_a_help_text_that_is_not_understood_is_a_warning(world: World) -> None:
    world.store.set("key_mgmt_util_help", "none")
    done = world.migrate()
    assert (done.status, done.states) == (0, {"verified": 3}), done.err
    assert "not probed" in done.err


@pytest.mark.parametrize("tool", [KMU, CLI])
def test_doctor_and_plan_probe_too(world: World, tool: str) -> None:
    lack = {KMU: "unWrapKey:-t", CLI: f"{UNWRAP}:--mgf"}[tool]
    able = keyferry("doctor", "--json", "--config", world.config, **through(tool))
    found = {one["check"]: one["verdict"] for one in able.document["checks"]}
    assert (able.status, found["client ability"]) == (0, "ok"), able.err
    world.store.set(f"{tool}_lacks", lack)
    unable = keyferry("doctor", "--json", "--config", world.config, **through(tool))
    found = {one["check"]: one["verdict"] for one in unable.document["checks"]}
    assert (unable.status, found["client ability"]) == (8, "fail"), unable.err
    out = world.directory / "plan.json"
    plan = keyferry("plan", "--all", "--out", out, "--config", world.config, **through(tool))
    assert (plan.status, "CLIENT-ABILITY" in plan.err) == (8, True), plan.err


def test_a_flag_is_probed_as_it_is_typed_at_this_site(world: World) -> None:
    with world.config.open("a") as file:
        file.write('[dialect]\nkey_mgmt_util_no_header_flag = "-bare"\n')
    done = world.migrate("--dry-run")  # the help text shows the documented word
    assert (done.status, "-bare: not probed" in done.err) == (0, True), done.err
    world.store.set("key_mgmt_util_lacks", "unWrapKey:-noheader")
    done = world.migrate("--dry-run", run="again")
    assert (done.status, "does not know -bare" in done.err) == (8, True), done.err


def test_an_emulated_client_is_made_without_a_flag(tmp_path: Path) -> None:
    made = keyferry("emulator", "init", tmp_path / "hsm", "--keys", "1", "--lacks", "key_mgmt_util:unWrapKey:-kt")
    assert made.status == 0, made.err
    done = World(tmp_path / "hsm").migrate("--dry-run")
    assert (done.status, "-kt" in done.err) == (8, True), done.err
    wrong = keyferry("emulator", "init", tmp_path / "other", "--lacks", "vtl:listSlots")
    assert wrong.status == 2
