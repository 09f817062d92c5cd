from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from runs import DESTINATIONS, World, keyferry, through

if TYPE_CHECKING:
    from pathlib import Path

HASHED = {"key_mgmt_util": "-m 8 -t 3 -noheader", "cloudhsm-cli": "--hash-function sha256 --mgf mgf1-sha256"}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.create(tmp_path / "hsm")


def test_an_ha_group_is_migrated_by_the_handles_of_its_own_session(world: World) -> None:
    slots = keyferry("vtl", "list-slots", "--json", "--config", world.config).document["slots"]
    [group] = [slot for slot in slots if slot["ha"]]
    plain = world.migrate("--dry-run", run="plain")
    done = world.migrate("--slot", f"serial:{group['serial']}")
    assert done.status == 0, done.err
    assert done.states["verified"] == plain.states["planned"]
    labels = {key["label"] for key in done.document["keys"]}
    assert labels == {key["label"] for key in plain.document["keys"]}


@pytest.mark.parametrize("prefix", ["number:", "", "label:", "serial:"])
def test_a_slot_is_chosen_by_number_label_or_serial(world: World, prefix: str) -> None:
    slots = keyferry("vtl", "list-slots", "--json", "--config", world.config).document["slots"]
    value = slots[0]["number" if prefix in ("number:", "") else prefix.removesuffix(":")]
    done = keyferry("inventory", "source", "--json", "--slot", f"{prefix}{value}", "--config", world.config)
    assert done.status == 0, done.err
    assert done.document["keys"]


def test_keys_are_named_by_handle_and_by_label(world: World) -> None:
    keys = [key for key in world.migrate("--dry-run", run="look").document["keys"] if key["state"] == "planned"]
    first, second = keys[:2]
    done = world.migrate("--key", str(first["source_handle"]), "--key", f"label:{second['label']}")
    assert done.status == 0, done.err
    assert {key["source_handle"] for key in done.document["keys"]} == {
        first["source_handle"],
        second["source_handle"],
    }


def test_a_label_of_two_keys_names_none(ten_keys: World) -> None:
    labels = [key["label"] for key in ten_keys.migrate("--dry-run", run="look").document["keys"]]
    [twice] = {label for label in labels if labels.count(label) == 2}
    done = ten_keys.migrate("--key", f"label:{twice}")
    assert done.status == 2
    assert "nothing was changed" in done.err


def test_no_key_named_is_a_usage_error(world: World) -> None:
    assert keyferry("migrate", "--config", world.config).status == 2


def test_a_dry_run_changes_nothing(world: World) -> None:
    before = _contents(world)
    done = world.migrate("--dry-run")
    assert done.status == 0, done.err
    assert set(done.states) == {"planned", "skipped"}
    assert done.document["wrapping_key"] is None
    assert _contents(world) == before


def test_suggested_labels_and_ids_are_taken_when_asked(ten_keys: World) -> None:
    plain = ten_keys.migrate("--dry-run", run="look")
    assert "LABEL-TYPEABLE" in plain.rules
    done = ten_keys.migrate("--relabel", "--reid")
    assert done.status == 0, done.err
    assert not done.rules & {"LABEL-TYPEABLE", "ID-TYPEABLE"}
    assert done.states["verified"] > plain.states["planned"]


def test_new_keys_may_be_made_so_that_they_cannot_leave(world: World) -> None:
    world.migrate("--non-extractable")
    listed = keyferry("inventory", "destination", "--json", "--config", world.config)
    assert {key["extractable"] for key in listed.document["keys"]} == {False}


@pytest.mark.parametrize("tool", DESTINATIONS)
def test_another_hash_is_used_on_both_sides(tmp_path: Path, tool: str) -> None:
    world = World.create(tmp_path / "hsm", keys=2)
    done = world.migrate(KEYFERRY_WRAPPING_HASH="sha256", **through(tool))
    assert done.status == 0, done.err
    assert done.states["verified"] >= 1
    typed = (world.directory / "run/sessions").glob(f"*-{tool}.cast")
    assert any(HASHED[tool] in record.read_text() for record in typed)


def test_a_build_that_cannot_choose_a_hash_says_so_before_any_wrap(tmp_path: Path) -> None:
    world = World.create(tmp_path / "old", luna="5")
    done = world.migrate(KEYFERRY_WRAPPING_HASH="sha256")
    assert done.status == 2
    assert "SHA-1 only" in done.err
    assert "verified" not in done.states


def test_a_longer_wrapping_key_carries_longer_keys(ten_keys: World) -> None:
    assert "OAEP-CAPACITY" in ten_keys.migrate("--dry-run", run="look").rules
    done = ten_keys.migrate(KEYFERRY_WRAPPING_BITS="4096")
    assert done.status == 0, done.err
    assert "OAEP-CAPACITY" not in done.rules


def test_the_option_of_cmu_import_can_be_worded_otherwise(world: World) -> None:
    world.store.set("cmu_pubkey_option", "publickey")
    refused = world.migrate(run="refused")
    assert refused.status != 0
    assert "cmu_public_key_option" in refused.err
    done = world.migrate(
        "--wrapping-label", "wrap_2", run="worded", KEYFERRY_SOURCE_CMU_PUBLIC_KEY_OPTION="-publickey=rsa"
    )
    assert done.status == 0, done.err


def test_the_pair_is_as_the_document_has_it_when_asked(world: World) -> None:
    done = world.migrate(KEYFERRY_WRAPPING_EXTRACTABLE="true")
    assert done.status == 0, done.err
    private = done.document["wrapping_key"]["private_handle"]
    row = world.store.row("SELECT flags FROM cloud_key WHERE handle = ?", private)
    assert row is not None
    assert "EXTRACTABLE" in row["flags"]


def test_the_records_are_complete_and_can_no_more_be_written(world: World) -> None:
    world.migrate()
    for path in (world.directory / "run" / "sessions").iterdir():
        assert not stat.S_IMODE(path.stat().st_mode) & 0o222
        *_, status, closing = map(json.loads, path.read_text().splitlines())
        assert status[1:] == ["x", "0"]
        assert (closing[1], closing[2].split()[-1]) == ("h", "end")


def test_each_login_is_made_as_seldom_as_it_can_be(world: World) -> None:
    world.migrate()
    sessions = sorted(path.name.partition("-")[2] for path in (world.directory / "run" / "sessions").iterdir())
    assert sessions.count("ckdemo.cast") == sessions.count("key_mgmt_util.cast") == 1
    assert sessions.count("cmu.cast") == 4


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_stops_between_two_commands(tmp_path: Path, number: signal.Signals, status: int) -> None:
    world = World.create(tmp_path / "many", keys=60)
    call = [sys.executable, "-m", "keyferry.cli", "migrate", "--all", "--json", "--config", str(world.config)]
    child = subprocess.Popen(
        [*call, "--run-dir", str(world.directory / "run")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
    )
    assert child.stderr is not None
    for line in child.stderr:  # wait until the first key has crossed
        if line.rstrip().endswith(": verified"):
            break
    child.send_signal(number)
    out, err = child.communicate(timeout=60)
    assert child.returncode == status, err
    states = {key["state"] for key in json.loads(out)["keys"]}
    assert {"verified", "planned"} <= states
    assert not states & {"failed", "needs_operator"}


def test_a_run_directory_is_never_used_twice(world: World) -> None:
    world.migrate()
    again = world.migrate("--again")
    assert again.status == 2
    assert "hint:" in again.err


def test_an_unknown_setting_is_named_with_the_nearest(world: World) -> None:
    world.config.write_text(world.config.read_text() + '\n[wraping]\nlabel = "x"\n')
    done = world.migrate()
    assert done.status == 2
    assert "wrapping" in done.err


def _contents(world: World) -> list[str]:
    tables = ("luna_object", "cloud_key", "luna_role", "cloud_user")
    return [str(tuple(row)) for table in tables for row in world.store.rows(f"SELECT * FROM {table}")]  # noqa: S608 - our own names


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_before_anything_began_is_told_too(world: World, number: signal.Signals) -> None:
    """The secret's own source sends it, so it comes where no run listens yet."""
    source = world.directory / "source"
    source.write_text(f"#!/bin/sh\nkill -{int(number)} $PPID\n")
    source.chmod(0o700)
    done = world.migrate("--pin", f"cmd:{source}")
    assert (done.status, done.out) == (128 + number, "")
    assert not (world.directory / "run").exists()
    if number != signal.SIGINT:  # of that one Typer says nothing, as shells' users expect
        assert done.err.startswith("error: interrupted\n"), done.err


def test_a_signal_after_all_was_told_changes_nothing() -> None:
    late = "import atexit, os; atexit.register(lambda: [os.kill(os.getpid(), number) for number in (1, 2, 15)])"
    script = f"{late}\nfrom keyferry.cli.__main__ import main\nmain()"
    done = subprocess.run([sys.executable, "-c", script, "--version"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout[:8], done.stderr) == (0, "keyferry", "")
