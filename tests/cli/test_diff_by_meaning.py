"""A record whose every hash fits may still tell of what must not be: that is noticed by what it means."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from forgeries import (
    answered,
    changed,
    extractable_by_a_word,
    extractable_no_longer,
    never_came,
    never_extractable,
    of_another_plan,
    overlapping,
    replaced,
    typed_ahead,
    without,
    without_comparison,
    without_order,
    wrapped_anew,
)
from keyferry.text import canonical
from records import both_say, by_package, forge, head_of
from runs import keyferry, recorded

if TYPE_CHECKING:
    from collections.abc import Callable

    Lines = list[dict[str, Any]]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return Path(shutil.copytree(recorded(keys=10), tmp_path / "run"))


@pytest.fixture
def run_by_cli(tmp_path: Path) -> Path:
    return Path(shutil.copytree(recorded("cloudhsm-cli", keys=10), tmp_path / "run"))


def test_a_perfect_forgery_that_changes_nothing_is_whole(run: Path) -> None:
    forge(run)
    both_say("complete", run)


def test_a_perfect_forgery_is_noticed_by_a_head_from_outside_alone(run: Path) -> None:
    head = head_of(run)

    def under_another_step(name: str, lines: list[Any]) -> list[Any]:
        if "ckdemo" in name:
            place = next(number for number, line in enumerate(lines) if number and line[1] == "m")
            lines.insert(place + 3, lines.pop(place))
        return lines

    forge(run, under_another_step)
    both_say("complete", run)
    both_say("wrong", run, "head", head=head)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (replaced("key_mgmt_util", "i", r"^findKey .*", "deleteKey -k 7\r"), "deleteKey"),
        (replaced("key_mgmt_util", "i", r"^getAttribute .*", "exSymKey -k 7 -out x -w 6\r"), "exSymKey"),
        (replaced("ckdemo", "i", r"^27\r", "22\r"), "22"),  # Destroy object
        (replaced("key_mgmt_util", "i", r"^findKey .*", "12\r"), "12"),
        (replaced("key_mgmt_util", "i", r"^findKey .*", "findKey -c 4\rdeleteKey -k 7\r"), ""),
        (replaced("ckdemo", "i", r"^0\r", "0\r22\r"), ""),
        (typed_ahead, ""),
    ],
)
def test_a_command_outside_the_procedure(run: Path, change: Callable[[str, list[Any]], list[Any]], words: str) -> None:
    forge(run, change)
    both_say("wrong", run, ".cast: line ", words)
    assert keyferry("verify", run).status == 6


@pytest.mark.parametrize(
    ("pattern", "new"),
    [
        (r"^key list .*", "key delete --filter attr.label=x"),
        (r"^user list.*", "user delete --username u --role admin"),
        (r"^cluster hsm-info.*", "key list\rkey delete"),
        (r"^key unwrap rsa-oaep", "key unwrap aes-gcm"),
        (r"^\r", "help\r"),
        (r"^quit", "quit2"),
    ],
)
def test_a_command_outside_the_procedure_of_cloudhsm_cli(run_by_cli: Path, pattern: str, new: str) -> None:
    forge(run_by_cli, replaced("cloudhsm-cli", "i", pattern, new))
    both_say("wrong", run_by_cli, "cloudhsm-cli.cast: line ")


def test_cloudhsm_cli_unwraps_what_was_wrapped(run_by_cli: Path) -> None:
    forge(run_by_cli)
    both_say("complete", run_by_cli)
    forge(run_by_cli, replaced("cloudhsm-cli", "i", r"--data-path \S+", "--data-path other", nth=2))
    told = by_package(run_by_cli)
    assert (told.verdict, "never wrapped" in told.words) == ("wrong", True)


def test_cloudhsm_cli_was_started_for_a_conversation(run_by_cli: Path) -> None:
    def started(name: str, lines: list[Any]) -> list[Any]:
        if "cloudhsm-cli" in name:
            lines[0]["argv"][1:] = ["key", "delete", "--filter", "attr.label=x"]
        return lines

    forge(run_by_cli, started)
    both_say("wrong", run_by_cli, "cloudhsm-cli.cast: line 1: ")


@pytest.mark.parametrize("tool", ["key_mgmt_util", "ckdemo"])
def test_a_command_that_a_tool_was_started_with(run: Path, tool: str) -> None:
    def started(name: str, lines: list[Any]) -> list[Any]:
        if tool in name:
            lines[0]["argv"] += ["singlecmd", "deleteKey", "-k", "7"]
        return lines

    forge(run, started)
    both_say("wrong", run, f"{tool}.cast: line 1: ")


@pytest.mark.parametrize(("place", "value"), [(0, True), (0, "0.1"), (1, "q"), (1, "oi"), (2, 5)])
def test_what_is_no_event(run: Path, place: int, value: object) -> None:
    def other(name: str, lines: list[Any]) -> list[Any]:
        if name == "002-vtl.cast":
            lines[1][place] = value
        return lines

    forge(run, other)
    both_say("wrong", run, "002-vtl.cast: line 2: ")


def test_a_call_outside_the_procedure(run: Path) -> None:
    def deletes(name: str, lines: list[Any]) -> list[Any]:
        if name == "007-cmu.cast":
            lines[0]["argv"][1] = "delete"
        return lines

    forge(run, deletes)
    both_say("wrong", run, "007-cmu.cast: line 1", "delete")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (replaced("ckdemo", "o", "CKA_EXTRACTABLE=01", "CKA_EXTRACTABLE=00", nth=4), "not shown as extractable"),
        (replaced("ckdemo", "o", "(CKA_LABEL=classic_wrap(.|\n)*CKA_MODULUS=)..", r"\g<1>ff"), "another public key"),
        (replaced("011-cmu", "o", "modulus=..", "modulus=ff"), "another public key"),
        (replaced("ckdemo", "o", r"v10\.3\.0", "v10.4.0"), "does not say the version"),
        (replaced("key_mgmt_util", "i", r"^unWrapKey -f \S+", "unWrapKey -f other"), "never wrapped"),
        (replaced("key_mgmt_util", "i", r"^unWrapKey -f \S+", " unWrapKey -f other"), "never wrapped"),
        (answered("handle of wrapping key", "12\r"), "object 12 was not shown to be the public key"),
        (answered("want to modify", "27\r"), "object 27 was not shown to be the public key"),
        (answered("handle of key to wrap", "43\r"), "the journal has no intent"),
        (
            replaced("ckdemo", "o", r"(CKA_LABEL=classic_wrap(?:.|\n)*CKA_MODULUS=..).*", r"\g<1>\r"),
            "another public key",
        ),
    ],
)
def test_the_tools_own_words(run: Path, change: Callable[[str, list[Any]], list[Any]], words: str) -> None:
    forge(run, change)
    told = by_package(run)
    assert told.verdict == "wrong"
    assert words in told.words


def test_keys_may_cross_at_the_same_time(run: Path) -> None:
    forge(run, journal=overlapping)
    both_say("complete", run)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (never_extractable, "not described as extractable"),
        (without("done", "wrap"), "not what was wrapped"),
        (without("done", "move"), "moved"),
        (changed("done", "wrap", sha256="0" * 64), "not what was wrapped"),
        (changed("intent", "import", sha256="0" * 64), "public key"),
        (changed("done", "compare", places={"the source HSM": "0" * 64}), "public key"),
        (changed("done", "export", places={"the PEM file": "0" * 64}), "public key"),
        (without_comparison, "compared"),
        (extractable_by_a_word, "not described as extractable"),
        (extractable_no_longer, "not described as extractable"),
        (wrapped_anew, "moved"),
        (changed("key", state="failed"), "totals"),
        (
            changed("end", totals={"planned": 10, "verified": 10, "skipped": 0, "failed": 0, "needs_operator": 0}),
            "totals",
        ),
        (changed("planned", sha256="0" * 64), "plan"),
        (changed("begin", run_id="other"), "001-key_mgmt_util.cast: line 1"),
        (never_came, "journal.jsonl: line "),
        (changed("done", "wrap", host="destination"), "journal.jsonl: line "),
        (without("intent", "unwrap"), ""),
    ],
)
def test_the_journals_words(run: Path, change: Callable[[Lines], Lines], words: str) -> None:
    forge(run, journal=change)
    both_say("wrong", run, words)


def test_a_migration_cannot_say_that_it_is_a_single_action(run: Path) -> None:
    forge(run, replaced("key_mgmt_util", "i", r"^findKey .*", "deleteKey -k 7\r"), without_order)
    both_say("wrong", run, ".cast: line ", "deleteKey")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (of_another_plan, "not the one that was approved"),
        (changed("key", kcv_there="000000"), "check values differ"),
        (without("intent", "wrap"), "not intended before"),
        (changed("done", "wrap", host="elsewhere"), "not intended before"),
    ],
)
def test_the_package_says_more_of_the_journal(run: Path, change: Callable[[Lines], Lines], words: str) -> None:
    forge(run, journal=change)
    told = by_package(run)
    assert told.verdict == "wrong"
    assert words in told.words


def test_what_the_plan_has_stay_was_not_wrapped(run: Path) -> None:
    """Somebody may have approved that plan: it says more than the journal, which describes the key as one that goes."""
    plan = json.loads((run / "plan.json").read_bytes())
    wrapped = next(key for key in plan["keys"] if key["state"] == "planned")
    wrapped["state"] = "skipped"
    (run / "plan.json").chmod(0o600)
    (run / "plan.json").write_bytes(canonical(plan))
    digest = hashlib.sha256((run / "plan.json").read_bytes()).hexdigest()
    forge(run, journal=changed("planned", sha256=digest))
    told = by_package(run)
    assert told.verdict == "wrong"
    assert f"plan.json: line 1: key {wrapped['source_handle']} was wrapped" in told.words
