"""The runbook, and runs by hand that a person did in a recorded shell, held to it."""

from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from human import PROMPT, Person
from keys import planned, source
from plans import make
from runs import DESTINATIONS, Done, World, keyferry, through

if TYPE_CHECKING:
    from collections.abc import Callable

    from keyferry.planning.plan import Plan

OURS = Path(__file__).parents[2] / "transcripts"
HOSTILE = "</pre><script>x</script> `` [a](b) *_#|\x1b[2J"
needs_script = pytest.mark.skipif(shutil.which("script") is None, reason="needs the command script (util-linux)")


def check(*files: object) -> Done:
    return keyferry("explain", "--check", *files, "--json")


def steps(done: Done, state: str) -> list[str]:
    return [one["step"] for one in done.document["steps"] if one["state"] == state]


class Recorded:
    """A run of one key by hand, its recording and its plan."""

    def __init__(self, directory: Path, recorder: str) -> None:
        self.world = World.create(directory / "hsm")
        self.file, self.plan = directory / "recording", directory / "plan.json"
        listed = self.world.migrate("--dry-run", run="look").document["keys"]
        self.key = next(key for key in listed if key["state"] == "planned" and key["type"] == "AES")
        words = ("--key", self.key["source_handle"], "-o", self.plan, "--json", "--config", self.world.config)
        [planned] = keyferry("plan", *words).document["keys"]
        self._do(recorder, planned)

    def _do(self, recorder: str, planned: dict[str, Any]) -> None:
        handle = str(planned["source_handle"])
        person = Person(self.world, recorder, self.file)
        person.log_in_to_cluster()
        _public, private = person.make_pair()
        person.leave("exit")
        wrapping = person.import_key()
        person.start_ckdemo()
        person.allow_wrapping(wrapping)
        assert "CKA_EXTRACTABLE=01" in person.describe(handle)
        person.wrap(wrapping, handle)
        person.choose("4")
        person.choose("2", "1", "0")
        person.leave("0")
        person.log_in_to_cluster()
        person.unwrap(private, planned["new_label"], "-id", planned["id"])
        person.ask("logoutHSM")
        person.leave("exit")
        person.end()

    def changed(self, change: Callable[[str], str]) -> Path:
        """A copy of the recording that tells something else."""
        text = self.file.read_bytes().decode()
        other = self.file.with_name("changed")
        other.write_bytes(change(text).encode())
        assert change(text) != text
        return other


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    return Recorded(tmp_path_factory.mktemp("script"), "script")


@needs_script
def test_a_run_by_hand_under_script(recorded: Recorded) -> None:
    for files in ((recorded.plan, recorded.file), (recorded.file,)):
        done = check(*files)
        assert done.status == 0, done.out
        assert done.document["ok"]
        assert set(steps(done, "done")) == {
            *("1.1", "1.2", "2.1", "3", "4.1", "4.2", "4.3", "4.4", "4.5", "4.6"),
            *("5.1", "5.2", "6", "7.1", "7.2"),
        }
    place = next(one["place"] for one in done.document["steps"] if one["step"] == "5.2")
    line = int(place.removeprefix(f"{recorded.file}:"))
    assert re.search(r"Enter your choice : 60\s*$", recorded.file.read_bytes().decode().split("\n")[line - 1])


def test_a_run_by_hand_under_asciinema(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path, "asciinema")
    assert json.loads(recorded.file.read_text().split("\n")[0])["version"] == 2
    done = check(recorded.plan, recorded.file)
    assert done.status == 0, done.out


def _without_the_last_sitting(text: str) -> str:
    return text[: text.rindex("/key_mgmt_util\r\n")].rpartition("\n")[0] + "\n"


@needs_script
@pytest.mark.parametrize(
    ("change", "step", "state"),
    [
        (lambda text: re.sub(r"-m 8 -t 2", "-m 8 -t 3", text), "7.2", "different"),
        (lambda text: re.sub(r"(handle of wrapping key[^:]*: )\d+", r"\g<1>12", text), "5.2", "different"),
        (lambda text: text.replace("CKA_EXTRACTABLE=01", "CKA_EXTRACTABLE=00"), "5.1", "different"),
        (lambda text: text.replace("CKA_WRAP=01\r\n\r\n(1)", "CKA_EXTRACTABLE=01\r\n\r\n(1)"), "4.6", "different"),
        (lambda text: text.replace("Wrapped key was saved", "Wrapped key was lost"), "5.2", "not understood"),
        (lambda text: text.replace("Key Unwrapped.  Key", "Key Unwrapped.  Kez"), "7.2", "not understood"),
        (lambda text: text.partition(f"{PROMPT}ls -l")[0], "4.2", "missing"),
        (lambda text: text.replace("getAttribute -o", "help getAttribute -o"), "1.2", "missing"),
        (_without_the_last_sitting, "7.2", "missing"),
        (lambda text: text.replace("CKA_CLASS=04", "CKA_CLUSS=04\x07\x08?", 1), "-", "not understood"),
    ],
)
def test_a_run_that_was_done_otherwise(recorded: Recorded, change: Callable[[str], str], step: str, state: str) -> None:
    done = check(recorded.plan, recorded.changed(change))
    assert done.status == 6, done.err
    assert step in steps(done, state), done.out


@needs_script
def test_the_steps_are_told_to_a_person(recorded: Recorded) -> None:
    pin, password = recorded.world.secrets()
    told = keyferry("explain", recorded.plan, "--check", recorded.file)
    assert told.status == 0
    assert re.search(r"(?m)^done +5\.2 +Wrap the key", told.out)
    assert pin not in told.out
    assert password not in told.out


@pytest.mark.parametrize("pair", ["luna-5_kmu-g1", "luna-5_kmu-g2", "luna-7_kmu-g1", "luna-7_kmu-g2"])
def test_our_own_recordings_are_done_as_documented(pair: str) -> None:
    done = check(*sorted((OURS / pair).glob("*.cast")))
    assert done.status == 0, done.out


def test_listing_the_slots_alone_is_no_import() -> None:
    recording = next((OURS / "luna-7_kmu-g2").glob("*-vtl.cast"))
    assert steps(check(recording), "done") == []


def test_a_key_that_nobody_imported_may_not_wrap() -> None:
    """A wrapping key that an earlier run left: every recording, less the import."""
    casts = sorted((OURS / "luna-7_kmu-g2").glob("*.cast"))
    others = [cast for cast in casts if '"import"' not in cast.read_text().partition("\n")[0]]
    assert len(others) == len(casts) - 1
    done = check(*others)
    assert done.status == 6
    assert not {"3", "4.1", "4.2", "4.6", "5.2"} & set(steps(done, "done"))


@pytest.mark.parametrize("tool", DESTINATIONS)
def test_a_run_directory_stands_for_its_sessions(tmp_path: Path, tool: str) -> None:
    world = World.create(tmp_path / "hsm", keys=4)
    assert world.migrate(**through(tool)).status == 0
    run = world.directory / "run"
    assert check(run / "plan.json", run).status == 0
    casts = sorted((run / "sessions").glob("*.cast"))
    assert check(run / "plan.json", *(cast for cast in casts if "ckdemo" not in cast.name)).status == 6


@pytest.mark.parametrize("words", [(), ("plan.json",), ("nowhere",), ("plan.json", "plan.json", "x")])
def test_without_recordings_there_is_nothing_to_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plan.json").write_bytes(make(planned()).canonical())
    assert check(*words).status == 2


def explained(tmp_path: Path, plan: Plan, *options: str) -> str:
    path = tmp_path / "plan.json"
    path.write_bytes(plan.canonical())
    done = keyferry("explain", path, *options)
    assert done.status == 0, done.err
    return done.out


def test_the_runbook_is_of_exactly_this_plan(tmp_path: Path) -> None:
    text = explained(tmp_path, make(planned(), planned(source(handle=43, type="DES3", bits=192), new_label="till_2")))
    numbers = re.findall(r"(?m)^## (\S+)", text)
    once = ["1.1", "1.2", "2.1", "3", "4.1", "4.2", "4.3", "4.4", "4.5", "4.6"]
    assert numbers == [*once, "5.1", "5.2", "6", "7.1", "7.2", "5.1", "5.2", "6", "7.2", "end"]
    assert "        loginHSM -u CU -s crypto_user -hpswd\n" in text
    first = "unWrapKey -f 42.wrapped -w <private handle> -m 8 -t 2 -noheader -l payments -kc 4 -kt 31 -id till-7"
    assert f"        {first}\n" in text
    assert "-l till_2 -kc 4 -kt 21" in text
    assert "the number beside `RSA_OAEP` on your screen" in text
    assert "the three bytes are a1b2c3" in text
    assert text.count("Initials") == len(numbers)


def test_an_ha_group_has_its_handles_looked_up(tmp_path: Path) -> None:
    source = {"label": "ha", "serial": "115", "kind": "HA group"}
    text = explained(tmp_path, make(planned(), source=source))
    assert "the number beside `Find object` on your screen" in text
    assert "<handle of 42>" in text


def test_another_tool_has_its_own_words(tmp_path: Path) -> None:
    text = explained(tmp_path, make(planned(), destination={"user": "crypto_user", "tool": "cloudhsm-cli"}))
    assert "key generate-asymmetric-pair rsa --public-label classic_wrap" in text
    assert "key unwrap rsa-oaep --filter key-reference=<private reference> --hash-function sha1" in text
    assert "unWrapKey" not in text


class Elements(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.values: list[str | None] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.values += [value for name, value in attrs if name in ("src", "href")]


def test_a_label_is_no_markup(tmp_path: Path) -> None:
    plan = make(planned(source(label=HOSTILE, id_shown="<img src=x>"), new_label="<b>&`x", new_id="<i>"))
    page = Elements(explained(tmp_path, plan, "--format", "html"))
    assert not page.names & {"script", "img", "pre", "b1", "i", "a"}
    assert page.values == []
    text = explained(tmp_path, plan)
    assert "\x1b" not in text
    outside = re.sub(r"(?m)^ {8}.*$|`[^`\n]*`", "", text)  # less blocks and spans of code
    assert not re.search(r"(?<!\\)<(?!/?br)", outside)
    assert not re.search(r"(?<!\\)\[a", outside)


def test_the_page_needs_nothing_from_outside(tmp_path: Path) -> None:
    page = explained(tmp_path, make(planned()), "--format", "html")
    assert not re.search(r"(?i)https?:|url\(|@import|<link|<script", page)
    assert "@page" in page


def test_without_a_plan_the_procedure_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = keyferry("explain").out
    assert "loginHSM -u CU -s CRYPTO_USER" in text
    assert "KEY_LABEL" in text
    assert "-w <private handle>" in text
    named = keyferry("explain", KEYFERRY_DESTINATION_USER="me", KEYFERRY_DESTINATION_TOOL="cloudhsm-cli").out
    assert "login --username me" in named
