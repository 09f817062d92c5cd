"""Each command takes the options of the side that it talks to, and no others."""

from __future__ import annotations

import importlib
import inspect

import pytest

SOURCE = {"source_host", "source_bin", "slot", "pin"}
DESTINATION = {"destination_host", "destination_bin", "user", "password"}
SIDES = {
    "vtl": {"source_host", "source_bin"},
    "cmu": SOURCE | {"allow_raised_counter"},
    "ckdemo": SOURCE | {"allow_raised_counter"},
    "kmu": DESTINATION | {"allow_raised_counter"},
    "cloudhsm_cli": DESTINATION | {"allow_raised_counter"},
}
ALL = SOURCE | DESTINATION | {"allow_raised_counter", "wrapping_label", "destination_tool"}


@pytest.mark.parametrize("module", SIDES)
def test_a_single_action_takes_its_own_sides_options(module: str) -> None:
    commands = importlib.import_module(f"keyferry.cli.tools.{module}").app.registered_commands
    assert commands
    for command in commands:
        taken = inspect.signature(command.callback).parameters.keys()
        assert ALL & taken == SIDES[module], command.name
        assert {"config_file", "profile"} <= taken


@pytest.mark.parametrize("name", ["plan", "migrate"])
def test_a_whole_run_takes_those_of_both(name: str) -> None:
    command = getattr(importlib.import_module(f"keyferry.cli.{name}"), name)
    assert inspect.signature(command).parameters.keys() >= ALL
