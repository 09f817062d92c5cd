"""`keyferry config`: a file to begin with, what holds and why, and whether it holds together."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING

import pytest

from keyferry.config import DEFAULTS
from runs import World, keyferry

if TYPE_CHECKING:
    from pathlib import Path


def test_the_file_to_begin_with_has_every_setting_at_its_default_and_explained(tmp_path: Path) -> None:
    path = tmp_path / "keyferry.toml"
    assert keyferry("config", "init", path).status == 0
    text = path.read_text()
    assert tomllib.loads(text) == {section: {} for section in DEFAULTS}
    assert tomllib.loads(re.sub(r"(?m)^# (?=\w+ = )", "", text)) == DEFAULTS
    told = [line for line in text.splitlines() if re.match(r"# \w+ = ", line)]
    silent = {line.split()[1] for line in told if "  # " not in line}
    assert silent <= {*DEFAULTS["dialect"], *DEFAULTS["limits"], "label"}
    again = keyferry("config", "init", path)
    assert again.status == 2
    assert path.read_text() == text


def test_every_value_is_told_with_where_it_comes_from(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('[source]\nslot = "1"\n[profile.spare.source]\nhost = "spare"\npin = "file:x"\n')
    done = keyferry(
        "config", "show", "--origin", "--json", "--config", path, "--profile", "spare", "--user", "me",
        KEYFERRY_LIMITS_ANSWER="7",
    )  # fmt: skip
    assert done.status == 0, done.err
    told = {one["setting"]: (one["value"], one["origin"]) for one in done.document["settings"]}
    assert told["source.slot"] == ("1", str(path))
    assert told["source.host"] == ("spare", f"{path} [profile.spare]")
    assert told["source.pin"] == ("file:x", f"{path} [profile.spare]")
    assert told["destination.user"] == ("me", "flag")
    assert told["limits.answer"] == (7, "KEYFERRY_LIMITS_ANSWER")
    assert told["wrapping.bits"] == (2048, "default")
    assert "default" in keyferry("config", "show", "--origin", "--config", path).out


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[source]\nhost = "-oProxyCommand=x"\n', "nothing that ssh can be told"),
        ('[source]\nssh_options = "Port"\n', "not NAME=VALUE"),
        ('[source]\npin = "1234"\n', "unknown source of a secret"),
        ("[wrapping]\nbits = 1024\n", "bits"),
        ('[destination]\ntool = "kmu"\n', "is not known"),
        ('[destination]\nusr = "x"\n', "unknown key in [destination]: usr"),
        ('[profile.x.destination]\nusr = "x"\n', "unknown key in [destination]: usr"),
        ('[dialect]\ncmu_slot_flag = "slot"\n', "is not a flag"),
        ('[dialect]\nckdemo_pin_prompt = "a\\nb"\n', "is not the words of a prompt"),
        ('[dialect]\nckdemo_pin = "PIN"\n', "did you mean"),
    ],
)
def test_what_does_not_hold_together_is_named(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    done = keyferry("config", "check", "--config", path)
    assert done.status == 2
    assert says in done.err


def test_a_profile_that_is_not_there_is_named_with_the_nearest(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('[profile.spare.source]\nhost = "spare"\n')
    assert keyferry("config", "check", "--config", path, "--profile", "spare").status == 0
    done = keyferry("config", "check", "--config", path, "--profile", "spar")
    assert done.status == 2
    assert "did you mean spare?" in done.err


TRANSLATES = """\
#!/bin/sh
for word do
    shift
    case $word in
        -in=*) set -- "$@" "-inputFile=${{word#-in=}}" ;;
        -inputFile=*) echo 'cmu: unknown option'; exit 1 ;;
        *) set -- "$@" "$word" ;;
    esac
done
exec {tool} "$@"
"""


def test_a_flag_that_a_sites_client_words_otherwise(tmp_path: Path) -> None:
    world = World.create(tmp_path / "hsm", keys=2)
    tool = world.directory / "bin/cmu"
    (world.directory / "real").mkdir()
    tool.rename(world.directory / "real/cmu")
    tool.write_text(TRANSLATES.format(tool=world.directory / "real/cmu"))
    tool.chmod(0o755)
    assert world.migrate(run="documented").status != 0
    done = world.migrate("--wrapping-label", "wrap_2", run="worded", KEYFERRY_DIALECT_CMU_INPUT_FILE_FLAG="-in")
    assert done.status == 0, done.err
