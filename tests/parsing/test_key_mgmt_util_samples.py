"""The screens that the AWS guide prints: every one is understood, each file by its name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from keyferry.tools.key_mgmt_util.parsing import parse

if TYPE_CHECKING:
    from collections.abc import Iterator

SAMPLES = Path(__file__).parents[3] / "shared/reference/samples/key_mgmt_util"
LEFT_OUT = ("attrfile-grep-checks", "genSymKey-singlecmd-loop", "FAIL-lost-connection")
"""Pages that show a shell's work or single lines, not an answer."""

pytestmark = pytest.mark.skipif(
    not SAMPLES.is_dir(), reason="the samples of the AWS guide are not beside this repository"
)


def _files() -> list[Path]:
    return [path for path in sorted(SAMPLES.glob("*.txt")) if not path.name.startswith(LEFT_OUT)]


def _answers(path: Path) -> Iterator[tuple[str, str]]:
    """Verb and text of each command in a file; verbs by the note that the file begins with."""
    found = path.read_text(encoding="utf-8").splitlines(keepends=True)
    commands = next(line.partition(":")[2] for line in found if line.startswith("# command:"))
    text = "".join(line for line in found if not line.startswith("#"))
    parts = [part for part in re.split(r"(?m)^(?=[ \t]*Command:[ \t]*\S)", text) if part.strip()]
    for command, part in zip(commands.split(" ; "), parts, strict=True):
        verb = command.split()[0]
        yield {"cat": "attributeFile"}.get(verb, verb), part


@pytest.mark.parametrize("path", _files(), ids=lambda path: path.stem)
def test_what_the_guide_shows_is_understood(path: Path) -> None:
    for verb, text in _answers(path):
        found = parse(verb, text)
        assert found["verb"] == verb
        assert found["ok"] == (not re.search(r"returned: 0x(?!00 )", text))


def test_only_what_is_named_is_left_out() -> None:
    names = [path.name for path in SAMPLES.glob("*.txt")]
    assert len(names) == len(_files()) + sum(name.startswith(LEFT_OUT) for name in names)
    assert all(any(name.startswith(start) for name in names) for start in LEFT_OUT)


@pytest.mark.parametrize(
    ("file", "fields"),
    [
        ("genRSAKeyPair-2022", {"public_handle": 2100177, "private_handle": 2100426}),
        ("findKey-multi-filter", {"handles": [37], "total": 1}),
        ("genSymKey-generic-attest", {"handle": 9}),
        ("importPubKey", {"handle": 262230}),
        ("imSymKey-3des-session-attest", {"handle": 37}),
        ("exSymKey-wk", {"file": "aes192_H21.key"}),
        ("wrapKey-m4-2019-12", {"file": "3DES-encrypted.key", "length": 307}),
        ("unWrapKey-noheader-m4-2019-12", {"handle": 8}),
        ("getKeyInfo-shared-inline", {"owner": 3, "shared": [4, 5]}),
        ("getAttribute-aes-512", {"file": "attribute.txt", "length": 444, "total": 17}),
        ("attrfile-local", {"attributes": {"OBJ_ATTR_LOCAL": "0x00000000"}}),
        ("Error2String-0xdb", {"info": {"code": 0xDB, "text": "HSM Error: Invalid User Type."}}),
        ("deleteKey-FAIL-0xc6-access-denied", {"error": {"code": 0xC6, "text": "HSM Error: Key Access is denied."}}),
    ],
)
def test_and_its_fields_are_read(file: str, fields: dict[str, Any]) -> None:
    ((verb, text),) = _answers(SAMPLES / f"{file}.txt")
    found = parse(verb, text)
    assert {name: found[name] for name in fields} == fields


@pytest.mark.parametrize(("file", "count"), [("listAttributes-2017", 20), ("listAttributes-2018", 18)])
def test_both_lists_of_attributes_are_read_whole(file: str, count: int) -> None:
    ((verb, text),) = _answers(SAMPLES / f"{file}.txt")
    attributes = parse(verb, text)["attributes"]
    assert isinstance(attributes, dict)
    assert (len(attributes), attributes["OBJ_ATTR_MODULUS"]) == (count, "288")


def test_a_wrapped_modulus_is_joined() -> None:
    for year in ("2017", "2022"):
        ((verb, text),) = _answers(SAMPLES / f"getAttribute-rsa-public-512-{year}.txt")
        attributes = parse(verb, text)["attributes"]
        assert isinstance(attributes, dict)
        assert len(attributes["OBJ_ATTR_MODULUS"].removeprefix("0x")) == 512
        assert attributes["OBJ_ATTR_ID"] == ""


def test_every_command_of_the_tool_is_driven_or_left_out_by_name() -> None:
    page = (Path(__file__).parents[2] / "docs/tools/key_mgmt_util.md").read_text(encoding="utf-8")
    commands = re.findall(r"(?m)^ {3}(?!Command)(\w+) {2,}", (SAMPLES / "help.txt").read_text(encoding="utf-8"))
    assert len(commands) > 30
    assert not [command for command in commands if not re.search(rf"`{command}`", page)]
