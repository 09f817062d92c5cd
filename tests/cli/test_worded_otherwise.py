"""Runs against clients whose words are not the documented ones, without and with what `[dialect]` says of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from keyferry.emulator.cloudhsm.cloudhsm_cli.session import CLUSTER_ID
from keyferry.emulator.cloudhsm.cluster import CRYPTO_USER
from runs import World, keyferry, through

if TYPE_CHECKING:
    from pathlib import Path

# Goes before the last line of an emulated tool, which runs it.
_OTHERWISE = """\
from keyferry.emulator.terminal import Terminal
write, read_line = Terminal.write, Terminal.read_line
def written(self, text):
    write(self, text.replace({documented!r}, {own!r}) if isinstance(text, str) else text)
def read(self):
    return read_line(self).replace(b" -nex", b" -unknown").replace(b" -noexport", b" -nex")
Terminal.write, Terminal.read_line = written, read
"""


def _worded(directory: Path, tool: str, documented: str, own: str) -> World:
    """A world whose tool asks in its own words, and knows `-nex` as `-noexport`."""
    world = World.create(directory, keys=2)
    path = world.directory / "bin" / tool
    *lines, last = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines) + _OTHERWISE.format(documented=documented, own=own) + last)
    return world


def _say(world: World, settings: str) -> None:
    with world.config.open("a") as file:
        file.write(settings)


def _password_typed(world: World, run: str = "run") -> bool:
    records = (world.directory / run / "sessions").iterdir()
    return any('"s","crypto user\'s password"' in record.read_text() for record in records)


def test_a_prompt_and_a_flag_in_a_sites_own_words(tmp_path: Path) -> None:
    world = _worded(tmp_path / "hsm", "key_mgmt_util", "Enter password:", "Secret of the user:")
    asked = world.migrate(run="asked", KEYFERRY_LIMITS_LOGIN="5")
    assert asked.status == 10, asked.err
    assert "Secret of the user:" in asked.err
    assert not _password_typed(world, "asked")
    assert "`[dialect]` of keyferry.toml" in asked.err

    _say(world, '[dialect]\nkey_mgmt_util_password_prompt = "Secret of the user"\n')
    refused = world.migrate(run="refused")
    assert refused.status == 1, refused.err
    assert "genRSAKeyPair was refused" in refused.err
    assert "`[dialect]` of keyferry.toml" in refused.err

    _say(world, 'key_mgmt_util_not_extractable_flag = "-noexport"\n')
    done = world.migrate()
    assert done.status == 0, done.err
    assert _password_typed(world)
    assert done.states["verified"] >= 1


@pytest.mark.parametrize(
    ("documented", "own", "setting"),
    [
        ("Enter password:", "Enter the secret:", 'cloudhsm_cli_password_prompt = "Enter the secret"'),
        ("aws-cloudhsm >", "hsm of ours >", 'cloudhsm_cli_prompt = "hsm of ours >"'),
    ],
)
def test_a_prompt_of_cloudhsm_cli_in_a_sites_own_words(tmp_path: Path, documented: str, own: str, setting: str) -> None:
    world = _worded(tmp_path / "hsm", "cloudhsm-cli", documented, own)
    _say(world, f"[dialect]\n{setting}\n")
    done = world.migrate(**through("cloudhsm-cli"))
    assert done.status == 0, done.err
    assert _password_typed(world)
    assert done.states["verified"] >= 1


def test_a_question_of_cloudhsm_cli_that_is_not_known_gets_no_secret(tmp_path: Path) -> None:
    world = _worded(tmp_path / "hsm", "cloudhsm-cli", "Enter password:", "Enter the secret:")
    asked = world.migrate(**through("cloudhsm-cli"))
    assert asked.status == 10, asked.err
    assert "`[dialect]` of keyferry.toml" in asked.err
    assert not _password_typed(world)


def test_a_time_out_names_the_prompt_that_the_site_set(tmp_path: Path) -> None:
    world = World.create(tmp_path / "hsm", keys=1)
    _say(world, '[dialect]\ncloudhsm_cli_prompt = "hsm of ours >"\n')
    waited = keyferry("cloudhsm-cli", "user-list", "--config", world.config, KEYFERRY_LIMITS_START="1")
    assert waited.status == 10, waited.err
    assert "did not give hsm of ours > or its end within 1 s" in waited.err


def test_a_client_with_several_clusters_prompts_with_user_and_cluster(tmp_path: Path) -> None:
    world = World.create(tmp_path / "hsm", keys=3)
    world.store.set(CLUSTER_ID, "cluster-1234abcdefg")
    done = world.migrate(**through("cloudhsm-cli"))
    assert (done.status, done.states) == (0, {"verified": 3}), done.err
    [recording] = (world.directory / "run/sessions").glob("*-cloudhsm-cli.cast")
    assert f"{world.store.setting(CRYPTO_USER)}@cluster-1234abcdefg > " in recording.read_text()
