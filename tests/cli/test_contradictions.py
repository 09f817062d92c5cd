"""A journal that was rewritten, and sealed again, cannot say of a key what the recordings do not show."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from forgeries import covered_before, no_coverage_of_the_pair
from records import both_say, by_package, by_script, forge
from runs import DESTINATIONS, World, through

if TYPE_CHECKING:
    from collections.abc import Callable

    Lines = list[dict[str, Any]]
    Forgery = Callable[[Lines], Lines]

UNWRAP = {"key_mgmt_util": "unWrapKey", "cloudhsm-cli": "key-unwrap-rsa-oaep"}


@pytest.fixture(scope="module", params=DESTINATIONS)
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of four keys two are verified and one failed: it has another label than it was given."""
    world = World.create(tmp_path_factory.mktemp("record") / "hsm", keys=4)
    world.arm(request.param, "label-changed", UNWRAP[request.param], nth=2)
    done = world.migrate(**through(request.param))
    assert done.states == {"skipped": 1, "verified": 2, "failed": 1}
    return world.directory / "run"


@pytest.fixture
def run(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "run"))


def ends(lines: Lines, state: str) -> Lines:
    return [line for line in lines if line["kind"] == "key" and line["state"] == state]


def acts(lines: Lines, kind: str, act: str) -> Lines:
    return [line for line in lines if (line["kind"], line.get("act")) == (kind, act)]


def counted_again(lines: Lines) -> Lines:
    """The totals of the end, as the lines before it come to."""
    states = {line["key"]: line["state"] for line in lines if line["kind"] in ("described", "key")}
    [end] = [line for line in lines if line["kind"] == "end"]
    end["totals"] = {"planned": len(states)} | {
        state: list(states.values()).count(state) for state in ("verified", "skipped", "failed", "needs_operator")
    }
    return lines


def failed_reported_as_verified(lines: Lines) -> Lines:
    good, [bad] = ends(lines, "verified")[0], ends(lines, "failed")
    bad.update(state="verified", rule=None, detail=None, code=None, seen=None, proof="kcv", kcv_there=bad["kcv"])
    bad.update(attributes=good["attributes"], nodes=good["nodes"])
    return counted_again(lines)


def failed_with_the_data_of_a_verified_key(lines: Lines) -> Lines:
    good, [bad] = ends(lines, "verified")[0], ends(lines, "failed")
    kept = {name: bad[name] for name in ("seq", "at", "key", "prev")}
    bad.update(copy.deepcopy(good) | kept)
    return counted_again(lines)


def reported_as(state: str, rule: str, **more: object) -> Forgery:
    def change(lines: Lines) -> Lines:
        good = ends(lines, "verified")[0]
        good.update(state=state, rule=rule, detail="it is not what was wanted", proof=None, code=6, **more)
        return counted_again(lines)

    return change


def other_check_values(lines: Lines) -> Lines:
    ends(lines, "verified")[-1].update(kcv="00d00d", kcv_there="00d00d", proof="kcv")
    return lines


def without_check_values(lines: Lines) -> Lines:
    ends(lines, "verified")[-1].update(kcv=None, kcv_there=None, proof="length")
    return lines


def handles_swapped(lines: Lines) -> Lines:
    one, other = ends(lines, "verified")
    for kind, act in (("done", "unwrap"),):
        first, second = ([line for line in acts(lines, kind, act) if line["key"] == end["key"]] for end in (one, other))
        first[0]["handle"], second[0]["handle"] = second[0]["handle"], first[0]["handle"]
    one["handle"], other["handle"] = other["handle"], one["handle"]
    return lines


def handle_of_the_end_alone(lines: Lines) -> Lines:
    one, other = ends(lines, "verified")
    one["handle"], other["handle"] = other["handle"], one["handle"]
    return lines


def adopted_under_another_handle(lines: Lines) -> Lines:
    one, other = ends(lines, "verified")
    [done] = [line for line in acts(lines, "done", "unwrap") if line["key"] == one["key"]]
    done.update(handle=other["handle"], adopted="operator")
    one["handle"] = other["handle"]
    return lines


def the_failed_key_was_never_unwrapped(lines: Lines) -> Lines:
    [bad] = ends(lines, "failed")
    bad.update(handle=None, rule="TOOL-REFUSED")
    return [
        line for line in lines if (line["kind"], line.get("act"), line.get("key")) != ("done", "unwrap", bad["key"])
    ]


def ended_open(lines: Lines) -> Lines:
    ends(lines, "verified")[0].update(state="needs_operator", rule="OUTCOME-UNKNOWN", open=True, code=10)
    return counted_again(lines)


BOTH: dict[str, Forgery] = {
    "failed reported as verified": failed_reported_as_verified,
    "failed with the data of a verified key": failed_with_the_data_of_a_verified_key,
    "verified reported as failed": reported_as("failed", "ATTRIBUTES-MATCH"),
    "verified reported as failed by its check value": reported_as("failed", "KCV-MATCH"),
    "verified reported as refused": reported_as("failed", "TOOL-REFUSED", handle=None),
    "verified reported as skipped": reported_as("skipped", "ALREADY-THERE"),
    "verified reported as needing an operator": reported_as("needs_operator", "CLUSTER-COVERAGE"),
    "other check values": other_check_values,
    "no check values": without_check_values,
    "handles swapped": handles_swapped,
    "handles swapped at the end alone": handle_of_the_end_alone,
    "adopted under another handle": adopted_under_another_handle,
    "ended with an open outcome": ended_open,
}


def end_says(name: str, value: object) -> Forgery:
    def change(lines: Lines) -> Lines:
        ends(lines, "verified")[-1][name] = value
        return lines

    return change


def there(name: str, value: str) -> Forgery:
    """Change one attribute that the journal has of a verified key."""

    def change(lines: Lines) -> Lines:
        attributes = ends(lines, "verified")[-1]["attributes_there"]
        assert attributes[name] != value
        attributes[name] = value
        return lines

    return change


def no_coverage(lines: Lines) -> Lines:
    ends(lines, "verified")[-1].update(nodes=[], coverage=None)
    return lines


def lists_say(lines: Lines) -> Lines:
    attributes = ends(lines, "verified")[-1]["attributes"]
    attributes["equal"], attributes["cannot_be_set"] = [*attributes["equal"], "DERIVE"], []
    return lines


def the_failed_key_says(**what: object) -> Forgery:
    def change(lines: Lines) -> Lines:
        ends(lines, "failed")[0].update(what)
        return lines

    return change


def intended(**what: object) -> Forgery:
    def change(lines: Lines) -> Lines:
        acts(lines, "intent", "unwrap")[-1].update(what)
        return lines

    return change


def described_otherwise(lines: Lines) -> Lines:
    stays = next(line for line in lines if line["kind"] == "described" and line["state"] == "skipped")
    stays["extractable"] = not stays["extractable"]
    return lines


def made_as(lines: Lines) -> Lines:
    [made] = acts(lines, "done", "generate")
    made["public"], made["private"] = made["private"], made["public"]
    return lines


def wrapped_otherwise(lines: Lines) -> Lines:
    """The hash of a wrapped file, wherever the journal has it. The file itself was removed since, and that is noted."""
    wrapped = acts(lines, "done", "wrap")[-1]
    was, now = wrapped["sha256"], "0" * 64
    for line in lines:
        if line.get("sha256") == was:
            line["sha256"] = now
    place = next(number for number, line in enumerate(lines) if line["kind"] == "end")
    removed = {"at": lines[0]["at"], "kind": "done", "act": "remove", "file": wrapped["file"], "sha256": now}
    return [*lines[: place + 1], removed, *lines[place + 1 :]]


def wished(**what: object) -> Forgery:
    def change(lines: Lines) -> Lines:
        [planned] = [line for line in lines if line["kind"] == "planned"]
        planned["wish"].update(what)
        return lines

    return change


PACKAGE: dict[str, Forgery] = {
    "another proof": end_says("proof", "length"),
    "other nodes": end_says("nodes", [0, 1, 2]),
    "no coverage": no_coverage,
    "other coverage": end_says("coverage", {"cluster-coverage": ["full", "full"]}),
    "EXTRACTABLE flipped": there("EXTRACTABLE", "0"),
    "another label there": there("LABEL", "another"),
    "a longer list of equal attributes": lists_say,
    "a rule beside verified": end_says("rule", "KCV-MATCH"),
    "failed by another rule": the_failed_key_says(rule="KCV-MATCH"),
    "failed with another check value": the_failed_key_says(kcv_there="00d00d"),
    "failed by a rule that is no proof's": the_failed_key_says(rule="BLOB-INTACT"),
    "failed by no rule": the_failed_key_says(rule=None),
    "failed on other nodes": the_failed_key_says(nodes=[7]),
    "failed with other coverage": the_failed_key_says(coverage={"cluster-coverage": ["full", "full"]}),
    "failed without attributes": the_failed_key_says(attributes_there={}),
    "failed without a handle": the_failed_key_says(handle=None, rule="TOOL-REFUSED"),
    "failed with a proof": the_failed_key_says(proof="kcv"),
    "intended to be not extractable": intended(extractable=False),
    "intended under another label": intended(label="another"),
    "intended under another key": intended(wrapping_key=7),
    "described as extractable": described_otherwise,
    "halves of the pair swapped": made_as,
    "another wrapped file": wrapped_otherwise,
    "wished otherwise": wished(require_kcv=True),
    "an unwrap that the journal leaves out": the_failed_key_was_never_unwrapped,
}


def test_the_record_itself_is_whole(run: Path) -> None:
    both_say("complete", run)
    forge(run, journal=counted_again)
    both_say("complete", run)


@pytest.mark.parametrize("forgery", BOTH)
def test_both_verifiers_derive_handles_and_outcomes(run: Path, forgery: str) -> None:
    forge(run, journal=BOTH[forgery])
    both_say("wrong", run, "journal.jsonl")


@pytest.mark.parametrize("forgery", PACKAGE)
def test_the_package_derives_all_else(run: Path, forgery: str) -> None:
    forge(run, journal=PACKAGE[forgery])
    if forgery == "another wrapped file":
        lines = map(json.loads, (run / "journal.jsonl").read_bytes().splitlines())
        [removed] = acts(list(lines), "done", "remove")
        (run / "files" / removed["file"]).unlink()
        forge(run)
    told = by_package(run)
    assert told.verdict == "wrong", told
    assert "journal.jsonl" in told.words
    assert "None" not in told.words
    assert "{'" not in told.words


@pytest.mark.parametrize("data", ["{}", '{"name":"a","size":1,"sha256":null,"data":"%"}', "x"])
def test_a_file_event_that_describes_no_file(run: Path, data: str) -> None:
    def change(name: str, lines: list[Any]) -> list[Any]:
        if name.startswith(("001", "003")):
            lines.insert(-1, [lines[-1][0], "f", data])
        return lines

    forge(run, change)
    both_say("wrong", run, ".cast: line ")


def test_a_proof_that_was_cut_out_of_the_recording(run: Path) -> None:
    """Without the descriptions that were read, no key counts as verified."""

    def change(name: str, lines: list[Any]) -> list[Any]:
        if "key_mgmt_util" in name:
            return [line for line in lines if isinstance(line, dict) or line[1] != "f"]
        if "cloudhsm-cli" in name:
            for line in lines[1:]:
                line[2] = line[2].replace('"check-value"', '"other-value"')
        return lines

    forge(run, change)
    for told in (by_package(run), by_script(run)):
        assert told.verdict == "wrong"


def first(kind: str, act: str | None = None, **what: object) -> Forgery:
    def change(lines: Lines) -> Lines:
        next(line for line in lines if (line["kind"], line.get("act")) == (kind, act)).update(what)
        return lines

    return change


def nobody_logged_in(lines: Lines) -> Lines:
    return [line for line in lines if line["kind"] != "login"]


def of_another_partition(lines: Lines) -> Lines:
    next(line for line in lines if line["kind"] == "endpoints")["source"]["serial"] = "1234567890123"
    return lines


RUN: dict[str, Forgery] = {
    "another operator": first("begin", operator={"user": "mallory"}),
    "other settings": first("begin", settings={}),
    "no login": nobody_logged_in,
    "another partition": of_another_partition,
    "another crypto user": first("endpoints", destination={"user": "mallory", "tool": "key_mgmt_util"}),
    "another label of the pair": first("intent", "generate", label="another"),
    "an extractable pair": first("intent", "generate", extractable=True),
    "another coverage of the pair": first("done", "cover", public=[0, 1, 2, 3]),
    "other words of the pair's coverage": first("done", "cover", coverage={"public": {"cluster-coverage": []}}),
    "no coverage of the pair": no_coverage_of_the_pair,
    "coverage of the pair at another time": covered_before,
    "another imported key": first("done", "import", handle=7),
    "another key may wrap": first("done", "allow wrapping", handle=7),
    "another count of keys": first("planned", keys=3),
    "handles of another kind": first("done", "generate", public=[7]),
}


@pytest.mark.parametrize("forgery", RUN)
def test_what_is_said_of_the_run_as_a_whole(run: Path, forgery: str) -> None:
    forge(run, journal=RUN[forgery])
    told = by_package(run)
    assert told.verdict == "wrong", told
    assert "journal.jsonl" in told.words
