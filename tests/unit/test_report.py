"""A report from a run directory's files: what is in it, and that nothing in them can make it anything else."""

from __future__ import annotations

import functools
import json
import re
import shutil
import sys
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest

import shared
from keyferry.errors import MismatchError, UsageError
from keyferry.report.build import build
from keyferry.report.load import load
from keyferry.report.render import to_html, to_json, to_markdown
from runs import DESTINATIONS, World, through

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = "<script>alert('x')</script>\x1b[31m\u202egnp.exe\u2028|`*_& \"'"
EMPTY = {"meta", "br", "rect", "path"}


UNWRAPS = {"key_mgmt_util": "unWrapKey -f", "cloudhsm-cli": "key unwrap rsa-oaep --filter"}
ADDED = {"key_mgmt_util": {"-nex", "-t", "-id"}, "cloudhsm-cli": {"tool", "extractable=false"}}


@pytest.fixture(scope="module", params=DESTINATIONS)
def tool(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def run(tool: str) -> Path:
    """A rehearsal of ten keys, one of which arrives under another label."""
    return shared.once(f"run-label-changed-{tool}", functools.partial(_with_a_label_changed, tool)) / "hsm/run"


def _with_a_label_changed(tool: str, folder: Path) -> None:
    world = World.create(folder / "hsm", keys=10)
    world.arm(tool, "label-changed", UNWRAPS[tool].partition(" -")[0].replace(" ", "-"), nth=3)
    assert world.migrate(**through(tool)).status == 6


@pytest.fixture
def copy(run: Path, tmp_path: Path) -> Path:
    """The same run, to be changed."""
    shutil.copytree(run, tmp_path / "copy")
    for path in (tmp_path / "copy").rglob("*"):
        path.chmod(0o700)
    return tmp_path / "copy"


def _journal(run: Path, kind: str, act: str | None = None) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (run / "journal.jsonl").read_text().splitlines()]
    return [line for line in lines if line["kind"] == kind and line.get("act") == act]


def test_a_page_shows_no_value_as_python_writes_it(run: Path) -> None:
    report = build(load(run))
    assert dict(report.settings)["run.allow_raised_counter"] == "no"
    assert {dict(key.requested).get("extractable") for key in report.keys if key.requested} == {"yes"}
    for page in (to_html(report), to_markdown(report)):
        assert not re.search(r"\b(?:None|True|False)\b", page)


def test_the_model_tells_what_the_journal_does(run: Path, tool: str) -> None:
    report = build(load(run))
    assert (report.complete, report.ending) == (True, "complete")
    assert dict(report.totals) == {"planned": 10, "verified": 4, "skipped": 5, "failed": 1, "needs_operator": 0}
    assert {name for name, _ in report.operator} == {"user", "host", "system"}
    assert dict(report.source)["firmware"] == "7.3.3"
    assert {one.name: one.sessions for one in report.tools} == {tool: 1, "vtl": 5, "ckdemo": 1, "cmu": 4}
    assert report.head == json.loads((run / "manifest.json").read_text())["head"]


def test_the_wrapping_key_has_its_fingerprint_four_ways(run: Path) -> None:
    key = build(load(run)).wrapping_key
    assert key is not None
    assert [name for name, _ in key.places] == [
        "the public half's attributes",
        "the private half's attributes",
        "the PEM file",
        "the source HSM",
    ]
    assert {digest for _, digest in key.places} == {key.sha256}
    assert key.file_sha256 != key.sha256


def test_a_key_goes_from_handle_to_handle(run: Path, tool: str) -> None:
    report = build(load(run))
    ends = {line["key"]: line for line in _journal(run, "key")}
    verified = [key for key in report.keys if key.crossed]
    assert len(verified) == 4
    for key in verified:
        end = ends[key.source_handle]
        assert (key.destination_handle, key.kcv, key.proof) == (end["handle"], end["kcv"], end["proof"])
        assert key.kcv_there == key.kcv or key.proof == "length"
        assert key.wrapped_sha256 == key.moved_sha256
        assert key.attributes.history_lost == ("CKA_LOCAL", "CKA_ALWAYS_SENSITIVE", "CKA_NEVER_EXTRACTABLE")
        full = (("cluster-coverage", "full"), ("key-coverage", "full"))
        assert (key.nodes, key.coverage) == (((), full) if tool == "cloudhsm-cli" else ((0, 1), ()))
        assert [act.step for act in key.acts] == ["5.2", "6", "7.2"]
        assert key.acts[0].commands[-1].typed == str(key.source_handle)
        [unwrap] = [one for one in key.acts[2].commands if one.typed.startswith(UNWRAPS[tool])]
        assert f" {key.source_handle}.wrapped " in unwrap.typed


def test_every_place_is_where_it_says(run: Path) -> None:
    report = build(load(run))
    acts = [act for step in report.steps for act in step.acts] + [act for key in report.keys for act in key.acts]
    assert len(acts) > 20
    for act in acts:
        lines = (run / act.place.file).read_text().split("\n")[act.place.first - 1 : act.place.last]
        for command in act.commands if act.place.first > 1 else ():
            typed = command.typed.removeprefix("move ")
            assert any(typed.strip("[]") in line for line in lines), (act.place, command)


def test_steps_have_the_documents_numbers_and_both_hosts(run: Path) -> None:
    steps = {step.number: step for step in build(load(run)).steps}
    assert [number for number, step in steps.items() if step.first is None] == ["7.1"]
    assert (steps["3"].side, steps["4.6"].side, steps["7.2"].side) == ("both", "source", "destination")
    assert steps["5.2"].keys == 5
    assert {act.key for act in steps["5.2"].acts} == {next(act.key for act in steps["7.2"].acts)}


def test_what_was_added_and_what_is_not_proven_is_told(run: Path, tool: str) -> None:
    report = build(load(run))
    assert ADDED[tool] <= {one.kind for one in report.additions}
    doubts = " ".join(report.not_proven)
    by_length = [key for key in report.keys if key.proof == "length"]
    assert f"value of {len(by_length)} key" in doubts
    for words in ("vendors' programs", "112 bits", "backups of the cluster", "no head and no signature"):
        assert words in doubts
    [failed] = [one for one in report.exceptions if one.kind == "failed"]
    assert "ATTRIBUTES-MATCH" in failed.what
    assert "instead of" in (failed.seen or "")


class _Page(HTMLParser):
    """A page that must be well-formed and want nothing from outside."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.outside: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in EMPTY:
            self.open.append(tag)
        self.outside += [name for name, value in attrs if name.startswith("on")]
        links = [value or "" for name, value in attrs if name in {"href", "src", "xlink:href", "action"}]
        self.outside += [link for link in links if not link.startswith("#")]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        assert tag in EMPTY

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, self.getpos()

    def handle_data(self, data: str) -> None:
        self.text += data


def _check(page: str) -> _Page:
    parsed = _Page(page)
    assert parsed.open == []
    assert parsed.outside == []
    assert not parsed.tags & {"script", "link", "img", "iframe", "object", "embed", "base"}
    assert "http://" not in page
    assert "https://" not in page
    assert "url(" not in page
    assert "@import" not in page
    return parsed


def test_the_page_is_well_formed_and_needs_nothing_from_outside(run: Path) -> None:
    report = build(load(run))
    page = _check(to_html(report))
    assert {"svg", "table", "h1"} <= page.tags
    for key in report.keys:
        assert str(key.source_handle) in page.text
        assert (key.wrapped_sha256 or "") in page.text
    assert all(words in page.text for words in report.not_proven)
    assert report.wrapping_key
    assert page.text.count(report.wrapping_key.sha256 or "?") == 4
    assert "7 · Unwrap and prove" in page.text


def test_hostile_names_are_text_everywhere(copy: Path) -> None:
    plan = json.loads((copy / "plan.json").read_text())
    for key in plan["keys"]:
        key["label"] = key["new_label"] = key["detail"] = HOSTILE
        key["state"] = "failed"
    (copy / "plan.json").write_text(json.dumps(plan))
    for path in copy.glob("sessions/*.cast"):
        header, *rest = path.read_text().split("\n")
        fields = json.loads(header) | {"host": HOSTILE, "path": HOSTILE, "user": HOSTILE, "argv": [HOSTILE]}
        path.write_text("\n".join([json.dumps(fields), *rest]))
    report = build(load(copy))
    html, markdown = to_html(report), to_markdown(report)
    assert "alert('x')" in _check(html).text
    for shown in (html, markdown):
        assert not [char for char in shown if char in "\x1b\u202e\u2028"]
        assert "\\u202egnp.exe" in shown.replace("\\\\", "\\")
    assert "<script" not in markdown.replace("\\<script", "")
    assert json.loads(to_json(report))["keys"][0]["label"] == HOSTILE


def test_tables_of_the_markdown_keep_their_columns(run: Path) -> None:
    lines = to_markdown(build(load(run))).split("\n")
    rows = [line for line in lines if line.startswith("|")]
    assert len(rows) > 40
    width = 0
    for before, line in zip(["", *lines], lines, strict=False):
        if line.startswith("|"):
            count = line.replace("\\|", "").count("|")
            width = width if before.startswith("|") else count
            assert count == width, line


def test_the_json_is_the_model(run: Path, tool: str) -> None:
    document = json.loads(to_json(build(load(run))))
    assert document["schema"] == "keyferry.report/2"
    assert len(document["keys"]) == 10
    assert document["steps"][1]["acts"][0]["place"].startswith(f"sessions/001-{tool}.cast:")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_run_that_was_cut_off_says_so(copy: Path, share: float) -> None:
    (copy / "manifest.json").unlink()
    journal = (copy / "journal.jsonl").read_bytes()
    (copy / "journal.jsonl").write_bytes(journal[: int(len(journal) * share)])
    last = min(copy.glob("sessions/*-ckdemo.cast"))
    last.write_bytes(last.read_bytes()[: int(last.stat().st_size * share)])
    report = build(load(copy))
    assert not report.complete
    assert report.ending.startswith("cut off")
    assert "after the last line" in report.not_proven[0]
    assert sum(count for name, count in report.totals if name != "planned") == 10
    assert "cut off" in _check(to_html(report)).text
    assert "cut off" in to_markdown(report)


def test_a_run_that_only_began_is_a_report_too(copy: Path) -> None:
    for name in ("manifest.json", "plan.json"):
        (copy / name).unlink()
    shutil.rmtree(copy / "sessions")
    (copy / "journal.jsonl").write_bytes(b"")
    report = build(load(copy))
    assert (report.keys, report.wrapping_key, report.head) == ((), None, None)
    assert "No wrapping pair was made" in _check(to_html(report)).text


def test_what_is_no_run_is_refused(copy: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no run directory"):
        load(tmp_path)
    journal = copy / "journal.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b'"seq":3', b'"seq":', 1))
    with pytest.raises(MismatchError, match=r"record is damaged: .*journal.jsonl: line 3"):
        load(copy)
    journal.unlink()
    with pytest.raises(MismatchError, match="journal is missing"):
        load(copy)


def test_without_jinja2_only_json_is_made(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    report = build(load(run))
    with pytest.raises(UsageError, match="needs Jinja2") as missing:
        to_html(report)
    assert "keyferry[report]" in (missing.value.hint or "")
    assert json.loads(to_json(report))["complete"]
