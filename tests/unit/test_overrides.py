"""Prompts and flags that one site's client words otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from keyferry.config import DEFAULTS, load
from keyferry.errors import KeyferryError
from keyferry.recording.recorder import Recorder
from keyferry.secrets import Secret
from keyferry.terminal.console import Console
from keyferry.terminal.overrides import Overrides
from keyferry.terminal.prompts import InputLimits
from keyferry.tools.ckdemo.dialect import PIN
from keyferry.tools.cmu.dialect import PASSWORD
from keyferry.tools.overrides import FLAGS, PROMPTS, wordings
from programs import COMMAND, LIMIT, program, shown

if TYPE_CHECKING:
    from pathlib import Path

    from keyferry.terminal.prompts import Prompt


def test_every_setting_of_dialect_has_its_place_and_is_the_documented_word() -> None:
    assert PROMPTS.keys() | FLAGS.keys() == DEFAULTS["dialect"].keys()
    for key, (_tool, prompts) in PROMPTS.items():
        documented = Overrides({prompt.name: str(DEFAULTS["dialect"][key]) for prompt in prompts})
        for prompt in prompts:
            asked = b"\n" + str(DEFAULTS["dialect"][key]).encode() + b" 3: "
            assert documented.prompt(prompt).compiled().search(asked)
    assert wordings(load(None, {})) == {}


@pytest.mark.parametrize(
    ("words", "prompt", "asked"),
    [
        ("Geheimzahl", PIN, b"\nGeheimzahl: "),
        ("Type the  secret of slot", PASSWORD, b"\r\nType the secret of slot 12 : "),
        ("PIN (hidden)", PIN, b"\nPIN (hidden):"),
    ],
)
def test_a_prompt_in_a_sites_own_words(words: str, prompt: Prompt, asked: bytes) -> None:
    own = Overrides({prompt.name: words}).prompt(prompt)
    assert own.name == prompt.name
    assert own.compiled().search(asked)
    assert not own.compiled().search(asked + b"x")
    assert not own.compiled().search(b"\nx" + asked.lstrip())


def test_only_whole_flags_are_worded_otherwise() -> None:
    wording = Overrides(flags={"-label": "-name", "-nex": "-noexport"})
    assert wording.argument("-label=-label") == "-name=-label"
    assert wording.argument("-labels=x") == "-labels=x"
    assert wording.line("unWrapKey -nex -l -nexus") == "unWrapKey -noexport -l -nexus"


def test_a_conversation_hears_and_types_in_the_sites_words(tmp_path: Path) -> None:
    script = "out('Geheimzahl: ')\nline()\nout('Command: ')\nout(line())\nout('\\nCommand: ')\nline()\n"
    wording = Overrides({PIN.name: "Geheimzahl"}, {"-nex": "-noexport"})
    with Console(
        program(tmp_path, script), Recorder(tmp_path / "x.cast", {}), InputLimits(), wording=wording
    ) as console:
        console.hear(PIN, limit=LIMIT)
        console.say_secret(Secret("pin", b"s3cr*t!x"), hides=False)
        console.hear(COMMAND, limit=LIMIT)
        console.say("make -nex")
        assert shown(console.hear(COMMAND, limit=LIMIT)).strip() == "make -noexport"


def test_a_time_out_names_the_words_that_were_set(tmp_path: Path) -> None:
    wording = Overrides({PIN.name: "Geheimzahl"})
    recorder = Recorder(tmp_path / "x.cast", {})
    with (
        Console(program(tmp_path, "out('Enter PIN: ')\nline()\n"), recorder, InputLimits(), wording=wording) as console,
        pytest.raises(KeyferryError, match="did not give Geheimzahl within"),
    ):
        console.hear(PIN, limit=0.3)
