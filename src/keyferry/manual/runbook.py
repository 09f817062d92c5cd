"""The runbook: what a person does who carries the keys of a plan by hand, numbered as the document is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from keyferry.errors import UsageError
from keyferry.pkcs11 import FIXED_BITS
from keyferry.planning.job import DOCUMENTED_LABEL
from keyferry.planning.unwrap_spec import spec_of
from keyferry.steps import TITLES
from keyferry.text import printable
from keyferry.tools.ckdemo.dialect import CHECK_VALUE_MECHANISM
from keyferry.tools.classic import instructions as classic
from keyferry.tools.cloudhsm_cli.instructions import CloudHsmCliWords
from keyferry.tools.endpoints import STABLE, UnwrapSpec
from keyferry.tools.key_mgmt_util.instructions import KeyMgmtUtilWords
from keyferry.tools.manual import SHELL, Instruction, TypedLine

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from keyferry.planning.evaluate import PlannedKey
    from keyferry.planning.plan import Plan, Value
    from keyferry.tools.manual import DestinationWords

PEM = "wrapping_public.pem"
SOURCE, DESTINATION, BOTH = "the source client", "the destination client", "both clients"


@dataclass(frozen=True, slots=True)
class RunbookStep:
    """One step to tick. key: whose it is, None for a step of the whole run."""

    number: str
    title: str
    host: str
    parts: tuple[Instruction, ...]
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Runbook:
    """facts: what this run is, by name. stay: keys of the plan that do not cross, each with the reason.

    rehearsal: the plan was made with emulated tools.
    """

    facts: tuple[tuple[str, str], ...]
    entries: tuple[RunbookStep, ...]
    stay: tuple[tuple[str, str], ...]
    rehearsal: bool = False


@dataclass(frozen=True, slots=True)
class HandKey:
    """A key to carry by hand. handle: as it is typed, a placeholder where only the session tells it."""

    name: str
    handle: str
    looks: tuple[tuple[str, str], ...]
    spec: UnwrapSpec
    kcv: str | None


PLACEHOLDER_KEY = HandKey(
    "each key",
    "<KEY>",
    (("CKA_CLASS", "04..., a secret key"),),
    UnwrapSpec("KEY_LABEL", None, "AES", 0, extractable=True, digest="sha1", file="<KEY>.wrapped"),
    None,
)


def runbook(plan: Plan) -> Runbook:
    """Exactly this plan."""
    facts = (
        ("Plan (SHA-256)", plan.sha256),
        ("Made", f"{plan.made}, run {plan.run_id}, Keyferry {plan.keyferry}"),
        ("Partition", ", ".join(f"{name} {value}" for name, value in plan.source.items())),
        ("New side", ", ".join(f"{name} {value}" for name, value in plan.destination.items())),
        ("Hosts", _hosts(plan.settings)),
    )
    keys = [_hand_key(plan, one) for one in plan.keys if one.verdict is None]
    stay = tuple(
        (f"{one.name} ({one.handle})", f"{one.verdict.rule}: {one.verdict.detail}") for one in plan.keys if one.verdict
    )
    partition = f"label {plan.source.get('label')}, serial {plan.source.get('serial')}"
    steps = _Steps(plan.settings, plan.destination.get("tool", ""), partition)
    search = plan.source.get("kind") != STABLE
    return Runbook(facts, tuple(steps.entries(keys, search=search)), stay, plan.rehearsal)


def generic(settings: Mapping[str, Value]) -> Runbook:
    """The document's procedure with what the settings say, and placeholders for the rest."""
    named = dict(settings)
    named["destination.user"] = settings["destination.user"] or "CRYPTO_USER"
    partition = str(settings["source.slot"]) or "the partition's or HA group's label and serial"
    key = replace(PLACEHOLDER_KEY, spec=replace(PLACEHOLDER_KEY.spec, digest=str(settings["wrapping.hash"])))
    facts = (("Plan", "none: what stands in angle brackets or capitals is to be filled in"), ("Hosts", _hosts(named)))
    steps = _Steps(named, str(settings["destination.tool"]), partition)
    return Runbook(facts, tuple(steps.entries([key], search=True)), ())


def _words(tool: str, settings: Mapping[str, Value]) -> DestinationWords:
    known: dict[str, DestinationWords] = {
        "key_mgmt_util": KeyMgmtUtilWords(visible=bool(settings["destination.password_visible"])),
        "cloudhsm-cli": CloudHsmCliWords(),
    }
    try:
        return known[tool or "key_mgmt_util"]
    except KeyError:
        raise UsageError(f"no runbook for the tool {tool!r}", hint=f"known: {', '.join(known)}") from None


def _hosts(settings: Mapping[str, Value]) -> str:
    named = {SOURCE: settings["source.host"], DESTINATION: settings["destination.host"]}
    return ", ".join(f"{name}: {host or 'this machine'}" for name, host in named.items())


def _hand_key(plan: Plan, one: PlannedKey) -> HandKey:
    key, stable = one.key, plan.source.get("kind") == STABLE
    size = () if key.type in FIXED_BITS else (("CKA_VALUE_LEN", f"{(key.bits or 0) // 8} bytes"),)
    looks = (("CKA_LABEL", printable(key.label)), ("CKA_KEY_TYPE", key.type), *size)
    shown = (*looks, ("CKA_ID", printable(key.id_shown))) if key.id_shown else looks
    handle = str(one.handle) if stable else f"<handle of {one.handle}>"
    return HandKey(f"{one.name} ({one.handle})", handle, shown, spec_of(plan, one), one.kcv)


class _Steps:
    def __init__(self, settings: Mapping[str, Value], tool: str, partition: str) -> None:
        self._settings = settings
        self._words = _words(tool, settings)
        self._partition = partition
        self._label = str(settings["wrapping.label"]) or DOCUMENTED_LABEL
        self._bits = int(settings["wrapping.bits"])

    def entries(self, keys: Sequence[HandKey], *, search: bool) -> Iterator[RunbookStep]:
        yield from self._pair()
        yield from self._on_source(search=search)
        for number, key in enumerate(keys):
            yield from self._key(key, first=number == 0, search=search)
        yield _entry("end", BOTH, classic.leave(), self._words.leave())

    def _pair(self) -> Iterator[RunbookStep]:
        words, settings = self._words, self._settings
        yield _entry("1.1", DESTINATION, words.start(), words.log_in(str(settings["destination.user"])))
        extractable = bool(settings["wrapping.extractable"])
        yield _entry("1.2", DESTINATION, words.make_pair(self._label, self._bits, extractable=extractable))
        yield _entry("2.1", DESTINATION, words.export(PEM))
        yield _entry("3", BOTH, _move(PEM, DESTINATION, SOURCE))

    def _on_source(self, *, search: bool) -> Iterator[RunbookStep]:
        option, digest = str(self._settings["source.cmu_public_key_option"]), self._settings["wrapping.hash"]
        imported = classic.import_key(PEM, self._label, option)
        yield _entry("4.1", SOURCE, classic.list_slots(self._partition), imported)
        yield _entry("4.2", SOURCE, classic.listed(self._label))
        yield _entry("4.3", SOURCE, classic.start())
        yield _entry("4.4", SOURCE, classic.open_session(self._partition))
        yield _entry("4.5", SOURCE, classic.log_in())
        hashes = () if digest == "sha1" else (classic.choose_hash(),)
        yield _entry("4.6", SOURCE, classic.allow(PEM, self._label, search=search), *hashes)

    def _key(self, key: HandKey, *, first: bool, search: bool) -> Iterator[RunbookStep]:
        name, spec, words = key.name, key.spec, self._words
        described = [classic.describe(key.handle, list(key.looks), search=search)]
        if key.kcv and spec.type in CHECK_VALUE_MECHANISM:
            described.append(classic.check_value(key.handle, spec.type, key.kcv))
        yield _entry("5.1", SOURCE, *described, key=name)
        wrapped = classic.wrap(key.handle, spec.digest, self._bits // 8, spec.file)
        yield _entry("5.2", SOURCE, wrapped, key=name)
        yield _entry("6", BOTH, _move(spec.file, SOURCE, DESTINATION), key=name)
        if first:
            still = TypedLine(
                "(the session of step 1.1)", "nothing, if it is still logged in; else as in step 1.1", False
            )
            yield _entry("7.1", DESTINATION, Instruction(words.tool, (still,)))
        proof = words.prove(spec, key.kcv)
        yield _entry("7.2", DESTINATION, words.unwrap(spec), proof, key=name)


def _move(file: str, source: str, target: str) -> Instruction:
    summed = TypedLine(f"{SHELL} ({source}, then {target})", f"sha256sum {file}")
    moved = TypedLine(SHELL, f"copy {file} from {source} to {target} (scp or any other tool)", verbatim=False)
    return Instruction("scp", (moved, summed), (), ("both hosts show the same SHA-256",), (f"SHA-256 of {file}",))


def _entry(number: str, host: str, *parts: Instruction, key: str | None = None) -> RunbookStep:
    return RunbookStep(number, TITLES[number], host, parts, key)
