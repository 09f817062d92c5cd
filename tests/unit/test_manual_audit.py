from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from keyferry.manual.audit import Check, State
from keyferry.planning.key_list import TargetSpec
from keyferry.steps import TITLES
from keyferry.tools.endpoints import KeySharing
from keyferry.tools.manual import ActionKind, RecordedAction
from keys import planned, source
from plans import make

if TYPE_CHECKING:
    from keyferry.planning.plan import Plan

KMU = "key_mgmt_util"


def act(what: ActionKind, tool: str, **told: str) -> RecordedAction:
    return RecordedAction(what, tool, "verb", "rec:1", told)


KEY = {"handle": "42", "label": "payments", "type": "AES", "bits": "256", "id": "till-7", "extractable": "True"}
UNWRAPPED = {
    "oaep": "True",
    "digest": "sha1",
    "type": "AES",
    "extractable": "True",
    "wrapping": "13",
    "label": "payments",
    "id": "till-7",
    "handle": "14",
}
RUN = {
    "start": act(ActionKind.START, KMU),
    "login": act(ActionKind.LOG_IN, KMU, user="crypto_user"),
    "pair": act(
        ActionKind.MAKE_PAIR, KMU, label="classic_wrap", bits="2048", extractable="False", public="12", private="13"
    ),
    "look": act(ActionKind.LOOK, KMU, handle="13"),
    "export": act(ActionKind.EXPORT, KMU, handle="12"),
    "slots": act(ActionKind.LIST_SLOTS, "vtl", **{"1582163089435": "0", "99": "1"}),
    "import": act(ActionKind.IMPORT, "cmu", label="classic_wrap", slot="0"),
    "list": act(ActionKind.LIST, "cmu", **{"45": "classic_wrap", "42": "payments"}),
    "ckdemo": act(ActionKind.START, "ckdemo"),
    "open": act(ActionKind.OPEN, "ckdemo", slot="0"),
    "pin": act(ActionKind.LOG_IN, "ckdemo", officer="True"),
    "allow": act(ActionKind.ALLOW, "ckdemo", handle="45", CKA_WRAP="01"),
    "shown": act(ActionKind.DESCRIBE, "ckdemo", handle="45", CKA_WRAP="01", **{"class": "public"}),
    "describe": act(ActionKind.DESCRIBE, "ckdemo", **KEY),
    "wrap": act(ActionKind.WRAP, "ckdemo", oaep="True", digest="sha1", wrapping="45", key="42"),
    "unwrap": act(ActionKind.UNWRAP, KMU, **UNWRAPPED),
    "prove": act(ActionKind.LOOK, KMU, handle="14"),
}
PARTITION = {"label": "par43", "serial": "1582163089435", "kind": "partition"}


def plan(kind: str = "partition") -> Plan:
    return make(planned(source(id="till-7")), source=PARTITION | {"kind": kind})


def wrong(changed: dict[str, RecordedAction | None], of: Plan | None) -> list[tuple[str, State]]:
    """Steps that are not done, with what they are; an act None was not done."""
    acts = [one for one in (RUN | changed).values() if one is not None]
    return [(one.step, one.state) for one in Check(acts, of).findings() if one.state is not State.DONE]


@pytest.mark.parametrize("of", [plan(), plan("HA group"), None], ids=["plan", "ha", "none"])
def test_all_as_documented(of: Plan | None) -> None:
    assert wrong({}, of) == []


@pytest.mark.parametrize("of", [plan(), plan("HA group"), None], ids=["plan", "ha", "none"])
@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("login", ["1.1", "7.1"]),
        ("pair", ["1.2", "2.1", "7.2"]),
        ("export", ["2.1"]),
        ("look", ["1.2"]),
        ("shown", ["4.6"]),
        ("prove", ["7.2"]),
        ("slots", ["4.1"]),
        ("import", ["4.1", "3"]),
        ("ckdemo", ["4.3"]),
        ("open", ["4.4"]),
        ("pin", ["4.5"]),
        ("describe", ["5.1"]),
        ("unwrap", ["7.2", "6", "7.1"]),
    ],
)
def test_a_step_that_was_left_out(of: Plan | None, name: str, steps: list[str]) -> None:
    assert set(steps) <= {step for step, _ in wrong({name: None}, of)}


def test_a_key_that_was_not_wrapped() -> None:
    assert {"5.2"} <= {step for step, _ in wrong({"wrap": None}, plan())}
    assert {"5.1", "5.2", "6", "7.1", "7.2"} <= {step for step, _ in wrong({"wrap": None, "unwrap": None}, None)}


@pytest.mark.parametrize(
    ("name", "told", "step"),
    [
        ("login", {"user": "another"}, "1.1"),
        ("pair", {"bits": "3072"}, "1.2"),
        ("pair", {"extractable": "True"}, "1.2"),
        ("pair", {"label": "w"}, "1.2"),
        ("export", {"handle": "13"}, "2.1"),
        ("slots", {"1582163089435": "2"}, "4.1"),
        ("import", {"label": "other"}, "4.1"),
        ("import", {"slot": "1"}, "4.1"),
        ("open", {"slot": "1"}, "4.4"),
        ("pin", {"officer": "False"}, "4.5"),
        ("allow", {"handle": "42"}, "4.6"),
        ("allow", {"CKA_EXTRACTABLE": "00"}, "4.6"),
        ("describe", {"extractable": "False"}, "5.1"),
        ("describe", {"label": "renamed"}, "5.1"),
        ("wrap", {"wrapping": "46"}, "5.2"),
        ("wrap", {"oaep": "False"}, "5.2"),
        ("wrap", {"digest": "sha256"}, "5.2"),
        ("unwrap", {"wrapping": "12"}, "7.2"),
        ("unwrap", {"digest": "sha256"}, "7.2"),
        ("unwrap", {"type": "DES3"}, "7.2"),
        ("unwrap", {"id": "x"}, "7.2"),
        ("unwrap", {"extractable": "False"}, "7.2"),
        ("unwrap", {"shared_users": "4"}, "7.2"),
        ("unwrap", {"quorum": "2"}, "7.2"),
        ("unwrap", {"other_options": "-sess"}, "7.2"),
        ("login", {"role": "CO"}, "1.1"),
        ("unwrap", {"oaep": "False"}, "7.2"),
    ],
)
def test_a_step_that_was_done_otherwise(name: str, told: dict[str, str], step: str) -> None:
    changed = replace(RUN[name], told={**RUN[name].told, **told})
    assert (step, State.DIFFERENT) in wrong({name: changed}, plan())


def test_the_imported_key_is_the_one_that_wraps_also_without_a_plan() -> None:
    other = replace(RUN["wrap"], told={**RUN["wrap"].told, "wrapping": "12"})
    assert wrong({"wrap": other}, None) == [("5.2", State.DIFFERENT)]


@pytest.mark.parametrize("kind", ["partition", "HA group"])
@pytest.mark.parametrize(("label", "shown"), [("clé", "636cc3a9"), ("till ", "till")])
def test_a_label_is_displayed_as_ckdemo_spells_it(kind: str, label: str, shown: str) -> None:
    of = make(planned(source(label=label, id="till-7"), new_label="payments"), source=PARTITION | {"kind": kind})
    described = replace(RUN["describe"], told={**RUN["describe"].told, "label": shown})
    assert wrong({"describe": described}, of) == []


@pytest.mark.parametrize(
    ("changed", "step"),
    [
        (dict.fromkeys(("import", "list", "allow")), "4.1"),
        (dict.fromkeys(("slots", "import")), "4.1"),
        ({"slots": act(ActionKind.LIST_SLOTS, "vtl")}, "4.1"),
        ({"list": None}, "4.1"),
        ({"list": None}, "3"),
        ({"import": None}, "4.2"),
        ({"import": None}, "4.6"),
        ({"import": None, "allow": None}, "4.6"),
        ({"allow": None, "shown": replace(RUN["shown"], told={**RUN["shown"].told, "CKA_WRAP": "00"})}, "4.6"),
        ({"shown": replace(RUN["shown"], told={**RUN["shown"].told, "class": "secret"})}, "4.6"),
        ({"shown": replace(RUN["shown"], told={"handle": "45"})}, "4.6"),
        ({"pair": replace(RUN["pair"], tool="cloudhsm-cli", told={**RUN["pair"].told, "unwraps": "False"})}, "1.2"),
        ({"login": None, "again": act(ActionKind.LOG_IN, KMU, user="another")}, "7.1"),
    ],
)
def test_a_step_of_which_only_a_part_was_done(changed: dict[str, RecordedAction | None], step: str) -> None:
    """However much of it the recordings show, no finding of the step may say that it was done."""
    acts = [one for one in (RUN | changed).values() if one is not None]
    found = [one.state for one in Check(acts, plan()).findings() if one.step == step]
    assert found
    assert State.DONE not in found


def test_a_key_that_was_there_before_the_import_is_not_the_imported_one() -> None:
    """In one recording the order is certain; the import said nothing, and made nothing."""
    before = replace(RUN["list"])
    acts = [before, *RUN.values()]
    left = [(one.step, one.state) for one in Check(acts, None).findings() if one.state is not State.DONE]
    assert {"4.1", "4.2", "4.6", "5.2"} <= {step for step, _ in left}
    removed = act(ActionKind.REMOVE, "cmu", handle="45")
    assert {one.state for one in Check([before, removed, *RUN.values()], None).findings()} == {State.DONE}


def test_a_difference_is_told_in_plain_words() -> None:
    changed = RUN | {
        "shown": replace(RUN["shown"], told={**RUN["shown"].told, "CKA_WRAP": "00"}),
        "pin": replace(RUN["pin"], told={"officer": "False"}),
        "unwrap": replace(RUN["unwrap"], told=UNWRAPPED | {"other_options": "-sess"}),
    }
    told = [one.detail for one in Check(changed.values(), plan()).findings() if one.state is State.DIFFERENT]
    assert [one.partition(": ")[2] for one in told] == [
        "officer is no; expected yes",
        "CKA_WRAP is 00; expected 01",
        "other options is -sess; expected nothing",
    ]


def test_the_session_is_opened_to_the_slot_of_the_import_also_without_a_plan() -> None:
    other = replace(RUN["open"], told={"slot": "1"})
    assert wrong({"open": other}, None) == [("4.4", State.DIFFERENT)]


def test_a_display_before_the_change_does_not_prove_it() -> None:
    order = [name for name in RUN if name != "shown"]
    order.insert(order.index("allow"), "shown")
    found = Check([RUN[name] for name in order], plan()).findings()
    assert [one.step for one in found if one.state is not State.DONE] == ["4.6"]


@pytest.mark.parametrize(("tool", "handle"), [("cmu", "12"), (KMU, "45")])
def test_a_number_of_the_other_side_is_another_object(tool: str, handle: str) -> None:
    assert wrong({"extra": act(ActionKind.REMOVE, tool, handle=handle)}, plan()) == [("-", State.DIFFERENT)]


HELD = TargetSpec(extractable=False, sharing=KeySharing(("4", "11"), 2))
TYPED = {"extractable": "False", "shared_users": "11,4", "quorum": "2"}


@pytest.mark.parametrize(
    ("typed", "told", "state"),
    [
        (TYPED, {"shared_users": "11,4", "quorum": "2"}, State.DONE),
        (TYPED, {"shared_users": "4", "quorum": "2"}, State.DIFFERENT),
        (TYPED, {}, State.MISSING),
        (TYPED | {"shared_users": "4"}, {"shared_users": "11,4", "quorum": "2"}, State.DIFFERENT),
        (TYPED | {"quorum": ""}, {"shared_users": "11,4", "quorum": "2"}, State.DIFFERENT),
        (TYPED | {"extractable": "True"}, {"shared_users": "11,4", "quorum": "2"}, State.DIFFERENT),
    ],
)
def test_each_key_has_attributes_of_its_own(typed: dict[str, str], told: dict[str, str], state: State) -> None:
    of = make(planned(source(id="till-7"), want=HELD), source=PARTITION)
    unwrap = replace(RUN["unwrap"], told=UNWRAPPED | typed)
    held = act(ActionKind.LOOK, KMU, held="14", **told) if told else None
    acts = [one for one in (RUN | {"unwrap": unwrap, "held": held}).values() if one]
    assert [one.state for one in Check(acts, of).findings() if one.step == "7.2"] == [state]


@pytest.mark.parametrize(("said", "state"), [("True", State.DIFFERENT), ("False", State.DONE), (None, State.DIFFERENT)])
def test_usages_are_the_ones_that_the_tool_was_told(said: str | None, state: State) -> None:
    """No message has a word of Python's."""
    key = planned(source(id="till-7", attributes={"CKA_SIGN": "00", "CKA_ENCRYPT": "01"}))
    of = make(key, source=PARTITION, destination={"user": "crypto_user", "tool": "cloudhsm-cli"})
    told = UNWRAPPED | {"ENCRYPT": "True"} | ({} if said is None else {"SIGN": said})
    acts = list((RUN | {"unwrap": replace(RUN["unwrap"], told=told)}).values())
    [found] = [one for one in Check(acts, of).findings() if one.step == "7.2"]
    assert found.state is state
    assert not any(word in found.detail for word in ("None", "True", "False"))


def test_a_key_is_described_before_it_is_wrapped() -> None:
    late = {"describe": None, "late": RUN["describe"]}
    assert wrong(late, plan()) == [("5.1", State.MISSING)]


@pytest.mark.parametrize("what", ["wrap", "unwrap"])
def test_what_was_done_twice(what: str) -> None:
    step = {"wrap": "5.2", "unwrap": "7.2"}[what]
    twice = replace(RUN[what], place="rec:9")
    assert wrong({"twice": twice}, plan()) == [(step, State.DIFFERENT)]


def test_a_second_pair_and_a_second_object_of_the_label() -> None:
    assert ("1.2", State.DIFFERENT) in wrong({"twice": RUN["pair"]}, None)
    two = replace(RUN["list"], told={"45": "classic_wrap", "46": "classic_wrap"})
    assert ("4.2", State.DIFFERENT) in wrong({"list": two}, None)


@pytest.mark.parametrize("name", [name for name in RUN if name != "start"])
def test_a_screen_that_is_not_understood_is_never_done(name: str) -> None:
    unclear = replace(RUN[name], told={}, unknown="a line that is not known")
    assert ("-", State.NOT_UNDERSTOOD) in wrong({name: unclear}, plan())


@pytest.mark.parametrize(
    ("late", "behind", "step"), [("export", "import", "4.1"), ("wrap", "unwrap", "7.2"), ("import", "list", "4.2")]
)
def test_what_was_done_before_what_it_goes_on_from(late: str, behind: str, step: str) -> None:
    """In one recording; which of two came first nobody can tell."""
    names = [name for name in RUN if name != late]
    names.insert(names.index(behind) + 1, late)
    acts = {name: replace(RUN[name], place=f"rec:{line}") for line, name in enumerate(names, 1)}
    assert step in [one.step for one in Check(acts.values(), plan()).findings() if one.state is not State.DONE]
    acts[late] = replace(acts[late], place="other:1")
    assert {one.state for one in Check(acts.values(), plan()).findings()} == {State.DONE}


def test_what_was_refused_was_not_done_but_may_be_tried_again() -> None:
    no = replace(RUN["wrap"], told={}, refused="CKR_KEY_UNEXTRACTABLE")
    assert ("5.2", State.MISSING) in wrong({"wrap": no}, plan())
    later = {"again": RUN["wrap"], "unwrap": None, "arrived": RUN["unwrap"], "prove": None, "proved": RUN["prove"]}
    assert wrong({"wrap": no, **later}, plan()) == []


@pytest.mark.parametrize(
    ("extra", "fine"),
    [
        (act(ActionKind.LOOK, KMU), True),
        (act(ActionKind.LEAVE, KMU), True),
        (act(ActionKind.REMOVE, KMU, handle="12"), True),
        (act(ActionKind.REMOVE, "cmu", handle="45"), True),
        (act(ActionKind.REMOVE, "cmu", handle="42"), False),
        (act(ActionKind.OTHER, KMU), False),
    ],
)
def test_what_was_done_besides(extra: RecordedAction, fine: bool) -> None:
    assert (wrong({"extra": extra}, plan()) == []) == fine


def test_nothing_at_all() -> None:
    findings = Check([], None).findings()
    assert {one.state for one in findings} == {State.MISSING}
    assert {one.step for one in findings} == {step for step in TITLES if step not in ("0", "end")}
