"""The plan as a document, `keyferry.plan/2`: written before anything is changed, approved, carried out, resumed.

Canonical JSON: sorted names, no blanks, ASCII, one final newline. What is read must be byte for byte what
would be written again, so an unknown, missing or doubled field, and one that contradicts another, is refused.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, get_args

from keyferry import files, steps
from keyferry.errors import UsageError
from keyferry.pkcs11 import Kcv, KeyClass, Sha256, SourceHandle
from keyferry.planning.evaluate import PlannedKey
from keyferry.planning.key_list import TargetSpec
from keyferry.planning.rules import Verdict
from keyferry.planning.selection import Selection
from keyferry.text import NotJsonError, canonical, from_json
from keyferry.tools.endpoints import KeySharing, SourceKey, is_readable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import UnionType

    Value = str | int | bool

PLANNED_SETTINGS = (
    ("source", "host"),
    ("source", "slot"),
    ("source", "cmu_public_key_option"),
    ("destination", "host"),
    ("destination", "user"),
    ("destination", "tool"),
    ("destination", "password_visible"),
    ("wrapping", "label"),
    ("wrapping", "bits"),
    ("wrapping", "hash"),
    ("wrapping", "extractable"),
)
"""Settings that say what a run does; the plan holds them."""


SCHEMA = "keyferry.plan/2"
_FORMER = "keyferry.plan/1"
IDENTITY = {"source": ("label", "serial", "kind"), "destination": ("user", "tool")}
"""What of a side's identity makes it the same; slot numbers shift and firmware is updated."""
_VALUES = frozenset({"CKA_VALUE"})  # empty here anyway: the terminal cut it


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that a later process needs to do exactly this.

    run_id: of the run that made the plan; the ids that it gives to keys are made of it. made: RFC 3339, UTC.
    classic, cloudhsm: who the two parties say that they are.
    rehearsal: it was made in a rehearsal (rehearsal.py).
    """

    run_id: str
    keyferry: str
    made: str
    selection: Selection
    settings: Mapping[str, Value]
    source: Mapping[str, str]
    destination: Mapping[str, str]
    keys: tuple[PlannedKey, ...]
    rehearsal: bool = False

    def document(self) -> dict[str, object]:
        """`keys` is an iterator: there can be thousands."""
        selection = asdict(self.selection)
        del selection["dry_run"]  # how a plan is looked at is no part of it
        del selection["listed"]  # each key has what the file said of it
        selection |= {"label_globs": list(self.selection.label_globs), "exclude": list(self.selection.exclude)}
        return {
            "schema": SCHEMA,
            "run_id": self.run_id,
            "keyferry": self.keyferry,
            "made": self.made,
            "rehearsal": self.rehearsal,
            "selection": selection | {"keys": list(self.selection.named)},
            "settings": dict(self.settings),
            "source": dict(self.source),
            "destination": dict(self.destination),
            "steps": [{"number": number, "title": title} for number, title in steps.TITLES.items()],
            "keys": map(_key_document, self.keys),
        }

    def canonical(self) -> bytes:
        return canonical(self.document())

    @property
    def sha256(self) -> Sha256:
        return Sha256(hashlib.sha256(self.canonical()).hexdigest())


def read(path: Path) -> Plan:
    """UsageError for a file that cannot be read, or is not a plan that this version wrote."""
    data = files.read(path, keys="nothing was started", hint="name a plan that `keyferry plan` wrote")
    try:
        return loads(data)
    except UsageError as error:
        error.what = f"{path}: {error.what}"
        raise


def loads(data: bytes) -> Plan:
    """A plan from its bytes; UsageError as for `read`."""
    try:
        document = from_json(data)
    except NotJsonError as error:
        raise _no_plan(str(error)) from None
    plan = _plan(document)
    if plan.canonical() != data:
        raise _no_plan("its bytes are not those that its content has: it was edited or written by another version")
    return plan


def without_values(attributes: Mapping[str, str]) -> dict[str, str]:
    """What a plan keeps of a key's attributes."""
    return {name: value for name, value in attributes.items() if name not in _VALUES}


def _key_document(one: PlannedKey) -> dict[str, object]:
    key = one.key
    return one.json() | {
        "source": {
            "label": key.label,
            "class": str(key.key_class),
            "id": key.id,
            "id_shown": key.id_shown,
            "extractable": key.extractable,
            "may_encrypt": key.may_encrypt,
            "attributes": without_values(key.attributes),
        },
        "id_given": one.id_given,
        "wanted": {
            "new_label": one.want.label,
            "id": one.want.id,
            "extractable": one.want.extractable,
            "quorum": one.want.sharing.quorum,
            "shared_users": list(one.want.sharing.shared_users),
        },
    }


def _plan(document: object) -> Plan:
    top = _exactly(
        document,
        "the plan",
        schema=str,
        run_id=str,
        keyferry=str,
        made=str,
        rehearsal=bool,
        selection=dict,
        settings=dict,
        source=dict,
        destination=dict,
        steps=list,
        keys=list,
    )
    if top["schema"] != SCHEMA:
        if top["schema"] == _FORMER:
            raise _no_plan("it was made by Keyferry 0.1")
        raise _no_plan(f"its schema is {top['schema']!r}, not {SCHEMA}")
    return Plan(
        run_id=top["run_id"],
        keyferry=top["keyferry"],
        made=top["made"],
        selection=_selection(top["selection"]),
        settings=_settings(top["settings"]),
        source=_identity(top["source"], "source"),
        destination=_identity(top["destination"], "destination"),
        keys=tuple(_key(one) for one in top["keys"]),
        rehearsal=top["rehearsal"],
    )


def _selection(value: object) -> Selection:
    flags = dict.fromkeys(("relabel", "reid", "again", "require_kcv", "non_extractable"), bool)
    lists = dict.fromkeys(("keys", "label_globs", "exclude"), list)
    found = _exactly(value, "selection", **lists, **flags)
    return Selection(**found | {name: _words(found[name], f"selection.{name}") for name in lists})


def _words(value: list[Any], where: str) -> tuple[str, ...]:
    if not all(isinstance(one, str) for one in value):
        raise _no_plan(f"{where} are not all texts")
    return tuple(value)


def _settings(value: dict[str, Any]) -> dict[str, Value]:
    names = {f"{section}.{key}" for section, key in PLANNED_SETTINGS}
    if value.keys() != names or not all(isinstance(one, str | int | bool) for one in value.values()):
        raise _no_plan(f"its settings are not {', '.join(sorted(names))}")
    return value


def _identity(value: dict[str, Any], side: str) -> dict[str, str]:
    """Who a side was: without these fields PLAN-MATCH would compare nothing."""
    found = _texts(value, side)
    if missing := [name for name in IDENTITY[side] if name not in found]:
        raise _no_plan(f"{side} has no {' and no '.join(missing)}")
    return found


def _texts(value: dict[str, Any], where: str) -> dict[str, str]:
    if not all(isinstance(one, str) for one in value.values()):
        raise _no_plan(f"{where} is not all texts")
    return value


def _key(value: object) -> PlannedKey:
    """Both names are empty where the key stays: they were never decided."""
    flat = _exactly(
        value,
        "a key",
        source_handle=int,
        label=str,
        new_label=str | None,
        id=str | None,
        type=str,
        bits=int | None,
        state=str,
        rule=str | None,
        detail=str | None,
        proof=type(None),
        kcv=str | None,
        destination_handle=type(None),
        source=dict,
        id_given=bool,
        wanted=dict,
    )
    if flat["kcv"] is not None and not re.fullmatch("[0-9a-f]{6}", flat["kcv"]):
        raise _no_plan(f"{flat['kcv']!r} is no check value")
    stays = flat["state"] != "planned"
    verdict = Verdict(flat["rule"] or "", flat["detail"] or "", flat["state"] == "failed") if stays else None
    return PlannedKey(
        key=_source(flat),
        verdict=verdict,
        new_label="" if stays else flat["new_label"] or "",
        new_id="" if stays else flat["id"] or "",
        id_given=flat["id_given"],
        kcv=flat["kcv"] and Kcv(flat["kcv"]),
        want=_want(flat["wanted"]),
    )


def _want(value: object) -> TargetSpec:
    found = _exactly(
        value,
        "what is wanted of a key",
        new_label=str | None,
        id=str | None,
        extractable=bool | None,
        quorum=int | None,
        shared_users=list,
    )
    sharing = KeySharing(_words(found["shared_users"], "shared_users"), found["quorum"])
    return TargetSpec(found["new_label"], found["id"], found["extractable"], sharing)


def _source(flat: dict[str, Any]) -> SourceKey:
    found = _exactly(
        flat["source"],
        "a key's source",
        **{"class": str},
        label=str,
        id=str | None,
        id_shown=str,
        extractable=bool | None,
        may_encrypt=bool | None,
        attributes=dict,
    )
    if found["class"] not in set(KeyClass):
        raise _no_plan(f"{found['class']!r} is no class of objects")
    return SourceKey(
        handle=SourceHandle(flat["source_handle"]),
        label=found["label"],
        key_class=KeyClass(found["class"]),
        type=flat["type"],
        bits=flat["bits"],
        id=found["id"],
        id_shown=found["id_shown"],
        extractable=found["extractable"],
        may_encrypt=found["may_encrypt"],
        attributes=_texts(found["attributes"], "a key's attributes"),
        readable=is_readable(found["label"]),
    )


def _exactly(value: object, where: str, **kinds: type | UnionType) -> dict[str, Any]:
    """The fields of an object, if they are these and of these types (a boolean is no number)."""
    if not isinstance(value, dict) or value.keys() != kinds.keys():
        told = ", ".join(sorted(map(repr, value.keys() ^ kinds.keys()))) if isinstance(value, dict) else "no object"
        raise _no_plan(f"{where} has not the fields that it must have: {told}")
    for name, kind in kinds.items():
        if type(value[name]) not in (get_args(kind) or (kind,)):
            raise _no_plan(f"{name} of {where} is of another type")
    return value


def _no_plan(why: str) -> UsageError:
    return UsageError(
        f"not a plan that can be used: {why}",
        keys="nothing was started",
        hint="make a new plan with `keyferry plan`",
    )
